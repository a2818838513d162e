"""One contract for every figure: it draws what it says from real tables, and the same bytes each time."""

import pandas as pd
import pytest

from phaseflow.config import load_config
from phaseflow.drawing import draw_figures
from phaseflow.figures import Source
from phaseflow.paths import list_tables
from phaseflow.plan import Plan
from phaseflow.plugins import list_plugins, load_plugin
from phaseflow.settings.block import Block
from tests.contracts.small import CONFIG, make_tables

FIGURES = list_plugins("figures")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    (folder / "config.yaml").write_text(CONFIG)
    plan = Plan(load_config(folder / "config.yaml"))
    make_tables(plan, folder)
    return folder, plan


def find_sources(name, plan, folder):
    figure = load_plugin("figures", name)
    for source, settings in plan.entries[figure.section].items():
        if figure.suits(settings):
            tables = {kind: folder / path for kind, path in list_tables(figure.section, source).items()}
            yield Source(figure.section, source, settings, tables)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_suits_something_and_prepares_what_it_draws(made, name):
    folder, plan = made
    figure = load_plugin("figures", name)
    sources = list(find_sources(name, plan, folder))
    assert sources
    for source in sources:
        data = figure.prepare(source, figure.options())
        assert len(data)
        assert figure.describe(data).endswith(".")
        assert source.name in figure.caption(source.name, source.settings)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_twice_to_the_same_bytes(made, name, tmp_path):
    folder, plan = made
    source = next(iter(find_sources(name, plan, folder)))
    request = {"file": "it", "figure": name, "options": {}}
    settings = {"section": source.section, "source": source.name, "settings": plan.block(source.section, source.name).settings}
    for place in ("one", "two"):
        draw_figures(Block("figures", "x", settings | {"figures": [request], "pdf": True}), source.tables, tmp_path / place)
    for file in ("it.svg", "it.png", "it.pdf", "it.parquet", "figures.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert (tmp_path / "one/it.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "one/it.pdf").read_bytes()[:5] == b"%PDF-"
    assert not pd.read_parquet(tmp_path / "one/it.parquet").empty


def test_time_series_draw_every_sample_of_every_member(made):
    folder, plan = made
    figure = load_plugin("figures", "time_series")
    source = next(s for s in find_sources("time_series", plan, folder) if s.name == "pair")
    data = figure.prepare(source, figure.options())
    assert len(data) == 3 * 11
    assert data["t"].tolist()[:11] == pytest.approx([0.2 * k for k in range(11)])
    assert data["member"].drop_duplicates().tolist() == plan.members("simulate", "pair").ids.tolist()


def test_convergence_never_rises_and_ends_at_zero_for_the_best(made):
    folder, plan = made
    figure = load_plugin("figures", "convergence")
    data = figure.prepare(next(iter(find_sources("convergence", plan, folder))), figure.options())
    assert (data.groupby("trial")["gap"].diff().dropna() <= 0).all()
    assert data["gap"].min() == 0


def test_paths_begin_at_the_given_start(made):
    folder, plan = made
    figure = load_plugin("figures", "optimizer_path")
    data = figure.prepare(next(iter(find_sources("optimizer_path", plan, folder))), figure.options())
    first = data.groupby("algorithm", sort=False).first()
    assert first[["a", "b"]].to_numpy().tolist() == [[-1.0, 1.0]] * len(first)


def test_gaps_over_problems_fall_from_one_and_end_where_the_table_of_trials_does(made):
    folder, plan = made
    figure = load_plugin("figures", "gap_over_problems")
    source = next(iter(find_sources("gap_over_problems", plan, folder)))
    data = figure.prepare(source, figure.options())
    assert (data[["low", "median", "high"]] <= 1).all(axis=None)
    assert (data["low"] <= data["median"]).all()
    assert (data.groupby("algorithm")["median"].diff().dropna() <= 0).all()
    trials = source.read("trials")
    last = trials[trials["budget"] == trials["budget"].max()].groupby("algorithm")["gap_relative"].median().clip(lower=1e-16)
    ends = data.groupby("algorithm")["median"].last()
    assert ends.to_dict() == pytest.approx(last.to_dict(), rel=1e-12)


def test_learning_curves_are_those_of_the_trial_that_ended_lowest(made):
    folder, plan = made
    figure = load_plugin("figures", "learning_curves")
    source = next(iter(find_sources("learning_curves", plan, folder)))
    data = figure.prepare(source, figure.options())
    trials = source.read("trials")
    # A learning rate of 1e4 fails for plain descent, so no curve of it is drawn.
    kept = trials[trials["status"] != "failed"]
    assert data.groupby("algorithm")["training_loss"].last().to_dict() == pytest.approx(
        kept.loc[kept.groupby("algorithm")["value"].idxmin()].set_index("algorithm")["training_loss"].to_dict(), rel=1e-12
    )
    assert len(kept) < len(trials)
