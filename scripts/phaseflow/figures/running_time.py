"""Expected running time: the evaluations that each algorithm, started again and again, needs for each problem that it solves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phaseflow.figures import Figure, Source
from phaseflow.figures._profiles import READING, ProfileOptions, choose_rows, choose_target, format_target, suits
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_ALL = "(all)"
_ROW_INCHES = 0.19


def prepare(source: Source, options: ProfileOptions) -> pd.DataFrame:
    """Return algorithm, trials, successes, expected and its band, in units of n + 1 evaluations, the fastest first."""
    frame = choose_rows(source.read("running_times"), options)
    chosen = frame[(frame["problem"] == _ALL) & (frame["target"] == choose_target(source.settings, options))]
    ranked = chosen.sort_values("expected", kind="stable", ignore_index=True)
    return ranked[["algorithm", "trials", "successes", "expected", "expected_low", "expected_high"]]


def draw(canvas: Canvas, data: pd.DataFrame, source: Source, options: ProfileOptions) -> None:
    """Draw a point an algorithm with its band; an arrow where nothing was solved or the band has no end."""
    canvas.set_size_inches(6.3, 1.2 + _ROW_INCHES * max(len(data), 1))
    axes = canvas.add_subplot()
    ends = data[["expected", "expected_low", "expected_high"]].to_numpy()
    edge = 2 * float(ends[np.isfinite(ends)].max(initial=1.0))
    for place, row in enumerate(data.itertuples()):
        low, middle, high = (min(value, edge) for value in (row.expected_low, row.expected, row.expected_high))
        axes.plot([low, high], [place, place], color="C0", linewidth=1.4, alpha=0.5)
        axes.plot(middle, place, ">" if not np.isfinite(row.expected) else "o", color="C0", markersize=3.5)
        axes.annotate(f"{row.successes} of {row.trials}", (1.01, place), xycoords=("axes fraction", "data"), fontsize=6, va="center")
    axes.set_yticks(range(len(data)), data["algorithm"], fontsize=6.5)
    axes.set_ylim(len(data) - 0.4, -0.6)
    axes.set_xscale("log")
    target = format_target(choose_target(source.settings, options))
    axes.set(xlabel=f"expected evaluations a success to {target}, in units of n + 1")
    axes.grid(axis="y", visible=False)


def write_caption(name: str, _study: Study, _options: ProfileOptions) -> str:
    """Say what is drawn and how it is read."""
    return (
        f"{name}: the evaluations of all trials over the number that succeeded, for each algorithm; infinite (an arrow) where none did. "
        f"On the right: successes. {READING}; a band that ends in the edge has no upper end."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    if data.empty:
        return "No algorithm was compared."
    first = data.iloc[0]
    return f"A row an algorithm; the fastest is {first['algorithm']} with {first['expected']:.3g} units a success."


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe, ProfileOptions)
