"""Figures of very many rows: they are reduced to what shows, extremes are kept, and the data beside them is what was drawn."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from phaseflow.drawing import STYLE_PATH, draw_figure
from phaseflow.figures._thinning import BINS, MOST_ROWS, find_shape
from phaseflow.plugins import load_plugin
from tests.contracts.drawn import draw, find_line, make_source

# Whole numbers that no double can hold.
MEMBERS = [9007199254740993, 4546665659230395937]
N_EACH = 60_000


@pytest.fixture(scope="module")
def rows():
    """Return two members' rows: a noisy oscillation with one spike of a single sample, and one sample without a value."""
    generator = np.random.default_rng(1)
    parts = []
    for member in MEMBERS:
        t = np.arange(N_EACH) / 100
        states = {name: np.sin(t * speed) + 0.1 * generator.normal(size=N_EACH) for name, speed in (("x", 3), ("y", 5), ("z", 7))}
        parts.append(pd.DataFrame({"member": member, "t": t} | states))
    table = pd.concat(parts, ignore_index=True)
    table.loc[31_337, "x"] = 50.0
    table.loc[77_777, "z"] = -60.0
    table.loc[5, "y"] = np.nan
    return table


@pytest.fixture
def source(tmp_path, rows):
    members = {"member": MEMBERS, "reliable_until": 1.0, "reliable_censored": False}
    return make_source(tmp_path, "simulate", None, members=members, trajectories=rows)


def test_each_column_of_pixels_keeps_its_ends_and_extremes():
    generator = np.random.default_rng(2)
    t = np.sort(generator.uniform(0, 10, 500))
    values = [generator.normal(size=500), generator.normal(size=500)]
    kept = find_shape(t, values, 7)
    borders = np.linspace(t[0], t[-1], 8)
    for place in range(7):
        inside = np.flatnonzero((t >= borders[place]) & ((t < borders[place + 1]) | (place == 6)))
        wanted = {inside[0], inside[-1], *(inside[extreme(value[inside])] for value in values for extreme in (np.argmin, np.argmax))}
        assert {row for row in kept if row in inside} == wanted
    assert (np.diff(kept) > 0).all()


def test_a_gap_in_time_and_values_that_are_not_finite_are_no_trouble():
    t = np.array([0.0, 0.1, 0.2, 9.8, 9.9, 10.0])
    kept = find_shape(t, [np.array([np.nan, np.nan, np.nan, 1.0, np.inf, 2.0])], 3)
    assert set(kept) >= {0, 2, 3, 5}


def test_long_series_are_reduced_and_keep_every_spike(source, rows):
    canvas, data = draw("time_series", source)
    assert len(data) < MOST_ROWS < len(rows)
    assert data["member"].drop_duplicates().tolist() == MEMBERS
    merged = data.merge(rows, on=["member", "t"], suffixes=("", "_all"))
    for state, axes in zip("xyz", canvas.axes, strict=True):
        pd.testing.assert_series_equal(merged[state], merged[f"{state}_all"], check_names=False)
        for member in MEMBERS:
            part, whole = data[data["member"] == member], rows[rows["member"] == member]
            assert (part[state].min(), part[state].max()) == (whole[state].min(), whole[state].max())
            assert (part["t"].iloc[0], part["t"].iloc[-1]) == (whole["t"].iloc[0], whole["t"].iloc[-1])
        assert len(axes.lines) == 2
    assert (data["x"].max(), data["z"].min()) == (50, -60)


def test_an_attractor_counts_all_rows_on_its_planes(source, rows):
    canvas, data = draw("attractor", source)
    curves, spots = data[data["count"].isna()], data[data["count"].notna()]
    assert curves["member"].drop_duplicates().tolist() == MEMBERS
    assert len(curves) < 20_000
    assert len(spots) <= 2 * BINS**2
    for member in MEMBERS:
        part = curves[curves["member"] == member].reset_index(drop=True)
        whole = rows[rows["member"] == member].head(len(part)).reset_index(drop=True)
        pd.testing.assert_frame_equal(part[["t", "x", "y", "z"]], whole[["t", "x", "y", "z"]])
    space, *planes = canvas.axes
    assert len(space.lines) == 2
    for axes, (across, up), n_counted in zip(planes, (("x", "z"), ("x", "y")), (2 * N_EACH, 2 * N_EACH - 1), strict=True):
        part = spots.dropna(subset=[across, up])
        assert part["count"].sum() == n_counted
        # Every row lies in the spot whose middle is nearest: count one spot anew.
        (image,) = axes.images
        left, right, low, high = image.get_extent()
        assert (left, right) == pytest.approx((rows[across].min(), rows[across].max()))
        assert (low, high) == pytest.approx((rows[up].min(), rows[up].max()))
        densest = part.loc[part["count"].astype(int).idxmax()]
        near = (rows[across] - densest[across]).abs() < (right - left) / BINS / 2
        near &= (rows[up] - densest[up]).abs() < (high - low) / BINS / 2
        assert near.sum() == densest["count"]
        shown = np.expm1(image.get_array().filled(0))
        assert shown.sum() == pytest.approx(n_counted)
        column, row = int((densest[across] - left) / (right - left) * BINS), int((densest[up] - low) / (high - low) * BINS)
        assert shown[row, column] == pytest.approx(densest["count"])
        assert [line.get_xdata()[0] for line in axes.lines] == curves.groupby("member", sort=False)[across].first().tolist()
    assert "how many of all samples" in load_plugin("figures", "attractor").describe(data)


def test_an_attractor_in_a_plane_counts_too(tmp_path, rows):
    flat = rows.drop(columns="z")
    canvas, data = draw("attractor", make_source(tmp_path, "simulate", None, members={"member": MEMBERS}, trajectories=flat))
    assert data["count"].isna().sum() == 2
    assert data["count"].sum() == 2 * N_EACH - 1
    (axes,) = canvas.axes
    assert len(axes.images) == 1


def test_few_rows_are_drawn_all(tmp_path, rows):
    few = rows.groupby("member", sort=False).head(MOST_ROWS // 2)
    source = make_source(tmp_path, "simulate", None, members={"member": MEMBERS[::-1]}, trajectories=few)
    canvas, data = draw("attractor", source)
    assert len(data) == MOST_ROWS
    assert list(data) == ["member", "t", "x", "y", "z"]
    assert data["member"].drop_duplicates().tolist() == MEMBERS[::-1]
    part = few[few["member"] == MEMBERS[0]]
    assert find_line(canvas.axes[1], part["x"], part["z"])


@pytest.mark.parametrize("figure", ["time_series", "attractor"])
def test_files_hold_what_is_drawn_and_stay_small(figure, source, tmp_path):
    plugin = load_plugin("figures", figure)
    with mpl.style.context(STYLE_PATH):
        draw_figure(plugin, source, plugin.options(), tmp_path / "it", False)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "it.parquet"), plugin.prepare(source, plugin.options()))
    # The bytes follow from the seed alone.
    assert (tmp_path / "it.svg").stat().st_size < 1_000_000
    assert (tmp_path / "it.png").stat().st_size < 1_000_000


def test_long_lines_are_drawn_in_pieces():
    # Lines of ten million points raised OverflowError in the renderer as one piece.
    with mpl.style.context(STYLE_PATH):
        assert 0 < mpl.rcParams["agg.path.chunksize"] <= 10_000
