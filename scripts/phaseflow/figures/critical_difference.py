"""Critical differences: the mean rank of each algorithm over problems, those joined by a bar differing by no more than chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phaseflow.figures import Figure, Source
from phaseflow.figures._profiles import ProfileOptions, choose_rows, suits
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_ROW = 1.0
_ROW_INCHES = 0.17
_TICKS = 9


def prepare(source: Source, options: ProfileOptions) -> pd.DataFrame:
    """Return algorithm, problems, mean_rank and critical_difference, the best first."""
    ranks = choose_rows(source.read("ranks"), options).sort_values("mean_rank", kind="stable", ignore_index=True)
    return ranks[["algorithm", "problems", "mean_rank", "critical_difference"]]


def find_groups(ranks: np.ndarray, difference: float) -> list[tuple[int, int]]:
    """Return the longest runs of sorted mean ranks that lie within the critical difference, as first and last places."""
    ends = [int(np.searchsorted(ranks, rank + difference, side="left")) - 1 for rank in ranks]
    groups = [(first, last) for first, last in enumerate(ends) if last > first]
    return [group for place, group in enumerate(groups) if place == 0 or group[1] > groups[place - 1][1]]


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: ProfileOptions) -> None:
    """Draw the axis of ranks, a line from each algorithm's name to its rank, and bars over those that are not told apart."""
    ranks, half = data["mean_rank"].to_numpy(), -(-len(data) // 2)
    difference = float(data["critical_difference"].iloc[0]) if len(data) else 0.0
    groups = find_groups(ranks, difference)
    depth = len(groups) * 0.45 + (half + 1) * _ROW
    canvas.set_size_inches(6.3, 0.7 + _ROW_INCHES * (depth + 1.5))
    axes = canvas.add_subplot()
    axes.set_axis_off()
    low, high = 1.0, max(float(len(data)), 2.0)
    axes.set(xlim=(low - 0.45 * (high - low), high + 0.45 * (high - low)), ylim=(-depth - 0.5, 3.2))
    axes.plot([low, high], [0, 0], color="black", linewidth=0.9)
    for tick in range(1, len(data) + 1, max(1, -(-len(data) // _TICKS))):
        axes.plot([tick, tick], [0, 0.25], color="black", linewidth=0.9)
        axes.text(tick, 0.4, str(tick), ha="center", va="bottom", fontsize=6.5)
    axes.plot([low, low + difference], [2.4, 2.4], color="black", linewidth=1.6)
    axes.text(low + difference + 0.02 * (high - low), 2.4, f"critical difference {difference:.2f}", va="center", fontsize=6.5)
    for row, (first, last) in enumerate(groups, 1):
        axes.plot(ranks[[first, last]], [-0.45 * row] * 2, color="C1", linewidth=2.2, solid_capstyle="round")
    for place, (name, rank) in enumerate(zip(data["algorithm"], ranks, strict=True)):
        _draw_name(axes, place, half, len(data), name, rank, 0.45 * len(groups), (low, high))


def _draw_name(axes: Axes, place: int, half: int, n: int, name: str, rank: float, offset: float, ends: tuple[float, float]) -> None:
    """Draw one algorithm's name: the better half on the left from the top down, the others on the right from the bottom up."""
    is_left = place < half
    row = place if is_left else n - 1 - place
    y, side = -(offset + (row + 1) * _ROW), ends[0] if is_left else ends[1]
    axes.plot([rank, rank, side], [0, y, y], color="#888888", linewidth=0.6, zorder=0)
    label = f"{name}  {rank:.2f} " if is_left else f" {rank:.2f}  {name}"
    axes.text(side, y, label, ha="right" if is_left else "left", va="center", fontsize=6.5)


def write_caption(name: str, study: Study, _options: ProfileOptions) -> str:
    """Say what is drawn and how it is read."""
    confidence = study.confidence.value if study.confidence else 0.95
    return (
        f"{name}: the mean rank of each algorithm over problems, 1 the best, by the area above its distribution over targets. Algorithms "
        f"under one orange bar differ by less than the critical difference of Nemenyi's test, at {confidence:.0%} confidence for all pairs "
        "together (Demšar 2006): what is between them may be chance. The table of comparisons has the sharper test of each pair."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    if data.empty:
        return "No ranks: a comparison wants two algorithms and two problems."
    first, last = data.iloc[0], data.iloc[-1]
    return (
        f"Mean ranks from {first['mean_rank']:.2f} ({first['algorithm']}) to {last['mean_rank']:.2f} ({last['algorithm']}); "
        f"the critical difference is {first['critical_difference']:.2f}."
    )


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe, ProfileOptions)
