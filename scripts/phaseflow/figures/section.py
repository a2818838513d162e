"""The Poincare section: where trajectories cross it, in the plane of the two states that vary most there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from phaseflow.expressions.tree import TIME
from phaseflow.figures import Figure, Source, describe_range
from phaseflow.settings.base import Count, Name, Settings
from phaseflow.settings.scenarios import Scenario

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_MOST_POINTS = 5_000
_BINS = 400


class Options(Settings):
    """What is drawn."""

    members: Count = Field(12, ge=1, le=1000, description="how many members are drawn, the first of the plan")
    x: Name | None = Field(None, description="the state across (default: of the two that vary most, the first)")
    y: Name | None = Field(None, description="the state upwards (default: of the two that vary most, the second)")


def suits(scenario: Scenario) -> bool:
    """Tell whether a section is measured and is more than a line."""
    equations = scenario.definition.equations
    is_driven = any(TIME in formula.names for formula in equations.values())
    return bool(scenario.measure and scenario.measure.section) and len(equations) + is_driven >= 3


def prepare(source: Source, options: Options) -> pd.DataFrame:
    """Return a row a crossing: member, t and the two states, in the order of the config and of time."""
    members = source.read("members", columns=["member"])["member"].head(options.members)
    events = source.read("events")
    events = events[(events["event"] == "section") & events["member"].isin(members)]
    return events[["member", "t", *_choose_states(source.settings, events, options)]].reset_index(drop=True)


def _choose_states(scenario: Scenario, events: pd.DataFrame, options: Options) -> list[str]:
    """Return the two states to draw: those asked for, filled up by those with the largest ranges."""
    states = list(scenario.definition.equations)
    ranges = {state: float(np.ptp(events[state])) if len(events) else 0.0 for state in states}
    asked = [state for state in (options.x, options.y) if state in states]
    widest = sorted(states, key=lambda state: -ranges[state])
    chosen = list(dict.fromkeys([*asked, *widest]))[:2]
    return chosen if asked else sorted(chosen, key=states.index)


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: Options) -> None:
    """Draw points, or where there are many, how many fall on each spot."""
    canvas.set_size_inches(5.2, 4.4)
    axes = canvas.add_subplot()
    across, up = data.columns[2:4]
    axes.set(xlabel=across, ylabel=up)
    if len(data) > _MOST_POINTS:
        _draw_density(axes, data, across, up)
        return
    for place, (_, part) in enumerate(data.groupby("member", sort=False)):
        axes.plot(part[across], part[up], linestyle="none", marker=".", markersize=2, markeredgewidth=0, color=f"C{place % 7}")


def _draw_density(axes: Axes, data: pd.DataFrame, across: str, up: str) -> None:
    counts, right, top = np.histogram2d(data[across], data[up], bins=_BINS)
    shown = np.ma.masked_equal(np.log1p(counts.T), 0)
    extent = (right[0], right[-1], top[0], top[-1])
    axes.imshow(shown, origin="lower", aspect="auto", extent=extent, cmap="viridis_r", interpolation="nearest")


def write_caption(name: str, scenario: Scenario, _options: Options) -> str:
    """Say what is drawn."""
    section = scenario.measure.section if scenario.measure else None
    way = {"rising": "from below", "falling": "from above", "both": "either way"}[section.direction] if section else ""
    where = f"{section.when.text} passes through zero {way}" if section else "the section is crossed"
    return (
        f"Where the trajectories of {name} cross the section: {where}. A few points are a cycle, a closed "
        "curve a motion with two frequencies, a cloud with structure chaos. Where there are many, darker is more."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    if data.empty:
        return "No trajectory crosses the section."
    ranges = ", ".join(describe_range(data[state]) for state in data.columns[2:4])
    return f"{len(data)} crossings of {data['member'].nunique()} trajectories: {ranges}."


FIGURE = Figure("simulate", suits, prepare, draw, write_caption, describe, Options, is_dense=True)
