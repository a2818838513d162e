"""The correlation dimension of an attractor: how the number of pairs of points nearer than r grows with r.

Points follow each other so closely in time that they are near for that reason alone do not count (Theiler's window). The slope of
log C(r) against log r is read at the smallest radii, over a factor of four, where it is steady; its error is how much it varies
there, at least what blocks of the trajectory scatter by, and what smaller radii say otherwise; and by how much it may still rise at
radii that are too small for the points at hand.

Source: Grassberger and Procaccia (1983), Physica D 9, 189-208; Theiler (1986), Phys. Rev. A 34, 2427-2432.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from phaseflow.engines import Array, Task, Trajectories
from phaseflow.engines.taylor import integrate
from phaseflow.measures import Measure, Measured
from phaseflow.seeds import open_stream
from phaseflow.settings.measures import CorrelationDimension

# Radii of the search, relative to the root mean square distance from the mean, each so many times the one before.
_RADII = 2.0 ** (np.arange(-48, 1) / 4)
# A scaling region spans at least this many radii: a factor of four.
_SPAN = 8
# Radii above this part of the largest feel the attractor's edges.
_INSIDE = 1 / 8
# A slope that is not known this well, relative to itself or to one, is no dimension.
_LARGEST_ERROR = 0.15
# A radius with fewer pairs than this is not used.
_LEAST_PAIRS = 500
# How far slopes may scatter in a scaling region, as a standard deviation relative to the slope or to one: the first that any meets.
_SPREADS = (0.02, 0.05, 0.1)
_BLOCKS = 10
# The window ends where the autocorrelation of every state has fallen to this; it covers this part of the points at most.
_FORGOTTEN = 1 / np.e
_LARGEST_WINDOW = 0.1
# A trajectory whose ranges are below this part of its size is at rest; one whose halves' sizes differ by this factor has not settled.
_REST = 1e-9
_SETTLED = 1.5


@dataclass(frozen=True)
class Dimension:
    """A correlation dimension with its standard error; NaN with a reason where there is none."""

    value: float
    error: float
    reason: str


def measure(asked: CorrelationDimension, task: Task, trajectories: Trajectories) -> Measured:
    """Return the dimension, its standard error, and whether there is one: found, or why not."""
    grid = draw_times(float(task.times[0]), float(task.times[-1]), asked.points)
    found = [_measure_one(task, member, grid, str(status)) for member, status in enumerate(trajectories.status)]
    return Measured(
        {
            "correlation_dimension": np.array([dimension.value for dimension in found]),
            "correlation_dimension_se": np.array([dimension.error for dimension in found]),
            "correlation_dimension_status": np.array([dimension.reason for dimension in found], dtype=object),
        }
    )


def _measure_one(task: Task, member: int, grid: Array, status: str) -> Dimension:
    """Integrate one member anew: the points of all at once would fill the memory."""
    if status != "ok":
        return Dimension(np.nan, np.nan, status)
    alone = slice(member, member + 1)
    part = replace(task, initial=task.initial[alone], parameters=task.parameters[alone], streams=task.streams[alone], times=grid, events=())
    points = integrate(part).samples[0]
    return find_dimension(points) if np.isfinite(points).all() else Dimension(np.nan, np.nan, "not_finite")


def draw_times(start: float, stop: float, count: int) -> Array:
    """Return times at random, the same ones for every member: even ones would be in step with a cycle."""
    return start + (stop - start) * np.sort(open_stream(0, count).random(count))


def find_dimension(points: Array, window: int | None = None) -> Dimension:
    """Return the correlation dimension of points in the order of time.

    Parameters
    ----------
    points : shape (n_points, dimension).
    window : pairs not more than so many points apart do not count; found from the autocorrelation if not given.
    """
    nothing = np.nan, np.nan
    ranges, sizes = np.ptp(points, axis=0), np.abs(points).max(axis=0)
    moves = ranges > _REST * sizes
    if not moves.any():
        return Dimension(*nothing, "at_rest")
    scaled = (points[:, moves] - points[:, moves].mean(axis=0)) / points[:, moves].std(axis=0)
    halves = [float(np.linalg.norm(half - half.mean(axis=0))) for half in np.array_split(scaled, 2)]
    if max(halves) > _SETTLED * min(halves):
        return Dimension(*nothing, "not_settled")
    window = _find_window(scaled) if window is None else window
    if window > _LARGEST_WINDOW * len(points):
        return Dimension(*nothing, "too_short")
    radii = _RADII * np.sqrt(scaled.shape[1])
    return _read_slope(count_pairs(scaled, radii, window), radii)


def _find_window(points: Array) -> int:
    """Return after how many points the autocorrelation of every state has first fallen off."""
    n = len(points)
    spectra = np.abs(np.fft.rfft(points, 2 * n, axis=0)) ** 2
    correlations = np.fft.irfft(spectra, axis=0)[:n]
    has_fallen = correlations < _FORGOTTEN * correlations[0]
    return int(max(column.argmax() if column.any() else n for column in has_fallen.T))


def count_pairs(points: Array, radii: Array, window: int) -> Array:
    """Count pairs at most as far apart as each radius, by blocks of the trajectory.

    Returns
    -------
    Shape (n_blocks, n_radii): the pairs of a point of the block with any point more than `window` places away.
    """
    tree = cKDTree(points)
    borders = np.linspace(0, len(points), _BLOCKS + 1).astype(int)
    counts = np.array([tree.count_neighbors(cKDTree(points[first:last]), radii) for first, last in pairwise(borders)])
    near = counts.astype(np.float64)
    for lag in range(-window, window + 1):
        first, last = max(0, -lag), min(len(points), len(points) - lag)
        distances = np.linalg.norm(points[first:last] - points[first + lag : last + lag], axis=1)
        blocks = np.searchsorted(borders, np.arange(first, last), side="right") - 1
        places = np.searchsorted(radii, distances, side="left")
        table = np.bincount(blocks * (len(radii) + 1) + places, minlength=_BLOCKS * (len(radii) + 1))
        near -= table.reshape(_BLOCKS, -1)[:, :-1].cumsum(axis=1)
    return near


def _read_slope(counts: Array, radii: Array) -> Dimension:
    """Read the slope in the scaling region: the stretch of the smallest radii in which local slopes are as steady as any are."""
    totals = counts.sum(axis=0)
    usable = np.flatnonzero(totals >= _LEAST_PAIRS)
    first, spread = _find_region(np.log(totals[usable]), np.log(radii[usable])) if len(usable) > _SPAN else (None, np.nan)
    if first is None:
        return Dimension(np.nan, np.nan, "no_scaling_region")
    region, below = usable[first : first + _SPAN + 1], usable[: first + _SPAN // 2 + 1]
    value, *blocks = [_fit_slope(row[region], radii[region]) for row in (totals, *counts)]
    # The dimension is the slope at vanishing radii: what the smaller ones say otherwise is an error too.
    trend = abs(_fit_slope(totals[below], radii[below]) - value)
    inside = np.arange(region[0], max(region[-1], int(np.searchsorted(radii, _INSIDE * radii[-1]))) + 1)
    error = float(np.hypot(max(spread, trend, _find_scatter(blocks)), _find_shortfall(counts[:, inside], radii[inside])))
    return Dimension(value, error, "found") if error <= _LARGEST_ERROR * max(1.0, value) else Dimension(np.nan, np.nan, "no_scaling_region")


def _find_shortfall(counts: Array, radii: Array) -> float:
    """Return by how much slopes may still rise below the radii at hand.

    Where an attractor is folded its density is so large that C(r) ~ r**D (log(1/r) + c): the slope is D - s with s = 1/(log(1/r) + c),
    and rises by s**2 when r falls by a factor e. So the root of how fast slopes rise is what they fall short by; a rise that is within
    the scatter of the blocks may be there, too. Where slopes converge like a power of r they do so faster.

    Source: Sprott and Rowlands (2001), Int. J. Bifurcation Chaos 11, 1865-1880, for slopes that converge like 1/log(1/r).
    """
    rise, *blocks = [-2 * float(np.polyfit(np.log(radii), np.log(np.maximum(row, 1)), 2)[0]) for row in (counts.sum(axis=0), *counts)]
    return float(np.sqrt(max(rise, 0.0) + _find_scatter(blocks)))


def _find_scatter(blocks: list[float]) -> float:
    """Return the standard error of a mean over blocks."""
    return float(np.std(blocks, ddof=1) / np.sqrt(len(blocks)))


def _fit_slope(counts: Array, radii: Array) -> float:
    return float(np.polyfit(np.log(radii), np.log(np.maximum(counts, 1)), 1)[0])


def _find_region(y: Array, x: Array) -> tuple[int | None, float]:
    """Return the first place of the scaling region with its slopes' standard deviation; no place where there is none."""
    slopes = np.lib.stride_tricks.sliding_window_view(np.diff(y) / np.diff(x), _SPAN)
    spreads = slopes.std(axis=1, ddof=1)
    for spread in _SPREADS:
        steady = np.flatnonzero(spreads <= spread * np.maximum(1.0, slopes.mean(axis=1)))
        if len(steady):
            return int(steady[0]), float(spreads[steady[0]])
    return None, np.nan


MEASURE = Measure(measure)
