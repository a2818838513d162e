"""One contract for every figure: it draws what it says from real tables, and the same bytes each time."""

import pandas as pd
import pytest

from phaseflow.drawing import draw_figures
from phaseflow.plugins import list_plugins, load_plugin
from phaseflow.settings.block import Block

FIGURES = list_plugins("figures")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_suits_something_and_prepares_what_it_draws(study, name):
    figure = load_plugin("figures", name)
    sources = list(study.find_sources(name))
    assert sources
    for source in sources:
        data = figure.prepare(source, figure.options())
        assert len(data)
        assert figure.describe(data).endswith(".")
        assert source.name in figure.caption(source.name, source.settings, figure.options())


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        ("bifurcation", {"y": "z"}, "of z along each trajectory"),
        ("return_map", {"event": "z_min"}, "Successive minima of z of"),
        ("return_map", {"event": "section"}, "Successive crossings of the section of"),
        ("parameter_map", {"measure": "x_mean"}, "x_mean of"),
    ],
)
def test_a_caption_says_what_was_asked_for(study, name, option, words):
    figure, source = load_plugin("figures", name), next(study.find_sources(name))
    assert words in figure.caption(source.name, source.settings, figure.options.model_validate(option))


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_twice_to_the_same_bytes(study, name, tmp_path):
    source = next(study.find_sources(name))
    request = {"file": "it", "figure": name, "options": {}}
    settings = {"section": source.section, "source": source.name, "settings": study.plan.block(source.section, source.name).settings}
    for place in ("one", "two"):
        draw_figures(Block("figures", "x", settings | {"figures": [request], "pdf": True}), source.tables, tmp_path / place)
    for file in ("it.svg", "it.png", "it.pdf", "it.parquet", "figures.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert (tmp_path / "one/it.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "one/it.pdf").read_bytes()[:5] == b"%PDF-"
    assert not pd.read_parquet(tmp_path / "one/it.parquet").empty
