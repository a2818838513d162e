"""The attractor: trajectories in the space of the first three states, and their projections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from phaseflow.figures import Figure, Source, describe_range, phase_portrait, read_trajectories
from phaseflow.figures._thinning import MOST_ROWS, count_spots, find_starts, lay_out_spots
from phaseflow.settings.base import Count, Settings
from phaseflow.settings.scenarios import Scenario
from phaseflow.views import make_orbit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

# Where rows are very many, so many of them in all are drawn as curves in space.
_MOST_IN_SPACE = 16_000


class Options(Settings):
    """How many trajectories are drawn."""

    members: Count = Field(12, ge=1, le=1000, description="how many members are drawn, the first of the plan")


def suits(scenario: Scenario) -> bool:
    """Tell whether there is a plane to draw in, something to draw, and no phase portrait that shows it with its flow."""
    is_plane = len(scenario.definition.equations) >= 2 and not scenario.definition.noise
    return scenario.keeps_trajectories and is_plane and not phase_portrait.suits(scenario)


def prepare(source: Source, options: Options) -> pd.DataFrame:
    """Return member, t and the first three states; of very many rows the first of each member, and how many fall on each spot.

    The rows of spots have a `count`, and the two states of their plane alone.
    """
    frame = read_trajectories(source, options.members, 3)
    return frame if len(frame) <= MOST_ROWS else _reduce(frame)


def _reduce(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the first rows of each member's curve, and the spots of all rows on each plane."""
    import pandas as pd

    states, starts = list(frame.columns[2:]), find_starts(frame["member"].to_numpy())
    # In a plane alone there is no curve to draw, but the start of each.
    n_first = max(1, _MOST_IN_SPACE // len(starts)) if len(states) == 3 else 1
    first = frame.groupby("member", sort=False).head(n_first)
    spots = []
    for across, up in _list_planes(states):
        x, y, count = count_spots(frame[across].to_numpy(), frame[up].to_numpy())
        spots.append(pd.DataFrame({across: x, up: y, "count": count}))
    whole = {"member": "Int64", "count": "Int64"}  # careful: as doubles members would lose digits
    return pd.concat([first.astype({"member": "Int64"}), *spots], ignore_index=True)[[*frame.columns, "count"]].astype(whole)


def _list_planes(states: list[str]) -> list[tuple[str, str]]:
    return [(states[0], states[2]), (states[0], states[1])] if len(states) == 3 else [(states[0], states[1])]


def _divide(data: pd.DataFrame) -> tuple[list[str], pd.DataFrame, pd.DataFrame | None]:
    """Return the names of the states, the rows of curves and those of spots, if points are counted."""
    states = [name for name in data.columns[2:] if name != "count"]
    if "count" not in data:
        return states, data, None
    return states, data[data["count"].isna()], data[data["count"].notna()]


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: Options) -> None:
    """Draw in space and on two planes, or on the one plane there is."""
    states, curves, spots = _divide(data)
    if len(states) == 2:
        canvas.set_size_inches(4.2, 3.6)
        _draw_plane(canvas.add_subplot(), curves, spots, states[0], states[1])
        return
    canvas.set_size_inches(6.8, 4.0)
    grid = canvas.add_gridspec(2, 2, width_ratios=[1.75, 1])
    space: Any = canvas.add_subplot(grid[:, 0], projection="3d", computed_zorder=False)
    for place, (_, part) in enumerate(curves.groupby("member", sort=False)):
        space.plot(*(part[state] for state in states), linewidth=_choose_width(curves), color=f"C{place % 7}")
    space.set(xlabel=states[0], ylabel=states[1], zlabel=states[2])
    if spots is not None:
        space.set_title(f"until t = {curves['t'].max():.6g}; on the right all samples")
    space.locator_params(nbins=5)
    space.view_init(elev=22, azim=-58)
    space.set_box_aspect(None, zoom=0.92)
    for axis in (space.xaxis, space.yaxis, space.zaxis):
        axis.pane.set_visible(False)
        axis._axinfo["grid"].update(color="#e2e2e2", linewidth=0.5)
    for row, (across, up) in enumerate(_list_planes(states)):
        _draw_plane(canvas.add_subplot(grid[row, 1]), curves, spots, across, up)


def _choose_width(curves: pd.DataFrame) -> float:
    return 0.6 if curves["member"].nunique() <= 3 else 0.4


def _draw_plane(axes: Any, curves: pd.DataFrame, spots: pd.DataFrame | None, across: str, up: str) -> None:
    """Draw curves, or how many points fall on each spot, the more the darker; a dot marks each start."""
    if spots is not None:
        part = spots.dropna(subset=[across, up])
        image, extent = lay_out_spots(part[across].to_numpy(), part[up].to_numpy(), part["count"].to_numpy(dtype=float))
        shown = np.ma.masked_equal(np.log1p(image), 0)
        axes.imshow(shown, origin="lower", aspect="auto", extent=extent, cmap="Blues", vmin=-shown.max() / 2, interpolation="nearest")
    for place, (_, part) in enumerate(curves.groupby("member", sort=False)):
        if spots is None:
            axes.plot(part[across], part[up], linewidth=_choose_width(curves), color=f"C{place % 7}")
        axes.plot(part[across].iloc[0], part[up].iloc[0], marker="o", markersize=3, color=f"C{place % 7}")
    axes.set(xlabel=across, ylabel=up)


def write_caption(name: str, scenario: Scenario, _options: Options) -> str:
    """Say what is drawn."""
    states = list(scenario.definition.equations)[:3]
    time = scenario.time
    span = f"t = {time.start.text} to {time.stop.text}"
    return f"Trajectories of {name} in the space of {', '.join(states)}, {span}; on the planes a dot marks each start."


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    states, curves, spots = _divide(data)
    ranges = ", ".join(describe_range(data[state]) for state in states)
    counted = "" if spots is None else " On the planes, how many of all samples fall on each spot; in space, how they begin."
    return f"Curves of {curves['member'].nunique()} trajectories in state space: {ranges}.{counted}"


def view(_canvas: Canvas, data: pd.DataFrame) -> dict[str, Any] | None:
    """Return the curves in space, to be turned."""
    states, rows, _ = _divide(data)
    curves = [part[states].to_numpy() for _, part in rows.groupby("member", sort=False)]
    return make_orbit(states, curves) if len(states) == 3 else None


FIGURE = Figure("simulate", suits, prepare, draw, write_caption, describe, Options, view=view, is_lead=True)
