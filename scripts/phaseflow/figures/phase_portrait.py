"""Phase portrait: trajectories in the plane, the flow around them, nullclines and fixed points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.tree import TIME
from phaseflow.figures import Figure, Source, read_trajectories
from phaseflow.settings.base import Count, Settings
from phaseflow.settings.scenarios import Scenario

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

# The field is drawn on so many points either way, a tenth of the trajectories' range beyond them.
_GRID = 81
_MARGIN = 0.1
# Members find the same fixed point to so many decimals.
_SAME_DIGITS = 9


class Options(Settings):
    """How many trajectories are drawn."""

    members: Count = Field(12, ge=1, le=1000, description="how many members are drawn, the first of the plan")


def suits(scenario: Scenario) -> bool:
    """Tell whether one autonomous flow in the plane has trajectories."""
    system = scenario.definition
    is_autonomous = not any(TIME in formula.names for formula in system.equations.values())
    return scenario.keeps_trajectories and len(system.equations) == 2 and not system.noise and is_autonomous and not scenario.sweep


def prepare(source: Source, options: Options) -> pd.DataFrame:
    """Return rows of what (trajectory, field, or a fixed point by its stability): member, the two states, and the flow there."""
    import pandas as pd

    system = source.settings.definition
    states = list(system.equations)
    curves = read_trajectories(source, options.members)[["member", *states]].assign(what="trajectory")
    # Careful: rows without a member would make doubles of the others' numbers, which have more digits than those.
    curves["member"] = curves["member"].astype("Int64")
    low, high = curves[states].min(), curves[states].max()
    margin = _MARGIN * (high - low).where(high > low, 1.0)
    axes = [np.linspace(low[state] - margin[state], high[state] + margin[state], _GRID) for state in states]
    values = dict(zip(states, (grid.ravel() for grid in np.meshgrid(*axes)), strict=True))
    known = {name: quantity.value for name, quantity in system.parameters.items()}
    with np.errstate(all="ignore"):
        slopes = [np.broadcast_to(evaluate(formula.tree, known | values), _GRID**2) for formula in system.equations.values()]
    field = pd.DataFrame({**values, "across": slopes[0], "up": slopes[1], "what": "field"})
    orbits = source.read("orbits")
    points = orbits[orbits["kind"] == "fixed_point"].rename(columns={"stability": "what"})
    points = points.loc[~points[states].round(_SAME_DIGITS).duplicated(), [*states, "what"]]
    return pd.concat([curves, field, points], ignore_index=True)[["what", "member", *states, "across", "up"]]


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: Options) -> None:
    """Draw the flow in grey, nullclines dashed, trajectories in colour, fixed points filled where they attract."""
    canvas.set_size_inches(5.4, 4.2)
    axes = canvas.add_subplot()
    names = list(data.columns[2:4])
    field = data[data["what"] == "field"]
    x, y, u, v = (field[name].to_numpy().reshape(_GRID, _GRID) for name in (*names, "across", "up"))
    if np.isfinite(u).all() and np.isfinite(v).all():
        axes.streamplot(x[0], y[:, 0], u, v, color="#c4c4c4", linewidth=0.5, arrowsize=0.6, density=1.2)
    for slope, name, colour in ((u, names[0], "C1"), (v, names[1], "C2")):
        if np.nanmin(slope) < 0 < np.nanmax(slope):
            axes.contour(x, y, slope, levels=[0], colors=colour, linewidths=0.9, linestyles="dashed")
            axes.plot([], [], color=colour, linewidth=0.9, linestyle="dashed", label=f"d{name}/dt = 0")
    for _, part in data[data["what"] == "trajectory"].groupby("member", sort=False):
        axes.plot(part[names[0]], part[names[1]], color="C0", linewidth=1.0)
        axes.plot(part[names[0]].iloc[0], part[names[1]].iloc[0], marker="o", markersize=3, color="C0")
    for stability, part in data[~data["what"].isin(["field", "trajectory"])].groupby("what"):
        fill = "black" if stability == "stable" else "white"
        label = f"fixed point, {stability}"
        axes.plot(part[names[0]], part[names[1]], "o", markersize=5, color="black", markerfacecolor=fill, label=label, zorder=3)
    axes.set(xlabel=names[0], ylabel=names[1], xlim=(x.min(), x.max()), ylim=(y.min(), y.max()))
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def write_caption(name: str, scenario: Scenario, _options: Options) -> str:
    """Say what is drawn."""
    across, up = scenario.definition.equations
    points = "" if scenario.measure and scenario.measure.fixed_points else " Fixed points lie where the two cross; they were not asked for."
    return (
        f"The plane of {across} and {up} of {name}: trajectories, each from its dot, the flow in grey, and dashed the nullclines, on "
        f"which one of the two stands still.{points}"
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    curves = data[data["what"] == "trajectory"]
    others = data[~data["what"].isin(["field", "trajectory"])]
    ranges = ", ".join(f"{name} between {curves[name].min():.3g} and {curves[name].max():.3g}" for name in data.columns[2:4])
    return f"{curves['member'].nunique()} trajectories in the plane over the flow, {ranges}; {len(others)} fixed points are marked."


FIGURE = Figure("simulate", suits, prepare, draw, write_caption, describe, Options, is_lead=True)
