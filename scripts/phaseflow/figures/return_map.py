"""The return map: each crossing of a section, or each maximum, against the one before it.

Source: Lorenz (1963), J. Atmos. Sci. 20, 130-141, fig. 4, for successive maxima.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from phaseflow.figures import Figure, Source
from phaseflow.figures.bifurcation import find_swept
from phaseflow.settings.base import Count, Name, Settings
from phaseflow.settings.scenarios import Scenario

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_MOST_POINTS = 20_000


class Options(Settings):
    """What is drawn."""

    event: str | None = Field(None, description="section, or <state>_max, or <state>_min (default: the first that is measured)")
    state: Name | None = Field(None, description="the state (default: that of the extrema, or the one that varies most on the section)")
    members: Count = Field(12, ge=1, le=1000, description="how many members are drawn, the first of the plan")


def suits(scenario: Scenario) -> bool:
    """Tell whether crossings or extrema are located, without a sweep."""
    measure = scenario.measure
    return measure is not None and bool(measure.section or measure.extrema) and not find_swept(scenario)


def prepare(source: Source, options: Options) -> pd.DataFrame:
    """Return a row a pair of successive events: member, the state at one and at the next."""
    event = options.event or _find_event(source.settings)
    members = source.read("members", columns=["member"])["member"].head(options.members)
    events = source.read("events")
    events = events[(events["event"] == event) & events["member"].isin(members)]
    state = options.state or _find_state(source.settings, event, events)
    following = events.groupby("member", sort=False)[state].shift(-1)
    pairs = events[["member", state]].assign(**{f"{state}_next": following})
    return pairs[following.notna()].reset_index(drop=True)


def _find_event(scenario: Scenario) -> str:
    """Return the first event that is measured: the section, else the maxima of the first state."""
    measure = scenario.measure
    return f"{measure.extrema[0]}_max" if measure and measure.extrema and not measure.section else "section"


def _find_state(scenario: Scenario, event: str, events: pd.DataFrame) -> str:
    states = list(scenario.definition.equations)
    own = event.removesuffix("_max").removesuffix("_min")
    if own in states:
        return own
    return max(states, key=lambda state: float(np.ptp(events[state])) if len(events) else 0.0)


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: Options) -> None:
    """Draw the pairs and the line on which nothing changes."""
    canvas.set_size_inches(4.6, 4.3)
    axes = canvas.add_subplot()
    this, following = data.columns[1:3]
    axes.set(xlabel=f"{this}, this time", ylabel=f"{this}, next time")
    if data.empty:
        return
    low, high = data[[this, following]].min().min(), data[[this, following]].max().max()
    axes.plot([low, high], [low, high], color="#888888", linewidth=0.7, zorder=0)
    shown = data.tail(_MOST_POINTS)
    for place, (_, part) in enumerate(shown.groupby("member", sort=False)):
        axes.plot(part[this], part[following], linestyle="none", marker=".", markersize=2.5, markeredgewidth=0, color=f"C{place % 7}")


def write_caption(name: str, scenario: Scenario, options: Options) -> str:
    """Say what is drawn."""
    state, _, extremum = (options.event or _find_event(scenario)).rpartition("_")
    what = {"max": f"maxima of {state}", "min": f"minima of {state}"}.get(extremum, "crossings of the section")
    return (
        f"Successive {what} of {name}: each against the one before it. Points on the line come back to the same place; a thin "
        "curve means that one number decides what comes next."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    if data.empty:
        return "There are no two successive events."
    this = data[data.columns[1]]
    return f"{len(data)} pairs of successive values of {this.name} between {this.min():.3g} and {this.max():.3g}."


FIGURE = Figure("simulate", suits, prepare, draw, write_caption, describe, Options, is_dense=True)
