"""Ornstein and Uhlenbeck's process: sampled evenly it is x' = a x + b + noise, a = exp(-kappa dt), so least squares is its likelihood.

Over few relaxation times the estimate of kappa is too large and its error skewed. Its t-statistic depends on no other parameter, so its
law is simulated for each a and the test inverted: the interval holds every a that is not rejected, and where the statistic is at its
median lies the corrected estimate. What confidence there is in each a then weighs the intervals that theta and sigma have where a is known:
of theta Student's, about its best estimate for that a, of sigma that of a bootstrap of its t-statistic.

Source: Andrews (1993), Econometrica 61, 139-165 (median-unbiased); Hansen (1999), Rev. Econ. Stat. 81, 594-607 (the grid bootstrap);
Xie and Singh (2013), Int. Stat. Rev. 81, 3-39 (distributions of confidence);
Tang and Chen (2009), J. Econometrics 149, 65-81 (the bias of kappa); Efron and Tibshirani (1993), An Introduction to the Bootstrap,
sec. 12.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from scipy.stats import norm
from scipy.stats import t as student_t

from phaseflow.errors import DataError
from phaseflow.models._least_squares import Array, check_design
from phaseflow.models._series import FAN, Calibrated, cover_ahead

# From so many relaxation times on Wald's intervals cover about as often as they say (0.95 at 100; 0.93 at 20, 0.87 at 5).
LONG_ENOUGH = 50.0
_GRID = 24
_REPLICATES = 499
# Over so many slopes the confidence in the slope is spread for the other parameters.
_SLOPES = 40
_QUANTILES = 200


@dataclass(frozen=True)
class Line:
    """x' = slope x + shift + noise by least squares, for many series at once; each of shape (n_replicates,).

    Attributes
    ----------
    spread : the standard error of the slope.
    centre : the mean of the states before a step.
    """

    slope: Array
    shift: Array
    variance: Array
    spread: Array
    centre: Array


def fit_reverting(
    series: Sequence[Array],
    dt: float,
    names: Sequence[str],
    source: str,
    confidence: float,
    replicates: int | None,
    rng: np.random.Generator,
) -> Calibrated:
    """Fit rate, mean and volatility.

    Raises
    ------
    DataError : the series does not vary, or does not return to a mean.
    """
    before, after = (np.concatenate([part[cut] for part in series]) for cut in (slice(None, -1), slice(1, None)))
    check_design(["1", "x"], np.stack([np.ones_like(before), before], axis=1), source)
    line = _draw_lines(before[None], after[None])
    slope, shift, variance, n = float(line.slope[0]), float(line.shift[0]), float(line.variance[0]), len(after)
    if not 0 < slope < 1 or variance == 0:
        raise DataError(f"{source}: the series does not return to a mean (x' = {slope:.6g} x + ..., where a factor from 0 to 1 is wanted)")
    point, errors = (values[:, 0] for values in _to_process(line, dt, n))
    kappa = float(point[0])
    statistics = {
        "observations": n,
        "duration": n * dt,
        "log_likelihood": -n / 2 * (math.log(2 * math.pi * variance) + 1),
        "relaxation_times": kappa * n * dt,
        "is_long_enough": kappa * n * dt >= LONG_ENOUGH,
        "intervals": "normal",
        "fan_coverage": cover_ahead(series, _learn),
    }
    intervals, estimates = _reach(point, errors, slope, n, confidence), point
    if not statistics["is_long_enough"]:
        corrected, intervals = _correct(line, point, errors, dt, series, confidence, replicates or _REPLICATES, rng)
        statistics |= {"intervals": "inverted test and bootstrap", "uncorrected": dict(zip(names, map(float, point), strict=True))}
        estimates = np.array([corrected, *point[1:]])
    rows = pd.concat([_list_values(part, dt, shift, slope, variance, place) for place, part in enumerate(series)], ignore_index=True)
    return Calibrated(list(names), estimates.tolist(), errors.tolist(), intervals, statistics, rows)


def _draw_lines(before: Array, after: Array) -> Line:
    """Fit a line to each row of states before and after a step, of shape (n_replicates, n)."""
    n = before.shape[1]
    centre, ahead = before.mean(axis=1, keepdims=True), after.mean(axis=1, keepdims=True)
    squares = ((before - centre) ** 2).sum(axis=1)
    slope = ((before - centre) * (after - ahead)).sum(axis=1) / squares
    shift = ahead[:, 0] - slope * centre[:, 0]
    variance = ((after - slope[:, None] * before - shift[:, None]) ** 2).mean(axis=1)
    return Line(slope, shift, variance, np.sqrt(variance * n / (n - 2) / squares), centre[:, 0])


def _to_process(line: Line, dt: float, n: int) -> tuple[Array, Array]:
    """Return kappa, theta and sigma, and their errors by the delta method, each of shape (3, n_replicates)."""
    slope, variance = line.slope, line.variance
    with np.errstate(all="ignore"):
        kappa, theta = -np.log(slope) / dt, line.shift / (1 - slope)
        stationary = variance / (1 - slope**2)
        sigma = np.sqrt(2 * kappa * stationary)
        spread = line.spread * math.sqrt((n - 2) / n)
        # How sigma moves with slope and variance; shift and slope move theta, of which the first is the mean's own error.
        by_slope = sigma / 2 * (-1 / (slope * kappa * dt) + 2 * slope / (1 - slope**2))
        middle = line.centre - theta
        errors = np.stack(
            [
                spread / (slope * dt),
                np.sqrt(variance / n + (middle * spread) ** 2) / (1 - slope),
                np.sqrt((by_slope * spread) ** 2 + sigma**2 / (2 * n)),
            ]
        )
    return np.stack([kappa, theta, sigma]), errors


def _reach(point: Array, errors: Array, slope: float, n: int, confidence: float) -> list[tuple[float, float]]:
    """Return the intervals of a long series; that of theta by the slope less its bias, on which its length depends most.

    Source: Kendall (1954), Biometrika 41, 403-404, for the bias.
    """
    reach = float(norm.ppf(0.5 + confidence / 2)) * errors
    reach[1] *= (1 - slope) / max(1 - slope - (1 + 3 * slope) / n, (1 - slope) / 2)
    return [(float(middle - r), float(middle + r)) for middle, r in zip(point, reach, strict=True)]


def _correct(
    line: Line,
    point: Array,
    errors: Array,
    dt: float,
    series: Sequence[Array],
    confidence: float,
    replicates: int,
    rng: np.random.Generator,
) -> tuple[float, list[tuple[float, float]]]:
    """Return the median-unbiased kappa and the intervals of all three parameters."""
    tail, n = 0.5 - confidence / 2, sum(len(part) - 1 for part in series)
    kicks = [rng.standard_normal((replicates, len(part))) for part in series]
    seen, spread = float(line.slope[0]), float(line.spread[0])
    # Slopes from no return at all down to far below what was seen, denser near 1.
    most = max(4 * point[0], point[0] + 6 * errors[0]) * dt
    grid = np.exp(-most * np.linspace(0, 1, _GRID) ** 2)
    # How likely a smaller statistic than the one seen is: it rises from 0 to 1 as the slope falls, a distribution of confidence.
    chances = np.array([(_find_ratios(slope, kicks) <= (seen - slope) / spread).mean() for slope in grid])
    chances = np.maximum.accumulate(chances)
    highest, middle, lowest = (_find_crossing(grid, chances - level) for level in (tail, 0.5, 1 - tail))
    rates = [-math.log(value) / dt for value in (lowest, middle, highest)]
    # Where no return can be told from none at all, theta and sigma are those of a return within the record.
    slopes = np.clip([_find_crossing(grid, chances - (k + 0.5) / _SLOPES) for k in range(_SLOPES)], 1e-12, math.exp(-1 / n))
    ratios = _draw_ratios(slopes, kicks, dt, n)
    # Ranks out of one more than there are draws: a few draws have no bias.
    low, high = np.nanquantile(ratios, [tail, 1 - tail], method="weibull")
    sigmas = float(point[2] - high * errors[2]), float(point[2] - low * errors[2])
    return rates[1], [(min(rates), max(rates)), _weigh_means(series, slopes, tail), sigmas]


def _weigh_means(series: Sequence[Array], slopes: Array, tail: float) -> tuple[float, float]:
    """Return the interval of theta over slopes that are as likely: for a known slope its law is Student's."""
    count = sum(len(part) for part in series)
    quantiles = student_t.ppf((np.arange(_QUANTILES) + 0.5) / _QUANTILES, count - 1)
    points = []
    for slope in slopes:
        first, rest = 1 - slope**2, 1 - slope
        weight = sum(first + (len(part) - 1) * rest**2 for part in series)
        mean = sum(first * part[0] + rest * (part[1:] - slope * part[:-1]).sum() for part in series) / weight
        centred = [part - mean for part in series]
        squares = sum(first * part[0] ** 2 + ((part[1:] - slope * part[:-1]) ** 2).sum() for part in centred)
        points.append(mean + quantiles * math.sqrt(squares / (count - 1) / weight))
    low, high = np.quantile(np.concatenate(points), [tail, 1 - tail])
    return float(low), float(high)


