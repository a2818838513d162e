"""Forecast: one free run beside what came, how errors grow with the lead, and for how long each forecaster is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.fits import FORECASTERS, Fit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_THRESHOLD = 0.4
_COLOURS = {name: f"C{place}" for place, name in enumerate(reversed(FORECASTERS))}


def suits(fit: Fit) -> bool:
    """Tell whether forecasters were compared."""
    return fit.forecast is not None


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return part `valid`: term, estimate, ci_low, ci_high; part `lead`: term, lead, quantiles of the error, one run of the first state."""
    import pandas as pd

    terms = source.read("terms")[["term", "estimate", "ci_low", "ci_high"]].assign(part="valid")
    rows = source.read("rows")
    state = next(str(name).removeprefix("predicted_") for name in rows if str(name).startswith("predicted_"))
    shown = rows[["term", "lead", "error_0.05", "error_0.50", "error_0.95", f"predicted_{state}", f"observed_{state}"]]
    shown = shown.rename(columns={f"predicted_{state}": "predicted", f"observed_{state}": "observed"})
    return pd.concat([terms, shown.assign(part="lead", state=state)], ignore_index=True)


def draw(canvas: Canvas, data: pd.DataFrame, source: Source, _options: NoOptions) -> None:
    """Draw the run above, and below the errors on the left and the valid times on the right."""
    canvas.set_size_inches(7.0, 5.0)
    grid = canvas.add_gridspec(2, 2, height_ratios=[1, 1.35], width_ratios=[1.5, 1])
    leads, valid = data[data["part"] == "lead"], data[data["part"] == "valid"]
    shown = [name for name in valid["term"] if name in (source.settings.forecast or [])]
    _draw_run(canvas.add_subplot(grid[0, :]), leads, shown)
    _draw_errors(canvas.add_subplot(grid[1, 0]), leads, list(valid["term"]), shown)
    _draw_valid(canvas.add_subplot(grid[1, 1]), valid)


def _draw_run(axes: Axes, leads: pd.DataFrame, shown: list[str]) -> None:
    first = leads[leads["term"] == leads["term"].iloc[0]]
    axes.plot(first["lead"], first["observed"], color="#222222", linewidth=1.2, label="what came")
    low, high = first["observed"].min(), first["observed"].max()
    for name in shown:
        part = leads[leads["term"] == name]
        axes.plot(part["lead"], part["predicted"], "--", color=_COLOURS[name], linewidth=1.0, label=name)
    margin = 0.25 * (high - low)
    axes.set_ylim(low - margin, high + margin)
    axes.margins(x=0)
    axes.set(xlabel="time ahead", ylabel=str(leads["state"].iloc[0]))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=6)


def _draw_errors(axes: Axes, leads: pd.DataFrame, names: list[str], shown: list[str]) -> None:
    for name in names:
        part = leads[leads["term"] == name]
        if name in shown:
            axes.fill_between(part["lead"], part["error_0.05"], part["error_0.95"], color=_COLOURS[name], alpha=0.15, linewidth=0)
        axes.plot(part["lead"], part["error_0.50"].where(part["error_0.50"] > 0), color=_COLOURS[name], linewidth=1.0)
    axes.axhline(_THRESHOLD, color="#777777", linewidth=0.8, linestyle=":")
    axes.set_yscale("log")
    axes.margins(x=0)
    axes.set(xlabel="time ahead", ylabel="error / standard deviation")


def _draw_valid(axes: Axes, valid: pd.DataFrame) -> None:
    places = np.arange(len(valid))
    colours = [_COLOURS[name] for name in valid["term"]]
    axes.hlines(places, valid["ci_low"], valid["ci_high"], color=colours, linewidth=1.5)
    axes.scatter(valid["estimate"], places, color=colours, s=18, zorder=3)
    axes.set_yticks(places, valid["term"].tolist())
    axes.invert_yaxis()
    axes.margins(y=0.12)
    axes.set_xlim(left=0)
    axes.set(xlabel="right for")


def write_caption(name: str, fit: Fit, _options: NoOptions) -> str:
    """Say what is drawn and how to read it."""
    return (
        f"Forecasts of {fit.to} ({name}) up to {fit.horizon} ahead, from many starts after their training: above, the first of them; "
        "on the left the median error and, of those asked for, the range of nine tenths of the starts (dotted: 0.4, where a forecast "
        "stops being right); on the right for how long half of the forecasts are right, in Lyapunov times "
        "where these are known, with intervals."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    valid = data[data["part"] == "valid"]
    return "Right for: " + ", ".join(f"{row.term} {row.estimate:.3g}" for row in valid.itertuples()) + "."


FIGURE = Figure("fit", suits, prepare, draw, write_caption, describe)
