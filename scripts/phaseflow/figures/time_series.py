"""Time series: each state against time, a panel a state."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure as Canvas
from pydantic import Field

from phaseflow.figures import Figure, Source, describe_range, read_trajectories
from phaseflow.settings.base import Count, Settings
from phaseflow.settings.scenarios import Scenario

_MOST_PANELS = 6


class Options(Settings):
    """How many trajectories are drawn."""

    members: Count = Field(12, ge=1, le=1000, description="how many members are drawn, the first of the plan")


def suits(scenario: Scenario) -> bool:
    """Tell whether there are trajectories that single curves can show."""
    return scenario.keeps_trajectories and not scenario.definition.noise


def prepare(source: Source, options: Options) -> pd.DataFrame:
    """Return member, t and the first six states."""
    return read_trajectories(source, options.members).iloc[:, : 2 + _MOST_PANELS]


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: Options) -> None:
    """Draw a panel a state with one axis of time."""
    states = list(data.columns[2:])
    canvas.set_size_inches(6.8, 0.7 + 1.05 * len(states))
    panels = canvas.subplots(len(states), 1, sharex=True, squeeze=False)[:, 0]
    width = 1.0 if data["member"].nunique() <= 3 else 0.6
    for axes, state in zip(panels, states, strict=True):
        for place, (_, part) in enumerate(data.groupby("member", sort=False)):
            axes.plot(part["t"], part[state], linewidth=width, color=f"C{place % 7}")
        axes.set_ylabel(state, rotation=0, labelpad=12)
        axes.margins(x=0)
    panels[-1].set_xlabel("t")
    canvas.align_ylabels()


def write_caption(name: str, scenario: Scenario) -> str:
    """Say what is drawn and what is known of its truth."""
    claim = "How long the curves are the true solution has not been checked." if scenario.certify.method == "none" else ""
    return f"The states of {name} against time. {claim}".strip()


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    ranges = ", ".join(describe_range(data[state]) for state in data.columns[2:])
    return f"Curves over time of {data['member'].nunique()} trajectories, t from {data['t'].min():.3g} to {data['t'].max():.3g}: {ranges}."


FIGURE = Figure("simulate", suits, prepare, draw, write_caption, describe, Options)