def _draw_ratios(slopes: Array, kicks: Sequence[Array], dt: float, n: int) -> Array:
    """Return t-statistics of sigma on series whose slopes are spread as confidence in the slope is."""
    found = []
    for slope, rows in zip(slopes, np.array_split(np.arange(len(kicks[0])), len(slopes)), strict=True):
        values, own = _to_process(_draw_lines(*_simulate(float(slope), [kick[rows] for kick in kicks])), dt, n)
        with np.errstate(all="ignore"):
            found.append((values[2] - math.sqrt(-2 * math.log(slope) / dt / (1 - slope**2))) / own[2])
    return np.concatenate(found)


def _simulate(slope: float, kicks: Sequence[Array]) -> tuple[Array, Array]:
    """Return the states before and after each step of stationary series with noise of size 1; from 0 where the slope is 1."""
    parts = []
    for kick in kicks:
        start = kick[:, :1] / math.sqrt(1 - slope**2) if slope < 1 else np.zeros((len(kick), 1))
        parts.append(lfilter([1.0], [1.0, -slope], np.concatenate([start, kick[:, 1:]], axis=1), axis=1))
    return np.concatenate([part[:, :-1] for part in parts], axis=1), np.concatenate([part[:, 1:] for part in parts], axis=1)


def _find_ratios(slope: float, kicks: Sequence[Array]) -> Array:
    """Return draws of the t-statistic of the slope."""
    lines = _draw_lines(*_simulate(slope, kicks))
    return np.asarray((lines.slope - slope) / lines.spread)


