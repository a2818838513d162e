"""Curve fit: the data with the fitted curve and its confidence band, and the residuals below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.fits import Fit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas


def suits(fit: Fit) -> bool:
    """Tell whether the fit is a curve."""
    return fit.curve is not None


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return part, x, response, fitted, residual and the ends of both bands; x is the fitted value where there are several predictors."""
    rows = source.read("rows")
    wanted = ["part", "x", "response", "fitted", "residual", "band_low", "band_high", "prediction_low", "prediction_high"]
    rows = rows if "x" in rows else rows.assign(x=rows["fitted"])
    return rows[wanted]


def draw(canvas: Canvas, data: pd.DataFrame, source: Source, _options: NoOptions) -> None:
    """Draw data and curve above, residuals below."""
    canvas.set_size_inches(6.3, 4.0)
    top, bottom = canvas.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
    seen, curve = data[data["part"] == "observed"], data[data["part"] == "curve"]
    if len(curve):
        if curve["prediction_low"].notna().any():
            wide = curve["prediction_low"], curve["prediction_high"]
            top.fill_between(curve["x"], *wide, color="C1", alpha=0.08, linewidth=0, label="band of one more observation")
        top.fill_between(curve["x"], curve["band_low"], curve["band_high"], color="C1", alpha=0.2, linewidth=0, label="its confidence band")
        top.plot(curve["x"], curve["fitted"], color="C1", label="fitted curve")
    else:
        ends = [seen["x"].min(), seen["x"].max()]
        top.plot(ends, ends, color="#999999", linewidth=0.8, label="observed = fitted")
    top.plot(seen["x"], seen["response"], linestyle="", marker="o", alpha=0.85, label="data")
    top.set(ylabel=str(source.settings.response))
    top.legend()
    bottom.axhline(0, color="#999999", linewidth=0.8)
    bottom.vlines(seen["x"], 0, seen["residual"], color="#bbbbbb", linewidth=0.8)
    bottom.plot(seen["x"], seen["residual"], linestyle="", marker="o", markersize=3, alpha=0.85)
    bottom.set(xlabel=_name_predictor(source.settings) if len(curve) else "fitted", ylabel="residual")
    canvas.align_ylabels([top, bottom])


def _name_predictor(fit: Fit) -> str:
    """Return the one name of the curve that is no parameter."""
    return next(iter((fit.curve.names if fit.curve else frozenset()) - set(fit.start or {})), "x")


def write_caption(name: str, fit: Fit, _options: NoOptions) -> str:
    """Say what is drawn."""
    percent = f"{100 * fit.confidence.value:g}"
    return (
        f"Nonlinear least squares for {fit.response} = {fit.curve} ({name}): the data, the curve, and the {percent} % confidence band "
        "of the curve itself, point by point; the wider one is for one more observation. Below, what the curve leaves over."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    seen = data[data["part"] == "observed"]
    spread = seen["response"].max() - seen["response"].min()
    return f"{len(seen)} observations; the largest residual is {seen['residual'].abs().max():.3g}, the range of the response {spread:.3g}."


FIGURE = Figure("fit", suits, prepare, draw, write_caption, describe)
