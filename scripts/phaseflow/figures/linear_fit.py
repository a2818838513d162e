"""Linear fit: what was observed against what the model fits, and the residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.fits import Fit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas


def suits(fit: Fit) -> bool:
    """Tell whether the fit is a linear regression."""
    return fit.linear is not None


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return a row an observation: row, response, fitted, residual."""
    return source.read("rows")


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: NoOptions) -> None:
    """Draw observed against fitted with the line of equality, and residuals against fitted."""
    canvas.set_size_inches(6.8, 3.1)
    left, right = canvas.subplots(1, 2)
    ends = [min(data["fitted"].min(), data["response"].min()), max(data["fitted"].max(), data["response"].max())]
    left.plot(ends, ends, color="#999999", linewidth=0.8)
    left.plot(data["fitted"], data["response"], linestyle="", marker="o", markersize=4, alpha=0.85)
    left.set(xlabel="fitted", ylabel="observed", title="on the line, the fit is exact")
    right.axhline(0, color="#999999", linewidth=0.8)
    right.vlines(data["fitted"], 0, data["residual"], color="#bbbbbb", linewidth=0.8)
    right.plot(data["fitted"], data["residual"], linestyle="", marker="o", markersize=4, color="C1", alpha=0.85)
    right.set(xlabel="fitted", ylabel="observed − fitted", title="what the fit leaves over")


def write_caption(name: str, fit: Fit, _options: NoOptions) -> str:
    """Say what is drawn."""
    method = {"ridge": "Ridge regression", "lasso": "Lasso"}.get(
        str(fit.penalty), "Least squares" if fit.weights is None else "Weighted least squares"
    )
    if fit.family is not None:
        method = f"The {fit.family} model"
    return f"{method} for {fit.linear} ({name}): each observation against its fitted value, and the residuals."


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    largest = data["residual"].abs().max()
    spread = data["response"].max() - data["response"].min()
    return f"{len(data)} observations against fitted values; the largest residual is {largest:.3g}, the range of the response {spread:.3g}."


FIGURE = Figure("fit", suits, prepare, draw, write_caption, describe)
