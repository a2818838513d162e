"""Stochastic systems by exact maximum likelihood, and what their residuals say.

Geometric Brownian motion dS = mu S dt + sigma S dW: log returns r over dt are independent and normal with mean
(mu - sigma^2/2) dt and variance sigma^2 dt, so sigma^2 = var(r)/dt with divisor n, and mu = mean(r)/dt + sigma^2/2.

Ornstein and Uhlenbeck's process dx = kappa (theta - x) dt + sigma dW: x' is normal given x, with mean
theta + (x - theta) b, b = exp(-kappa dt), and variance v = sigma^2 (1 - b^2) / (2 kappa): a regression of x' on x.

Source: Campbell, Lo and MacKinlay (1997), The Econometrics of Financial Markets, sec. 9.3.2; Tang and Chen (2009),
J. Econometrics 149, 65-81, sec. 2 (also on the bias of kappa in short series).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2, jarque_bera, kurtosis, norm, skew
from statsmodels.stats.diagnostic import acorr_ljungbox

from phaseflow.data import check_numbers
from phaseflow.errors import DataError
from phaseflow.kinds.diffusion import recognise
from phaseflow.models import Fitted, Model
from phaseflow.models._least_squares import Array, check_design, solve_least_squares, tabulate_terms
from phaseflow.models._trajectories import split_members
from phaseflow.settings.fits import Fit
from phaseflow.settings.systems import System

_LAGS = 10
_FEWEST = 2 * _LAGS
# Below this many relaxation times Wald intervals of kappa cover less than they say (measured: 0.91 at 10, 0.95 at 100).
_LONG_ENOUGH = 50
FAN = (0.05, 0.25, 0.5, 0.75, 0.95)


def fit_diffusion(fit: Fit, table: pd.DataFrame, source: str, _rng: np.random.Generator) -> Fitted:
    """Fit a stochastic system to a series, or to the series of each member together.

    Raises
    ------
    DataError : the series cannot be used: too short, not above 0 for prices, or it does not return to a mean.
    """
    if not isinstance(fit.diffusion, System) or fit.series is None:
        raise TypeError("this fit is of no diffusion that is written out")
    series, dt = read_series(fit, table, source)
    law = recognise(fit.diffusion)
    fit_law = {"geometric_brownian_motion": _fit_geometric, "ornstein_uhlenbeck": _fit_reverting}[law.name]
    names, estimates, errors, statistics, rows = fit_law(series, dt, law.names, f"{source}, column {fit.series!r}")
    about = {"model": "diffusion", "law": law.name, "table": fit.to, "series": fit.series, "dt": dt, "confidence": fit.confidence.value}
    terms = tabulate_terms(names, np.array(estimates), np.array(errors), math.inf, fit.confidence.value)
    return Fitted(terms, about | statistics | _judge(rows["residual"].dropna().to_numpy()), rows)


def read_series(fit: Fit, table: pd.DataFrame, source: str) -> tuple[list[Array], float]:
    """Return the series of each member and the time between rows: as stated, or that of column t.

    Raises
    ------
    DataError : the column is no series of numbers, or is too short for the tests.
    """
    column = fit.series or ""
    if fit.dt is not None and "member" not in table:
        check_numbers(table, [column], source)
        series, dt = [table[column].to_numpy(dtype=float)], fit.dt.value
    else:
        samples, spacing = split_members(table, [column], source)
        series, dt = [sample[:, 0] for sample in samples], fit.dt.value if fit.dt is not None else spacing
    if sum(len(part) - 1 for part in series) < _FEWEST:
        raise DataError(f"{source}, column {column!r}: at least {_FEWEST} steps are wanted, not {sum(len(part) - 1 for part in series)}")
    return series, dt


Answer = tuple[list[str], list[float], list[float], dict[str, Any], pd.DataFrame]


def _fit_geometric(series: list[Array], dt: float, names: Sequence[str], source: str) -> Answer:
    for part in series:
        if not (part > 0).all():
            raise DataError(f"{source}: prices must be above 0; row {int((~(part > 0)).argmax()) + 1} has {part[(~(part > 0)).argmax()]:g}")
    returns = np.concatenate([np.diff(np.log(part)) for part in series])
    n, span = len(returns), len(returns) * dt
    mean, variance = float(returns.mean()), float(returns.var())
    if variance == 0:
        raise DataError(f"{source}: the series does not vary")
    sigma, growth = math.sqrt(variance / dt), mean / dt
    drift = growth + sigma**2 / 2
    errors = [math.sqrt(sigma**2 / span + sigma**4 / (2 * n)), sigma / math.sqrt(2 * n), sigma / math.sqrt(span)]
    ends = np.concatenate([np.log(part[1:]) for part in series])
    ratio = n * math.log(float((returns**2).mean()) / variance)
    statistics = {
        "observations": n,
        "duration": span,
        "log_likelihood": -n / 2 * (math.log(2 * math.pi * variance) + 1) - float(ends.sum()),
        # Against a random walk of log S without drift: growth = 0.
        "random_walk_ratio": ratio,
        "random_walk_p": float(chi2.sf(ratio, 1)),
        "walk_forward_error_ratio": _compare_with_walk(returns),
    }
    rows = pd.concat([_list_prices(part, dt, mean, variance, place) for place, part in enumerate(series)], ignore_index=True)
    return [*names, "growth"], [drift, sigma, growth], errors, statistics, rows


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


def _fit_reverting(series: list[Array], dt: float, names: Sequence[str], source: str) -> Answer:
    before, after = (np.concatenate([part[cut] for part in series]) for cut in (slice(None, -1), slice(1, None)))
    design = np.stack([np.ones_like(before), before], axis=1)
    check_design(["1", "x"], design, source)
    solution = solve_least_squares(design, after)
    n, (shift, slope), variance = len(after), solution.estimates, solution.residual_sum / len(after)
    if not 0 < slope < 1 or variance == 0:
        raise DataError(f"{source}: the series does not return to a mean (x' = {slope:.6g} x + ..., where a factor from 0 to 1 is wanted)")
    kappa, theta = -math.log(slope) / dt, shift / (1 - slope)
    sigma = math.sqrt(2 * kappa * variance / (1 - slope**2))
    # How kappa, theta and sigma move with shift, slope and variance: the delta method.
    by_slope = sigma / 2 * (-1 / (slope * kappa * dt) + 2 * slope / (1 - slope**2))
    moves = np.array([[0, -1 / (slope * dt), 0], [1 / (1 - slope), shift / (1 - slope) ** 2, 0], [0, by_slope, sigma / (2 * variance)]])
    spread = np.zeros((3, 3))
    spread[:2, :2] = math.sqrt(variance) * solution.inverse
    spread[2, 2] = variance * math.sqrt(2 / n)
    errors = np.linalg.norm(moves @ spread, axis=1)
    statistics = {
        "observations": n,
        "duration": n * dt,
        "log_likelihood": -n / 2 * (math.log(2 * math.pi * variance) + 1),
        "relaxation_times": kappa * n * dt,
        "is_long_enough": kappa * n * dt >= _LONG_ENOUGH,
    }
    rows = pd.concat([_list_values(part, dt, shift, slope, variance, place) for place, part in enumerate(series)], ignore_index=True)
    return list(names), [kappa, theta, sigma], errors.tolist(), statistics, rows


def _list_values(values: Array, dt: float, shift: float, slope: float, variance: float, member: int) -> pd.DataFrame:
    """Return a row an observation, with its standardized residual and quantiles of the value as the model sees it from the start."""
    steps = np.arange(len(values))
    residuals = np.concatenate([[np.nan], values[1:] - shift - slope * values[:-1]])
    rows = {
        "member": np.full(len(values), member),
        "row": steps,
        "t": steps * dt,
        "value": values,
        "residual": residuals / math.sqrt(variance),
    }
    mean = shift / (1 - slope)
    for level in FAN:
        spread = np.sqrt(variance * (1 - slope ** (2 * steps)) / (1 - slope**2))
        rows[f"fan_{level:.2f}"] = mean + (values[0] - mean) * slope**steps + spread * norm.ppf(level)
    return pd.DataFrame(rows)


def _judge(residuals: Array) -> dict[str, Any]:
    """Test whether standardized residuals are normal and unrelated, and whether their sizes are (their squares).

    Source: Jarque and Bera (1987); Ljung and Box (1978), Biometrika 65, 297-303; McLeod and Li (1983) for squares.
    """
    normality = jarque_bera(residuals)
    alike, clustered = (acorr_ljungbox(values, lags=[_LAGS]).iloc[0] for values in (residuals, residuals**2))
    return {
        "skewness": float(skew(residuals)),
        "excess_kurtosis": float(kurtosis(residuals)),
        "jarque_bera": float(normality.statistic),
        "jarque_bera_p": float(normality.pvalue),
        "ljung_box_lags": _LAGS,
        "ljung_box": float(alike["lb_stat"]),
        "ljung_box_p": float(alike["lb_pvalue"]),
        "ljung_box_squares": float(clustered["lb_stat"]),
        "ljung_box_squares_p": float(clustered["lb_pvalue"]),
    }


MODEL = Model(fit=fit_diffusion)
