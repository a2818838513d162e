"""Profile likelihoods of a calibration: for each value of a parameter the best fit of all others, a panel a parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.figures.calibration import PROFILE
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_MOST_PANELS = 12


def suits(study: Study) -> bool:
    """Tell whether the study asks for profiles."""
    return study.calibrate is not None and study.calibrate.profile is not None


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return curve, at, value and observed (the level, at the ends of an interval) of the first twelve parameters."""
    curves = source.read("curves")
    curves = curves[curves["curve"].str.startswith(PROFILE)]
    return curves[curves["curve"].isin(list(dict.fromkeys(curves["curve"]))[:_MOST_PANELS])]


def draw(canvas: Canvas, data: pd.DataFrame, source: Source, _options: NoOptions) -> None:
    """Draw each profile with the level and the ends of its interval."""
    names = list(dict.fromkeys(data["curve"])) or [""]
    n_columns = min(3, len(names))
    n_rows = -(-len(names) // n_columns)
    canvas.set_size_inches(6.3, 0.6 + 1.9 * n_rows)
    panels = canvas.subplots(n_rows, n_columns, squeeze=False, sharey=True).ravel()
    sought = source.settings.calibration.sought
    for axes, name in zip(panels, names, strict=False):
        part, parameter = data[data["curve"] == name], name.removeprefix(PROFILE)
        axes.plot(part["at"], part["value"], ".-", color="C0", linewidth=1.2, markersize=4)
        ends = part.dropna(subset="observed")
        if len(ends):
            axes.axhline(ends["observed"].iloc[0], color="#888888", linewidth=0.8)
            axes.plot(ends["at"], ends["observed"], "|", color="C1", markersize=12, markeredgewidth=1.6)
        if parameter in sought and sought[parameter].scale == "log":
            axes.set_xscale("log")
        axes.set_xlabel(parameter)
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    panels[0].set_ylabel("value")


def write_caption(name: str, study: Study, _options: NoOptions) -> str:
    """Say what is drawn, and how to read it."""
    asked = study.calibration.profile
    confidence = f"{100 * asked.confidence.value:g} %" if asked else ""
    return (
        f"{name}: the least value of the misfit for each value of one parameter, all others fitted anew. Where the curve crosses the grey "
        f"line its {confidence} interval ends (ticks); a curve that stays below it on a side has no end there: the data do not bound it."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    if data.empty:
        return "No trial has an answer, so there are no profiles."
    counts = data.dropna(subset="observed").groupby("curve").size()
    names = list(dict.fromkeys(data["curve"]))
    return "Curves: " + ", ".join(f"{name} with {counts.get(name, 0)} ends of its interval" for name in names) + "."


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe)
