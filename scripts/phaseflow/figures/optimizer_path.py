"""Optimiser paths: every evaluation of each algorithm over the contours of a function of two variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phaseflow.expressions.arrays import evaluate
from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_GRID = 201
_LEVELS = 14


def suits(study: Study) -> bool:
    """Tell whether the study minimises a function of two variables."""
    return study.minimize is not None and len(study.variables) == 2


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return algorithm, evaluation and the two variables for the trials from the given start."""
    trials = source.read("trials")
    if "start" in trials:
        trials = trials[trials["start"] == 0]
    histories = source.read("histories")
    names = list(source.settings.variables)
    joined = trials[["trial", "algorithm"]].merge(histories, on="trial", how="inner")
    return joined[["algorithm", "evaluation", *names, "value"]]


def draw(canvas: Canvas, data: pd.DataFrame, source: Source, _options: NoOptions) -> None:
    """Draw a panel an algorithm, all on the same contours."""
    across, up = source.settings.variables
    algorithms = list(dict.fromkeys(data["algorithm"]))
    n_columns = min(3, max(1, len(algorithms)))
    n_rows = -(-max(1, len(algorithms)) // n_columns)
    canvas.set_size_inches(max(3.4, 2.27 * n_columns), 0.5 + 2.4 * n_rows)
    panels = canvas.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True).ravel()
    if data.empty:
        return
    x, y, values = _lay_out_contours(data, source, across, up)
    low = values[np.isfinite(values)].min()
    levels = low + (values[np.isfinite(values)].max() - low) * np.linspace(0, 1, _LEVELS) ** 2
    for axes, algorithm in zip(panels, algorithms, strict=False):
        path = data[data["algorithm"] == algorithm]
        if np.all(np.diff(levels) > 0):
            axes.contour(x, y, values, levels=levels, colors="#b8b8b8", linewidths=0.5)
        axes.plot(path[across], path[up], marker="o", markersize=2.2, linewidth=0.7)
        axes.plot(path[across].iloc[0], path[up].iloc[0], marker="s", color="black", markersize=4)
        axes.set_title(f"{algorithm}\n{len(path)} evaluations")
        axes.set(xlabel=across, ylabel=up)
        axes.label_outer()
    for axes in panels[len(algorithms) :]:
        axes.set_visible(False)


def _lay_out_contours(data: pd.DataFrame, source: Source, across: str, up: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a grid about the paths, and the function's values on it."""
    sides = []
    for name in (across, up):
        low, high = data[name].min(), data[name].max()
        margin = 0.15 * (high - low) or 1.0
        sides.append(np.linspace(low - margin, high + margin, _GRID))
    x, y = np.meshgrid(*sides)
    return x, y, np.broadcast_to(evaluate(source.settings.objective.tree, {across: x, up: y}), x.shape)


def write_caption(name: str, study: Study, _options: NoOptions) -> str:
    """Say what is drawn."""
    return f"{name}: every evaluation of each algorithm on its way to the minimum of {study.objective.text}; a square marks the start."


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    counts = data.groupby("algorithm", sort=False).size()
    listed = ", ".join(f"{algorithm} with {count} evaluations" for algorithm, count in counts.items())
    return f"Paths over contours: {listed or 'no evaluation'}."


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe)
