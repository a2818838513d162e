"""Error against noise: the error of the parameters found, against the size of the noise in the record, for each algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_SPREAD = 0.06


def suits(study: Study) -> bool:
    """Tell whether the size of the noise is swept, so that the truth is known."""
    return study.calibrate is not None and any("noise" in block for block in study.sweep or [])


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return trial, algorithm, noise and error of the answers with noise."""
    trials = source.read("trials")
    found = trials[trials["status"].isin(["converged", "stopped"]) & (trials["noise"] > 0) & (trials["error"] > 0)]
    return found[["trial", "algorithm", "noise", "error"]]


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: NoOptions) -> None:
    """Draw a point a trial and a line through the medians of each algorithm, algorithms side by side."""
    canvas.set_size_inches(6.3, 3.6)
    axes = canvas.add_subplot()
    algorithms = list(dict.fromkeys(data["algorithm"]))
    for place, algorithm in enumerate(algorithms):
        part = data[data["algorithm"] == algorithm]
        shift = np.exp(_SPREAD * (place - (len(algorithms) - 1) / 2))
        colour = f"C{place % 7}"
        axes.plot(part["noise"] * shift, part["error"], "o", color=colour, markersize=3, alpha=0.45, markeredgewidth=0)
        medians = part.groupby("noise")["error"].median()
        axes.plot(medians.index * shift, medians, marker="D", markersize=4.5, linewidth=1.1, color=colour, label=f"{algorithm}, median")
    if len(data):
        ends = np.array([data["noise"].min(), data["noise"].max()])
        middle = float((data["error"] / data["noise"]).median())
        axes.plot(ends, middle * ends, color="#888888", linewidth=0.9, linestyle="--", label="in proportion to the noise")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.legend(loc="upper left")
    axes.set(xlabel="noise, relative to the spread of what is observed", ylabel="largest relative error of a parameter")


def write_caption(name: str, study: Study, _options: NoOptions) -> str:
    """Say what is drawn and how it is meant."""
    of = study.calibration.to
    return (
        f"{name}: the largest relative error of a parameter against the noise that was added to {of}, a point a trial, the medians joined. "
        "Algorithms saw the same noise and are set a little apart; the dashed line is an error in proportion to the noise."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    if data.empty:
        return "No trial with noise has an answer."
    medians = data.groupby("noise")["error"].median()
    return "Points on two logarithmic axes: " + ", ".join(f"median error {e:.2g} at noise {n:.3g}" for n, e in medians.items()) + "."


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe)
