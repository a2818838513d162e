"""Geometric Brownian motion: its steps in the logarithm are independent and normal, so its intervals are exact.

The mean step has Student's distribution, the variance that of chi squared, and the drift mu = growth + sigma^2/2 an interval that
recovers the variances of the two from theirs.

Source: Zou, Huo and Taleban (2009), Environmetrics 20, 172-180, eq. 5 (the mean of a lognormal variable).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm
from scipy.stats import t as student_t

from phaseflow.errors import DataError
from phaseflow.models._least_squares import Array
from phaseflow.models._series import FAN, Calibrated, cover_ahead


def fit_geometric(series: Sequence[Array], dt: float, names: Sequence[str], source: str, confidence: float) -> Calibrated:
    """Fit drift and volatility, with the growth of the logarithm beside them.

    Raises
    ------
    DataError : a price is not above 0, or the series does not vary.
    """
    for part in series:
        if not (part > 0).all():
            raise DataError(f"{source}: prices must be above 0; row {int((~(part > 0)).argmax()) + 1} has {part[(~(part > 0)).argmax()]:g}")
    returns = np.concatenate([np.diff(np.log(part)) for part in series])
    n, span = len(returns), len(returns) * dt
    mean, variance = float(returns.mean()), float(returns.var())
    if variance == 0:
        raise DataError(f"{source}: the series does not vary")
    sigma, growth = math.sqrt(variance / dt), mean / dt
    errors = [math.sqrt(sigma**2 / span + sigma**4 / (2 * n)), sigma / math.sqrt(2 * n), sigma / math.sqrt(span)]
    ends = np.concatenate([np.log(part[1:]) for part in series])
    ratio = n * math.log(float((returns**2).mean()) / variance)
    statistics = {
        "observations": n,
        "duration": span,
        "log_likelihood": -n / 2 * (math.log(2 * math.pi * variance) + 1) - float(ends.sum()),
        "intervals": "exact",
        # Against a random walk of log S without drift: growth = 0.
        "random_walk_ratio": ratio,
        "random_walk_p": float(chi2.sf(ratio, 1)),
        "walk_forward_error_ratio": _compare_with_walk(returns),
        "fan_coverage": cover_ahead([np.log(part) for part in series], _learn),
    }
    rows = pd.concat([_list_prices(part, dt, mean, variance, place) for place, part in enumerate(series)], ignore_index=True)
    estimates = [growth + sigma**2 / 2, sigma, growth]
    return Calibrated([*names, "growth"], estimates, errors, _find_intervals(growth, sigma, n, span, confidence), statistics, rows)


def _find_intervals(growth: float, sigma: float, n: int, span: float, confidence: float) -> list[tuple[float, float]]:
    """Return the intervals of drift, volatility and growth."""
    unbiased = sigma * math.sqrt(n / (n - 1))
    reach = float(student_t.ppf(0.5 + confidence / 2, n - 1)) * unbiased / math.sqrt(span)
    low, high = (math.sqrt(n * sigma**2 / float(chi2.ppf(0.5 + side * confidence / 2, n - 1))) for side in (1, -1))
    half = unbiased**2 / 2
    down, up = math.hypot(reach, half - low**2 / 2), math.hypot(reach, high**2 / 2 - half)
    return [(growth + half - down, growth + half + up), (low, high), (growth - reach, growth + reach)]


def _learn(logs: Array) -> tuple[float, float, float]:
    """Return slope, shift and variance of one step of the logarithm."""
    steps = np.diff(logs)
    return 1.0, float(steps.mean()), float(steps.var(ddof=1))


def _compare_with_walk(returns: Array) -> float:
    """Return the root mean square error of one-step forecasts by the mean so far, over that of no change at all.

    Over the second half of the series; each forecast knows what came before it alone.
    """
    half = len(returns) // 2
    means = np.cumsum(returns)[half - 1 : -1] / np.arange(half, len(returns))
    later = returns[half:]
    return float(np.sqrt(((later - means) ** 2).mean() / (later**2).mean()))


def _list_prices(prices: Array, dt: float, mean: float, variance: float, member: int) -> pd.DataFrame:
    """Return a row an observation, with its standardized log return and quantiles of the price as the model sees it from the start."""
    steps = np.arange(len(prices))
    returns = np.concatenate([[np.nan], np.diff(np.log(prices))])
    rows = {"member": np.full(len(prices), member), "row": steps, "t": steps * dt, "value": prices}
    rows |= {"log_return": returns, "residual": (returns - mean) / math.sqrt(variance)}
    for level in FAN:
        rows[f"fan_{level:.2f}"] = prices[0] * np.exp(steps * mean + np.sqrt(steps * variance) * norm.ppf(level))
    return pd.DataFrame(rows)
