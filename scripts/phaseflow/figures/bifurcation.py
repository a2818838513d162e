"""Bifurcation diagram: the local extrema of a state against a swept parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from phaseflow.figures import Figure, Source
from phaseflow.settings.base import Name, Settings
from phaseflow.settings.scenarios import Scenario
from phaseflow.views import make_readings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_ROWS = 600
_MOST_COLUMNS = 1200


class Options(Settings):
    """What is drawn against what."""

    x: str | None = Field(None, description="the swept quantity (default: the first)")
    y: Name | None = Field(None, description="the state (default: the first whose extrema are measured)")


def find_swept(scenario: Scenario) -> list[str]:
    """Return the names of what is swept."""
    return list(dict.fromkeys(axis.name for axes in scenario.expand_blocks() for axis in axes if axis.name != "replicate"))


def find_directions(scenario: Scenario, swept: str, members: pd.DataFrame) -> NDArray[np.str_]:
    """Return for each member of the table whether the scan passed it upwards or downwards; "" where members start afresh."""
    values, previous = members[swept].to_numpy(), scenario.lay_out().previous
    rise = np.where(previous >= 0, np.sign(values - values[previous]), 0)
    # The first of a chain goes where the second went.
    following = np.flatnonzero(previous >= 0)
    is_second = previous[previous[following]] < 0
    rise[previous[following[is_second]]] = rise[following[is_second]]
    directions: NDArray[np.str_] = np.array(["", "upwards", "downwards"])[rise.astype(int)]
    return directions


def suits(scenario: Scenario) -> bool:
    """Tell whether extrema are measured over a sweep of one quantity."""
    return bool(scenario.measure and scenario.measure.extrema) and len(find_swept(scenario)) == 1


def prepare(source: Source, options: Options) -> pd.DataFrame:
    """Return a row an extremum: the swept value, the state's, whether it is a maximum or a minimum, and which way the scan went."""
    swept = options.x or find_swept(source.settings)[0]
    state = options.y or source.settings.measure.extrema[0]
    events = source.read("events")
    events = events[events["event"].isin([f"{state}_max", f"{state}_min"])]
    members = source.read("members", columns=["member", swept])
    members["direction"] = find_directions(source.settings, swept, members)
    joined = events.merge(members, on="member")
    return joined[[swept, state, "event", "direction"]].sort_values(["direction", swept, "event"], kind="stable", ignore_index=True)


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: Options) -> None:
    """Draw how many extrema fall on each spot, the more the darker, in a panel for each direction of a scan."""
    directions = data["direction"].unique()[::-1] if len(data) else [""]
    canvas.set_size_inches(6.8, 3.9 if len(directions) < 2 else 6.2)
    panels = canvas.subplots(len(directions), sharex=True, sharey=True, squeeze=False)[:, 0]
    swept, state = data.columns[0], data.columns[1]
    panels[-1].set(xlabel=swept)
    for axes, direction in zip(panels, directions, strict=True):
        axes.set(ylabel=f"local extrema of {state}", title=f"scanned {direction}" if direction else "")
        if len(data):
            _draw_counts(axes, data, data[data["direction"] == direction])


def _draw_counts(axes: Axes, data: pd.DataFrame, panel: pd.DataFrame) -> None:
    """Draw the extrema of one panel on the scale of all: points are binned, not scattered."""
    swept, state = data.columns[0], data.columns[1]
    values = np.unique(data[swept])
    n_columns = min(len(values), _MOST_COLUMNS)
    half = (values[-1] - values[0]) / max(1, len(values) - 1) / 2 or 0.5
    span = [values[0] - half, values[-1] + half]
    for event, colours in ((f"{state}_min", "Oranges"), (f"{state}_max", "Blues")):
        part = panel[panel["event"] == event]
        low, high = data[state].min(), data[state].max()
        counts, _, _ = np.histogram2d(part[state], part[swept], bins=[_ROWS, n_columns], range=[[low, high], span])
        share = counts / np.maximum(counts.max(axis=0), 1)
        shown = np.ma.masked_equal(0.35 + 0.65 * np.sqrt(share), 0.35)
        axes.imshow(shown, origin="lower", aspect="auto", extent=(*span, low, high), cmap=colours, vmin=0, vmax=1, interpolation="nearest")
    axes.set_xlim(*span)


def write_caption(name: str, scenario: Scenario, options: Options) -> str:
    """Say what is drawn."""
    swept = options.x or find_swept(scenario)[0]
    start = (
        f", each value from where the one before ended: where the directions differ, {name} has hysteresis" if scenario.continuation else ""
    )
    what = f" of {options.y}" if options.y else ""
    return (
        f"Local maxima (blue) and minima (orange){what} along each trajectory of {name} against {swept}, after a transient of "
        f"{scenario.time.transient.text}{start}. One line is a cycle with one such extremum, a smear chaos; where there is none, the "
        "state has come to rest or moves one way."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    swept, state = data.columns[0], data.columns[1]
    if data.empty:
        return f"No trajectory has an extremum of {state}."
    span = f"from {data[swept].min():.4g} to {data[swept].max():.4g}"
    ways = " and ".join(direction for direction in data["direction"].unique()[::-1] if direction)
    return f"{len(data)} extrema of {state} at {data[swept].nunique()} values of {swept} {span}{ways and f', scanned {ways}'}."


def view(canvas: Canvas, data: pd.DataFrame) -> dict[str, Any] | None:
    """Return for each swept value how many extrema there are and where they lie, to be read off."""
    swept, state = data.columns[0], data.columns[1]
    values = np.unique(data[swept])
    lines: dict[str, pd.Series[float]] = {}
    for direction in data["direction"].unique()[::-1]:
        found = data[data["direction"] == direction].groupby(swept)[state].agg(["count", "min", "max"]).reindex(values)
        named = {"count": "extrema", "min": f"least {state}", "max": f"greatest {state}"}
        lines |= {f"{text} {direction}".strip(): found[name] for name, text in named.items()}
    return make_readings(canvas.axes, swept, values, lines)


FIGURE = Figure("simulate", suits, prepare, draw, write_caption, describe, Options, is_dense=True, view=view, is_lead=True)
