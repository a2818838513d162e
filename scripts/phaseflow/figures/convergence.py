"""Convergence: the distance of each trial's best value to the best seen, against evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_MOST_TRIALS = 200


def suits(study: Study) -> bool:
    """Tell whether there are histories of an expression's values, or of a network's losses."""
    return study.minimize is not None or study.train is not None


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return trial, algorithm, evaluation and gap: best value so far less the best value that any trial saw."""
    histories = source.read("histories")
    trials = source.read("trials")[["trial", "algorithm"]].head(_MOST_TRIALS)
    gap = histories["best"] - histories["best"].min()
    joined = trials.merge(histories[["trial", "evaluation"]].assign(gap=gap), on="trial", how="inner")
    return joined[["trial", "algorithm", "evaluation", "gap"]]


def draw(canvas: Canvas, data: pd.DataFrame, source: Source, _options: NoOptions) -> None:
    """Draw a line a trial, a colour an algorithm; a gap of zero ends the line."""
    canvas.set_size_inches(6.3, 3.2)
    axes = canvas.add_subplot()
    algorithms = list(dict.fromkeys(data["algorithm"]))
    is_drawn: set[str] = set()
    for _, part in data.groupby("trial", sort=False):
        algorithm = part["algorithm"].iloc[0]
        label = algorithm if algorithm not in is_drawn else None
        is_drawn.add(algorithm)
        gap = part["gap"].where(part["gap"] > 0, np.nan)
        axes.plot(part["evaluation"], gap, color=f"C{algorithms.index(algorithm) % 7}", label=label, linewidth=0.9, drawstyle="steps-post")
    if (data["gap"] > 0).any():
        axes.set_yscale("log")
    if len(data) and data["evaluation"].max() > 50:
        axes.set_xscale("log")
    cost = "evaluations of the function" if source.settings.train is None else "passes over the training rows"
    axes.set(xlabel=cost, ylabel="best so far − best seen by any")
    if algorithms:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def write_caption(name: str, study: Study, _options: NoOptions) -> str:
    """Say what is drawn and what it cannot show."""
    of = f"{name}, which minimises {study.objective.text}" if study.train is None else f"{name}, which trains a network on {study.train.to}"
    return f"The best value so far of each trial of {of}, above the best that any trial saw. The best seen need not be the least there is."


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    if data.empty:
        return "No trial made an evaluation."
    last = data.groupby("algorithm", sort=False)["evaluation"].max()
    return "Falling lines: " + ", ".join(f"{algorithm} ends after at most {count} evaluations" for algorithm, count in last.items()) + "."


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe)
