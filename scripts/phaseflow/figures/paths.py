"""Paths: sample paths of a stochastic system, with the quantiles of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from phaseflow.figures import Figure, Source, read_trajectories
from phaseflow.settings.base import Count, Settings
from phaseflow.settings.scenarios import Scenario

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Options(Settings):
    """How many paths are drawn one by one."""

    paths: Count = Field(15, ge=0, le=1000, description="how many paths are drawn one by one, the first of the plan")


def suits(scenario: Scenario) -> bool:
    """Tell whether the system has noise."""
    return scenario.keeps_trajectories and bool(scenario.definition.noise)


def prepare(source: Source, options: Options) -> pd.DataFrame:
    """Return kind (a quantile or a path), t and the first state."""
    import pandas as pd

    frame = read_trajectories(source, 100_000)
    state = frame.columns[2]
    quantiles = frame.groupby("t")[state].quantile(list(_QUANTILES)).rename_axis(["t", "kind"]).reset_index()
    quantiles["kind"] = quantiles["kind"].map(lambda level: f"quantile {level:g}")
    chosen = frame["member"].drop_duplicates().head(options.paths)
    paths = frame[frame["member"].isin(chosen)][["t", "member", state]].rename(columns={"member": "kind"})
    paths["kind"] = "path " + paths["kind"].astype(str)
    return pd.concat([quantiles[["kind", "t", state]], paths[["kind", "t", state]]], ignore_index=True)


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: Options) -> None:
    """Draw the paths over the bands that hold half and nine tenths of all."""
    canvas.set_size_inches(6.3, 3.4)
    axes = canvas.add_subplot()
    state = data.columns[2]
    levels = {level: data[data["kind"] == f"quantile {level:g}"] for level in _QUANTILES}
    for low, high, alpha, label in ((0.05, 0.95, 0.14, "90 % of paths"), (0.25, 0.75, 0.22, "50 % of paths")):
        axes.fill_between(levels[low]["t"], levels[low][state], levels[high][state], color="C0", alpha=alpha, linewidth=0, label=label)
    for place, (_, part) in enumerate(data[data["kind"].str.startswith("path")].groupby("kind", sort=False)):
        axes.plot(part["t"], part[state], linewidth=0.6, color="#555555", alpha=0.7, label="single paths" if place == 0 else None)
    axes.plot(levels[0.5]["t"], levels[0.5][state], color="C0", linewidth=1.6, label="median")
    axes.margins(x=0)
    axes.set(xlabel="t", ylabel=state)
    axes.legend(loc="upper left")


def write_caption(name: str, scenario: Scenario, _options: Options) -> str:
    """Say what is drawn."""
    members = scenario.ensemble.members if scenario.ensemble else 1
    return f"Paths of {name}: the median, and the bands that hold half and nine tenths of its {members} members at each time."


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    state = data.columns[2]
    last = data[data["t"] == data["t"].max()].groupby("kind")[state].first()
    low, middle, high = (last[f"quantile {level:g}"] for level in (0.05, 0.5, 0.95))
    spread = f"nine tenths of the paths lie between {low:.4g} and {high:.4g}"
    return f"At t = {data['t'].max():.3g} the median of {state} is {middle:.4g}, and {spread}."


FIGURE = Figure("simulate", suits, prepare, draw, write_caption, describe, Options)
