"""Residuals: against the fitted values, against the normal distribution, and by leverage."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.fits import Fit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

# Beyond this a studentized residual is rare (5 in 100) if errors are normal; a row's leverage is large from twice the mean on.
_RARE = 2
_MOST_NAMED = 3


def suits(fit: Fit) -> bool:
    """Tell whether the fit is a regression whose residuals have a size to be measured by."""
    return (fit.linear is not None and fit.penalty is None) or fit.curve is not None


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return row, fitted, studentized, leverage and cook of each observation, with the normal quantile of its rank."""
    rows = source.read("rows")
    if "part" in rows:
        rows = rows[rows["part"] == "observed"]
    rows = rows[["row", "fitted", "studentized", "leverage", "cook"]].astype({"row": int})
    share = (rows["studentized"].rank(method="first") - 0.5) / rows["studentized"].notna().sum()
    return rows.assign(quantile=share.map(NormalDist().inv_cdf, na_action="ignore")).reset_index(drop=True)


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: NoOptions) -> None:
    """Draw the three panels on a common vertical axis."""
    canvas.set_size_inches(7.0, 2.9)
    left, middle, right = canvas.subplots(1, 3, sharey=True)
    size = {"linestyle": "", "marker": "o", "markersize": 3.5 if len(data) < 300 else 2, "alpha": 0.8}
    for axes in (left, middle, right):
        axes.axhline(0, color="#999999", linewidth=0.8)
        axes.axhspan(-_RARE, _RARE, color="#f1f1f1", zorder=0)
        axes.locator_params(axis="x", nbins=4)
    left.plot(data["fitted"], data["studentized"], **size)
    left.set(xlabel="fitted value", ylabel="studentized residual", title="no pattern wanted")
    ends = np.array([np.nanmin(data["quantile"]), np.nanmax(data["quantile"])]) if data["quantile"].notna().any() else np.array([-1, 1])
    middle.plot(ends, ends, color="#999999", linewidth=0.8)
    middle.plot(data["quantile"], data["studentized"], color="C1", **size)
    middle.set(xlabel="normal quantile", title="normal: on the line")
    right.plot(data["leverage"], data["studentized"], color="C2", **size)
    right.axvline(2 * data["leverage"].mean(), color="#999999", linewidth=0.8, linestyle=":")
    right.set(xlabel="leverage", title="influence")
    for _, point in data.nlargest(min(_MOST_NAMED, len(data)), "cook").iterrows():
        if np.isfinite(point["studentized"]):
            side = "right" if point["leverage"] > data["leverage"].mean() + data["leverage"].max() / 3 else "left"
            offset = (-4, 3) if side == "right" else (4, 3)
            place = point["leverage"], point["studentized"]
            right.annotate(f"row {int(point['row']) + 1}", place, offset, textcoords="offset points", fontsize=7, ha=side)


def write_caption(name: str, fit: Fit, _options: NoOptions) -> str:
    """Say what is drawn and how to read it."""
    size = "standard error as the fit without its row gives it" if fit.family is None else "standard deviation in its family (Pearson)"
    return (
        f"The residuals of {name}, each divided by its own {size}. The grey band holds 95 % of "
        "normal errors. Rows right of the dotted line (twice the mean leverage) can move the fit; the three that move it most are named."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    beyond = int((data["studentized"].abs() > _RARE).sum())
    return f"{beyond} of {len(data)} studentized residuals are beyond ±{_RARE}; the largest leverage is {data['leverage'].max():.3g}."


FIGURE = Figure("fit", suits, prepare, draw, write_caption, describe)