def _find_crossing(grid: Array, gaps: Array) -> float:
    """Return the slope at which gaps, which rise along a falling grid, pass through zero; the grid's end where they do not."""
    if gaps[0] >= 0:
        return float(grid[0])
    if (gaps < 0).all():
        return float(grid[-1])
    place = int((gaps >= 0).argmax())
    share = gaps[place] / (gaps[place] - gaps[place - 1])
    return float(grid[place] + share * (grid[place - 1] - grid[place]))


def _learn(values: Array) -> tuple[float, float, float] | None:
    """Return slope, shift and variance of one step; nothing where the series does not return to a mean."""
    line = _draw_lines(values[None, :-1], values[None, 1:])
    slope = float(line.slope[0])
    return (slope, float(line.shift[0]), float(line.variance[0])) if 0 < slope < 1 else None


def _list_values(values: Array, dt: float, shift: float, slope: float, variance: float, member: int) -> pd.DataFrame:
    """Return a row an observation, with its standardized residual and quantiles of the value as the model sees it from the start."""
    steps = np.arange(len(values))
    residuals = np.concatenate([[np.nan], values[1:] - shift - slope * values[:-1]])
    rows = {"member": np.full(len(values), member), "row": steps, "t": steps * dt, "value": values}
    rows["residual"] = residuals / math.sqrt(variance)
    mean = shift / (1 - slope)
    for level in FAN:
        spread = np.sqrt(variance * (1 - slope ** (2 * steps)) / (1 - slope**2))
        rows[f"fan_{level:.2f}"] = mean + (values[0] - mean) * slope**steps + spread * norm.ppf(level)
    return pd.DataFrame(rows)
