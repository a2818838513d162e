"""Returns: a series with the quantiles that its model gives it from the start, and its residuals against the normal curve."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.fits import Fit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_BANDS = (("fan_0.05", "fan_0.95", "90 %"), ("fan_0.25", "fan_0.75", "50 %"))
_WIDEST = 12


def suits(fit: Fit) -> bool:
    """Tell whether a stochastic system was fitted to a series."""
    return fit.diffusion is not None


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return t, value, residual and the quantiles of the first series."""
    rows = source.read("rows")
    rows = rows[rows["member"] == rows["member"].min()]
    return rows[["t", "value", "residual", *(name for name in rows if str(name).startswith("fan_"))]].reset_index(drop=True)


def draw(canvas: Canvas, data: pd.DataFrame, source: Source, _options: NoOptions) -> None:
    """Draw the series in its fan on the left and the histogram of residuals on the right, counts on a logarithmic scale."""
    canvas.set_size_inches(7.0, 3.3)
    left, right = canvas.subplots(1, 2, gridspec_kw={"width_ratios": [1.5, 1]})
    for (low, high, label), shade in zip(_BANDS, (0.18, 0.35), strict=True):
        left.fill_between(data["t"], data[low], data[high], color="C1", alpha=shade, linewidth=0, label=f"model, {label}")
    left.plot(data["t"], data["fan_0.50"], color="C1", linewidth=0.8, label="model, median")
    left.plot(data["t"], data["value"], color="C0", linewidth=0.8, label=str(source.settings.series))
    if (data[["value", "fan_0.05"]].min() > 0).all() and data["fan_0.95"].max() > 3 * data["fan_0.05"].min():
        left.set_yscale("log")
    dt = f" (a row is {source.settings.dt})" if source.settings.dt is not None else ""
    left.set(xlabel=f"t since the first row{dt}", ylabel=str(source.settings.series))
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    residuals = data["residual"].dropna()
    reach = float(min(_WIDEST, np.ceil(residuals.abs().max() * 2) / 2))
    edges = np.linspace(-reach, reach, int(np.clip(2 * np.sqrt(len(residuals)), 11, 81)) | 1)
    right.hist(residuals.clip(-reach, reach), bins=edges, color="C0", alpha=0.75, label="seen")
    grid = np.linspace(-reach, reach, 401)
    right.plot(grid, np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * len(residuals) * (edges[1] - edges[0]), color="C1", label="normal")
    right.set_yscale("log")
    right.set_ylim(0.4, None)
    right.set(xlabel="standardized step", ylabel="count")
    right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def write_caption(name: str, fit: Fit, _options: NoOptions) -> str:
    """Say what is drawn and how to read it."""
    return (
        f"{fit.series} of {fit.to} ({name}) and where the fitted model sees it from its first value on: the 50 % and 90 % ranges and the "
        "median. On the right its steps, standardized as the model says (counts on a logarithmic scale): bars outside the curve are steps "
        "that a normal distribution does not have."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    residuals = data["residual"].dropna()
    beyond = int((residuals.abs() > 4).sum())
    expected = 2 * NormalDist().cdf(-4) * len(residuals)
    return f"{len(residuals)} steps, {beyond} of them beyond 4 standard deviations, where a normal distribution has {expected:.2g}."


FIGURE = Figure("fit", suits, prepare, draw, write_caption, describe)
