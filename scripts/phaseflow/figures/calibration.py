"""Calibration: the record and the calibrated trajectory of the best trial, a panel an observed column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_MOST_PANELS = 6
# How the curves that are profile likelihoods are called.
PROFILE = "profile of "
_ERRORS = {"normal": "normal", "lognormal": "lognormal", "laplace": "Laplace"}


def suits(study: Study) -> bool:
    """Tell whether the study calibrates a system."""
    return study.calibrate is not None


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return trial, curve, at, observed and value of the first six observed columns."""
    curves = source.read("curves")
    curves = curves[~curves["curve"].str.startswith(PROFILE)]
    return curves[curves["curve"].isin(list(dict.fromkeys(curves["curve"]))[:_MOST_PANELS])]


def draw(canvas: Canvas, data: pd.DataFrame, source: Source, _options: NoOptions) -> None:
    """Draw the observed values as points and the prediction as a line."""
    from matplotlib.ticker import MaxNLocator

    columns = list(dict.fromkeys(data["curve"])) or [""]
    canvas.set_size_inches(6.3, 0.9 + 1.6 * len(columns))
    panels = canvas.subplots(len(columns), 1, sharex=True, squeeze=False)[:, 0]
    stated = source.settings.calibration
    for place, (axes, column) in enumerate(zip(panels, columns, strict=True)):
        part = data[data["curve"] == column]
        seen = part.dropna(subset="observed")
        size = 4.5 if len(seen) <= 60 else 2.5
        axes.plot(seen["at"], seen["observed"], "o", color="#444444", markersize=size, markerfacecolor="none", markeredgewidth=0.8)
        axes.plot(part["at"], part["value"], color=f"C{place % 7}", linewidth=1.4)
        observes = stated.observe[column].text if column in stated.observe else column
        axes.set_ylabel(column if observes == column else f"{column}: {observes}")
        axes.margins(x=0.02)
    panels[-1].set_xlabel(stated.time or "t")
    if (data["at"] > 1000).all():
        panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))  # years, which have no half
    canvas.align_ylabels()


def write_caption(name: str, study: Study, _options: NoOptions) -> str:
    """Say what is drawn."""
    stated = study.calibration
    errors = "least squares" if stated.sizes == "squares" else f"the greatest {_ERRORS[stated.error]} likelihood"
    errors = "the greatest likelihood" if stated.petab is not None else errors
    noise = " The record is shown with that trial’s own noise." if any("noise" in block for block in study.sweep or []) else ""
    seen = f"{name}: what was observed ({stated.petab or ', '.join(stated.tables)}, circles)"
    pieces = " Each interval is integrated from its own states; the table has the largest gap between them." if stated.shooting else ""
    return f"{seen} and the trajectory of the trial with the least value (line), by {errors}.{noise}{pieces}"


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    if data.empty:
        return "No trial has an answer, so there is no trajectory to show."
    counts = data.dropna(subset="observed").groupby("curve", sort=False).size()
    return "Points and a line through them: " + ", ".join(f"{column} with {count} observations" for column, count in counts.items()) + "."


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe)
