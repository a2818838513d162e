"""Every figure has a test of its data, and what matplotlib was told to draw is that data."""

import numpy as np
import pandas as pd
import pytest

from phaseflow.plugins import list_plugins
from tests.contracts import test_figure_data_compare, test_figure_data_fit, test_figure_data_optimize, test_figure_data_simulate
from tests.contracts.drawn import draw, find_line, make_source

FILES = (test_figure_data_simulate, test_figure_data_optimize, test_figure_data_compare, test_figure_data_fit)
COVERS = {figure: (file, test) for file in FILES for figure, test in file.COVERS.items()}


@pytest.mark.parametrize("name", list_plugins("figures"))
def test_every_figure_has_a_test_of_its_data(name):
    assert name in COVERS, f"write a test of what {name} draws, and name it in COVERS of its test_figure_data file"
    file, test = COVERS[name]
    assert getattr(file, test.__name__) is test
    assert test.__name__.startswith("test_")


def test_no_test_stands_for_two_figures_or_for_one_that_is_gone():
    tests = [test for file in FILES for test in file.COVERS.values()]
    assert len(set(tests)) == len(tests) == len(COVERS)
    assert set(COVERS) == set(list_plugins("figures"))


def test_time_series_draw_their_data_and_shade_what_is_beyond_the_horizon(tmp_path):
    t = np.linspace(0, 10, 21)
    rows = [pd.DataFrame({"member": m, "t": t, "x": np.sin(t + m), "y": np.cos(t + m)}) for m in (7, 5)]
    members = {"member": [5, 7], "reliable_until": [6.5, 10.0], "reliable_censored": [False, True]}
    canvas, data = draw("time_series", make_source(tmp_path, "simulate", None, members=members, trajectories=pd.concat(rows)))
    assert data["member"].drop_duplicates().tolist() == [5, 7]
    for axes, state, f in zip(canvas.axes, ("x", "y"), (np.sin, np.cos), strict=True):
        assert axes.get_ylabel() == state
        assert len(axes.lines) == 2
        for member in (5, 7):
            assert find_line(axes, t, f(t + member))
        (shade,) = axes.patches
        assert (shade.get_x(), shade.get_x() + shade.get_width()) == (6.5, 10.0)
    assert canvas.axes[-1].get_xlabel() == "t"


def test_no_shade_where_all_are_reliable_to_the_end(study):
    canvas, _ = study.draw("time_series", "flow")
    assert [len(axes.patches) for axes in canvas.axes] == [0, 0, 0]


def test_an_attractor_is_drawn_in_space_and_on_two_planes(study):
    canvas, data = study.draw("attractor", "pair")
    space, above, below = canvas.axes
    for place, (_, part) in enumerate(data.groupby("member", sort=False)):
        assert [list(values) for values in space.lines[place].get_data_3d()] == [part[s].tolist() for s in ("x", "y", "z")]
        assert find_line(above, part["x"], part["z"])
        assert find_line(below, part["x"], part["y"])
    assert [(a.get_xlabel(), a.get_ylabel()) for a in (space, above, below)] == [("x", "y"), ("x", "z"), ("x", "y")]


def test_a_bifurcation_diagram_is_dark_where_extrema_are(study):
    canvas, data = study.draw("bifurcation", "many")
    (axes,) = canvas.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("rho", "local extrema of z")
    values = np.unique(data["rho"])
    for image, event in zip(axes.images, ("z_min", "z_max"), strict=True):
        left, right, low, high = image.get_extent()
        shown = ~np.ma.getmaskarray(image.get_array())
        part = data[data["event"] == event]
        columns = ((part["rho"] - left) / (right - left) * shown.shape[1]).astype(int)
        rows = ((part["z"] - low) / (high - low) * shown.shape[0]).astype(int).clip(upper=shown.shape[0] - 1)
        assert shown[rows, columns].all()
        assert shown.sum() == len(set(zip(rows, columns, strict=True)))
        assert values[columns].tolist() == part["rho"].tolist()


def test_lyapunov_bands_are_two_standard_errors(study):
    canvas, data = study.draw("lyapunov_spectrum", "many")
    (axes,) = canvas.axes
    for place, name in enumerate(("lyapunov_1", "lyapunov_2", "lyapunov_3")):
        assert find_line(axes, data["rho"], data[name])
        corners = axes.collections[place].get_paths()[0].vertices
        for sign in (-1, 1):
            edge = np.column_stack([data["rho"], data[name] + sign * 2 * data[f"{name}_se"]])
            assert all((corners == point).all(axis=1).any() for point in edge)


def test_quantiles_of_paths_are_drawn_as_bands(study):
    canvas, data = study.draw("paths", "stock")
    wide, narrow = (band.get_paths()[0].vertices for band in canvas.axes[0].collections)
    for corners, levels in ((wide, ("0.05", "0.95")), (narrow, ("0.25", "0.75"))):
        for level in levels:
            edge = data.loc[data["kind"] == f"quantile {level}", ["t", "S"]].to_numpy()
            assert all((corners == point).all(axis=1).any() for point in edge)
    assert len(canvas.axes[0].lines) == 5 + 1


def test_a_section_and_a_return_map_draw_every_point(study):
    for figure in ("section", "return_map"):
        canvas, data = study.draw(figure, "crossed")
        across, up = data.columns[-2:]
        assert find_line(canvas.axes[0], data[across], data[up])
        assert canvas.axes[0].get_xlabel().startswith(across)
