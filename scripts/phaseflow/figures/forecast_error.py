"""Forecast error: the held-out error of each predictor with its interval, and how the errors go in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.fits import Fit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_BASELINES = ("persistence", "linear")


def suits(fit: Fit) -> bool:
    """Tell whether predictors were compared."""
    return fit.network is not None


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return part `error`: term, estimate, ci_low, ci_high, converged; part `time`: term, t, size, of the first member."""
    import pandas as pd

    terms = source.read("terms")[["term", "estimate", "ci_low", "ci_high", "converged"]].assign(part="error")
    rows = source.read("rows")
    rows = rows[rows["member"] == rows["member"].min()]
    squares = (rows["predicted"] - rows["observed"]) ** 2
    sizes = squares.groupby([rows["term"], rows["t"]], sort=False).mean().pow(0.5).rename("size").reset_index()
    return pd.concat([terms, sizes.assign(part="time")], ignore_index=True)


def draw(canvas: Canvas, data: pd.DataFrame, source: Source, _options: NoOptions) -> None:
    """Draw a dot a predictor on the left; on the right the errors of the baselines and of the best network."""
    errors, times = data[data["part"] == "error"], data[data["part"] == "time"]
    canvas.set_size_inches(7.0, 3.0)
    left, right = canvas.subplots(1, 2, gridspec_kw={"width_ratios": [1, 1.5]})
    places = np.arange(len(errors))
    colours = [f"C{place % 7}" if term not in _BASELINES else "#777777" for place, term in enumerate(errors["term"])]
    left.hlines(places, errors["ci_low"], errors["ci_high"], color=colours, linewidth=1.5)
    left.scatter(errors["estimate"], places, color=colours, s=18, zorder=3)
    names = [f"{t}{'' if c else ' (stopped)'}" for t, c in zip(errors["term"], errors["converged"].astype(bool), strict=True)]
    left.set_yticks(places, names)
    left.invert_yaxis()
    left.set_xscale("log")
    left.margins(y=0.12)
    left.set(xlabel="held-out error / standard deviation")
    networks = errors[~errors["term"].isin(_BASELINES)]
    shown = [*_BASELINES, networks["term"][networks["estimate"].idxmin()]] if networks["estimate"].notna().any() else list(_BASELINES)
    for term, style in zip(shown, ("--", ":", "-"), strict=False):
        part = times[times["term"] == term]
        colour = colours[errors["term"].tolist().index(term)]
        right.plot(part["t"], part["size"].where(part["size"] > 0), style, color=colour, linewidth=1.0, label=term)
    right.set_yscale("log")
    right.set(xlabel="t of the prediction", ylabel=f"error {source.settings.horizon} ahead / standard deviation")
    right.legend(loc="upper center", bbox_to_anchor=(0.5, 1.17), ncols=3)


def write_caption(name: str, fit: Fit, _options: NoOptions) -> str:
    """Say what is drawn and how to read it."""
    return (
        f"Predictions {fit.horizon} ahead on the last fifth of {fit.to} ({name}), which no predictor saw: root mean square errors in "
        "standard deviations of the state, with block-bootstrap intervals, and errors in time of the baselines and the best "
        "network. Persistence says that nothing changes."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    errors = data[data["part"] == "error"]
    return "Held-out errors: " + ", ".join(f"{row.term} {row.estimate:.3g}" for row in errors.itertuples()) + "."


FIGURE = Figure("fit", suits, prepare, draw, write_caption, describe)
