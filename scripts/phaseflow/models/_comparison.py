"""Whether one forecaster beats another: tests and intervals for forecasts whose errors follow each other in time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

Array = NDArray[np.float64]


def compare_losses(losses: Array, baseline: Array, n_overlapping: int) -> tuple[float, float]:
    """Return Diebold and Mariano's statistic for the mean of losses - baseline, and its two-sided p; negative where losses are less.

    The variance of the mean is Newey and West's over the lags at which forecasts overlap, with Harvey, Leybourne and Newbold's correction
    for few forecasts.

    Source: Diebold and Mariano (1995), J. Bus. Econ. Stat. 13, 253-263; Harvey et al. (1997), Int. J. Forecasting 13, 281-291, eq. 9.

    Parameters
    ----------
    losses, baseline : shape (n_forecasts,), in the order of time.
    n_overlapping : how many forecasts in a row look at times in common.
    """
    difference = losses - baseline
    n, lags = len(difference), max(1, min(n_overlapping, len(difference) // 2))
    centred = difference - difference.mean()
    variance = float(centred @ centred)
    for lag in range(1, lags):
        variance += 2 * (1 - lag / lags) * float(centred[lag:] @ centred[:-lag])
    variance /= n**2
    if not variance > 0:
        return math.nan, math.nan
    correction = (n + 1 - 2 * lags + lags * (lags - 1) / n) / n
    statistic = float(difference.mean()) / math.sqrt(variance) * math.sqrt(max(correction, 1 / n))
    return statistic, float(2 * student_t.sf(abs(statistic), n - 1))


def resample_median(
    values: Array, n_overlapping: int, confidence: float, rng: np.random.Generator, replicates: int
) -> tuple[float, float, float]:
    """Return the standard error and an interval of the median of values that follow each other, by moving blocks of as many as overlap.

    Source: Kuensch (1989), Annals of Statistics 17, 1217-1241.
    """
    n = len(values)
    length = max(1, min(n_overlapping, n // 3))
    starts = rng.integers(0, n - length + 1, size=(replicates, -(-n // length)))
    drawn = values[(starts[:, :, None] + np.arange(length)).reshape(replicates, -1)[:, :n]]
    medians = np.median(drawn, axis=1)
    low, high = np.quantile(medians, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(medians.std(ddof=1)), float(low), float(high)
