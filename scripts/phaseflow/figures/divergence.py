"""Divergence: how far each neighbour has parted from the first, on a logarithmic axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from phaseflow.figures import Figure, Source, read_trajectories
from phaseflow.settings.base import Count, Settings
from phaseflow.settings.scenarios import Scenario

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas


class Options(Settings):
    """How many members are compared."""

    members: Count = Field(200, ge=2, le=10_000, description="how many members are compared with the first, the first of the plan")


def suits(scenario: Scenario) -> bool:
    """Tell whether there are neighbours: an ensemble of perturbed starts without a sweep."""
    return scenario.keeps_trajectories and bool(scenario.ensemble and scenario.ensemble.perturb) and not scenario.sweep


def prepare(source: Source, options: Options) -> pd.DataFrame:
    """Return t and, over the members, the median, the least and the greatest distance from the first member."""
    frame = read_trajectories(source, options.members)
    states = list(frame.columns[2:])
    first = frame[frame["member"] == frame["member"].iloc[0]].set_index("t")[states]
    others = frame[frame["member"] != frame["member"].iloc[0]]
    distance = np.sqrt(((others[states].to_numpy() - first.loc[others["t"], states].to_numpy()) ** 2).sum(axis=1))
    grouped = others[["t"]].assign(distance=distance).groupby("t")["distance"]
    return grouped.agg(median="median", least="min", greatest="max").reset_index()


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: Options) -> None:
    """Draw the median with the range of the members as a band."""
    canvas.set_size_inches(6.3, 3.2)
    axes = canvas.add_subplot()
    axes.fill_between(data["t"], data["least"], data["greatest"], color="C0", alpha=0.18, linewidth=0, label="all members")
    axes.plot(data["t"], data["median"], color="C0", label="median")
    axes.set_yscale("log")
    axes.margins(x=0)
    axes.set(xlabel="t", ylabel="distance from the first member")
    axes.legend(loc="lower right")


def write_caption(name: str, _scenario: Scenario, _options: Options) -> str:
    """Say what is drawn."""
    return f"How far the members of {name} are from the first: a straight line is exponential growth, its end the size of the attractor."


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    begin, end = data["median"].iloc[0], data["median"].iloc[-1]
    return f"The median distance goes from {begin:.2g} at t = {data['t'].iloc[0]:.3g} to {end:.2g} at t = {data['t'].iloc[-1]:.3g}."


FIGURE = Figure("simulate", suits, prepare, draw, write_caption, describe, Options)
