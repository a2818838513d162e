"""Lyapunov exponents against a swept parameter, with two standard errors on either side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.figures.bifurcation import find_directions, find_swept
from phaseflow.settings.scenarios import Scenario
from phaseflow.views import make_readings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_ORIGIN = "lyapunov_from"


def suits(scenario: Scenario) -> bool:
    """Tell whether exponents are measured over a sweep of one quantity."""
    return bool(scenario.measure and scenario.measure.lyapunov) and len(find_swept(scenario)) == 1


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return the swept value, each exponent with its standard error, where they are from, and which way the scan went."""
    members = source.read("members")
    exponents = [name for name in members if name.startswith("lyapunov_") and name != _ORIGIN]
    swept = find_swept(source.settings)[0]
    members["direction"] = find_directions(source.settings, swept, members)
    columns = [swept, *exponents, _ORIGIN, "direction"]
    return members[columns].sort_values(["direction", swept], kind="stable", ignore_index=True)


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: NoOptions) -> None:
    """Draw a line an exponent with its band, and the line of zero."""
    canvas.set_size_inches(6.8, 3.2)
    axes = canvas.add_subplot()
    axes.axhline(0, color="#888888", linewidth=0.7)
    swept = data.columns[0]
    for direction in data["direction"].unique()[::-1]:
        part = data[data["direction"] == direction]
        for place, name in enumerate(name for name in data.columns[1:-2] if not name.endswith("_se")):
            error = 2 * part[f"{name}_se"]
            color, dash = f"C{place % 7}", "--" if direction == "downwards" else "-"
            axes.fill_between(part[swept], part[name] - error, part[name] + error, color=color, alpha=0.25, linewidth=0)
            axes.plot(part[swept], part[name], dash, color=color, linewidth=0.8, label=f"λ{place + 1} {direction}".strip())
    axes.margins(x=0)
    axes.set(xlabel=swept, ylabel="Lyapunov exponent")
    axes.legend(loc="best")


def write_caption(name: str, scenario: Scenario, _options: NoOptions) -> str:
    """Say what is drawn."""
    swept = find_swept(scenario)[0]
    return (
        f"Lyapunov exponents of {name} against {swept}, with two standard errors on either side: above zero neighbours part "
        "exponentially, below zero they meet. Members that have settled on a stable fixed point or cycle have the exponents of that, one "
        "of them zero on a cycle; of the others they are averages, and where the band covers zero, the run is too short to tell."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    first, error = data["lyapunov_1"], data["lyapunov_1_se"]
    above, below = int((first > 2 * error).sum()), int((first < -2 * error).sum())
    counts = data[_ORIGIN].value_counts()
    cycles = f", exactly zero on a stable cycle at {counts['cycle']}" if "cycle" in counts else ""
    return (
        f"The largest exponent is above zero by more than two standard errors at {above} of {len(data)} values, below at {below}{cycles}; "
        f"its range is {first.min():.3g} to {first.max():.3g}."
    )


def view(canvas: Canvas, data: pd.DataFrame) -> dict[str, Any] | None:
    """Return the exponents, to be read off."""
    swept = data.columns[0]
    names = [name for name in data.columns[1:-2] if not name.endswith("_se")]
    lines = {
        f"λ{place + 1} {direction}".strip(): data[name].where(data["direction"] == direction)
        for direction in data["direction"].unique()[::-1]
        for place, name in enumerate(names)
    }
    return make_readings(canvas.axes, swept, data[swept], lines)


FIGURE = Figure("simulate", suits, prepare, draw, write_caption, describe, view=view)
