"""The attractor: trajectories in the space of the first three states, and their projections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from phaseflow.figures import Figure, Source, describe_range, phase_portrait, read_trajectories
from phaseflow.settings.base import Count, Settings
from phaseflow.settings.scenarios import Scenario
from phaseflow.views import make_orbit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas


class Options(Settings):
    """How many trajectories are drawn."""

    members: Count = Field(12, ge=1, le=1000, description="how many members are drawn, the first of the plan")


def suits(scenario: Scenario) -> bool:
    """Tell whether there is a plane to draw in, something to draw, and no phase portrait that shows it with its flow."""
    is_plane = len(scenario.definition.equations) >= 2 and not scenario.definition.noise
    return scenario.keeps_trajectories and is_plane and not phase_portrait.suits(scenario)


def prepare(source: Source, options: Options) -> pd.DataFrame:
    """Return member, t and the first three states."""
    frame = read_trajectories(source, options.members)
    return frame.iloc[:, :5]


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: Options) -> None:
    """Draw in space and on two planes, or on the one plane there is."""
    states = list(data.columns[2:])
    width = 0.6 if data["member"].nunique() <= 3 else 0.4
    if len(states) == 2:
        canvas.set_size_inches(4.2, 3.6)
        _draw_plane(canvas.add_subplot(), data, states[0], states[1], width)
        return
    canvas.set_size_inches(6.8, 4.0)
    grid = canvas.add_gridspec(2, 2, width_ratios=[1.75, 1])
    space: Any = canvas.add_subplot(grid[:, 0], projection="3d", computed_zorder=False)
    for place, (_, part) in enumerate(data.groupby("member", sort=False)):
        space.plot(*(part[state] for state in states), linewidth=width, color=f"C{place % 7}")
    space.set(xlabel=states[0], ylabel=states[1], zlabel=states[2])
    space.locator_params(nbins=5)
    space.view_init(elev=22, azim=-58)
    space.set_box_aspect(None, zoom=0.92)
    for axis in (space.xaxis, space.yaxis, space.zaxis):
        axis.pane.set_visible(False)
        axis._axinfo["grid"].update(color="#e2e2e2", linewidth=0.5)
    _draw_plane(canvas.add_subplot(grid[0, 1]), data, states[0], states[2], width)
    _draw_plane(canvas.add_subplot(grid[1, 1]), data, states[0], states[1], width)


def _draw_plane(axes: Any, data: pd.DataFrame, across: str, up: str, width: float) -> None:
    for place, (_, part) in enumerate(data.groupby("member", sort=False)):
        axes.plot(part[across], part[up], linewidth=width, color=f"C{place % 7}")
        axes.plot(part[across].iloc[0], part[up].iloc[0], marker="o", markersize=3, color=f"C{place % 7}")
    axes.set(xlabel=across, ylabel=up)


def write_caption(name: str, scenario: Scenario) -> str:
    """Say what is drawn."""
    states = list(scenario.definition.equations)[:3]
    time = scenario.time
    span = f"t = {time.start.text} to {time.stop.text}"
    return f"Trajectories of {name} in the space of {', '.join(states)}, {span}; on the planes a dot marks each start."


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    ranges = ", ".join(describe_range(data[state]) for state in data.columns[2:])
    return f"Curves of {data['member'].nunique()} trajectories in state space: {ranges}."


def view(_canvas: Canvas, data: pd.DataFrame) -> dict[str, Any] | None:
    """Return the curves in space, to be turned."""
    states = list(data.columns[2:])
    curves = [part[states].to_numpy() for _, part in data.groupby("member", sort=False)]
    return make_orbit(states, curves) if len(states) == 3 else None


FIGURE = Figure("simulate", suits, prepare, draw, write_caption, describe, Options, view=view, is_lead=True)
