"""Cox, Ingersoll and Ross's process: its transitions have a noncentral chi-squared law, of which the logarithm is computed.

c = 2 kappa / (sigma^2 (1 - exp(-kappa dt))), u = c x exp(-kappa dt), v = c x', q = 2 kappa theta / sigma^2 - 1:
p(x' | x) = c exp(-u - v) (v/u)^(q/2) I_q(2 sqrt(u v)).

Source: Cox, Ingersoll and Ross (1985), Econometrica 53, 385-407, eq. 18; Abramowitz and Stegun (1964), 9.7.7 (I_q of large order);
Tang and Chen (2009), J. Econometrics 149, 65-81 (the bias of kappa, and its correction by simulation).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ive
from scipy.stats import ncx2, norm

from phaseflow.errors import DataError
from phaseflow.models._least_squares import Array
from phaseflow.models._likelihood import Peak, maximise
from phaseflow.models._series import FAN, Calibrated

LONG_ENOUGH = 50.0
_REPLICATES = 199
# From this order on the uniform expansion is right to 1e-7 and better, where I_q itself underflows.
_LARGE_ORDER = 30.0


def fit_square_root(
    series: Sequence[Array],
    dt: float,
    names: Sequence[str],
    source: str,
    confidence: float,
    replicates: int | None,
    rng: np.random.Generator,
) -> Calibrated:
    """Fit rate, mean and volatility; on a short series, with intervals from series simulated by the fit.

    Raises
    ------
    DataError : a value is not above 0, or the series does not return to a mean.
    """
    for part in series:
        if not (part > 0).all():
            raise DataError(f"{source}: values must be above 0; row {int((~(part > 0)).argmax()) + 1} has {part[(~(part > 0)).argmax()]:g}")
    before, after = (np.concatenate([part[cut] for part in series]) for cut in (slice(None, -1), slice(1, None)))
    peak = find_peak(before, after, dt)
    if peak is None:
        raise DataError(f"{source}: the series does not return to a mean, so it is no such process")
    point, errors = np.exp(peak.point), np.exp(peak.point) * np.sqrt(np.diag(peak.covariance))
    relaxations = float(point[0] * len(after) * dt)
    statistics: dict[str, Any] = {
        "observations": len(after),
        "duration": len(after) * dt,
        "log_likelihood": peak.value,
        "relaxation_times": relaxations,
        "is_long_enough": relaxations >= LONG_ENOUGH,
        "intervals": "normal, of the logarithms",
        "converged": peak.is_converged,
    }
    reach = float(norm.ppf(0.5 + confidence / 2)) * errors / point
    intervals = list(zip((point * np.exp(-reach)).tolist(), (point * np.exp(reach)).tolist(), strict=True))
    estimates = point
    if relaxations < LONG_ENOUGH:
        estimates, intervals = _correct(peak, series, dt, confidence, replicates or _REPLICATES, rng)
        statistics |= {"intervals": "bootstrap of t-statistics", "uncorrected": dict(zip(names, map(float, point), strict=True))}
    rows = pd.concat([_list_values(part, dt, point, place) for place, part in enumerate(series)], ignore_index=True)
    return Calibrated(list(names), estimates.tolist(), errors.tolist(), intervals, statistics, rows)


def find_peak(before: Array, after: Array, dt: float) -> Peak | None:
    """Return the greatest likelihood in the logarithms of the parameters; nothing where it has no curvature."""
    slope = float(np.clip(np.polyfit(before, after, 1)[0], 0.01, 1 - 0.1 / len(after)))
    residuals = (after - after.mean() - slope * (before - before.mean())) / np.sqrt(before)
    start = np.log([-math.log(slope) / dt, after.mean(), math.sqrt(float(residuals.var()) / dt)])
    peak = maximise(lambda place: find_likelihood(np.exp(np.clip(place, -50, 50)), before, after, dt), start, np.ones(3))
    return peak if np.isfinite(peak.covariance).all() else None


def find_likelihood(point: Array, before: Array, after: Array, dt: float) -> float:
    """Return the logarithm of the likelihood of kappa, theta and sigma."""
    kappa, theta, sigma = point
    with np.errstate(all="ignore"):
        c = 2 * kappa / (sigma**2 * -np.expm1(-kappa * dt))
        u, v, q = c * before * math.exp(-kappa * dt), c * after, 2 * kappa * theta / sigma**2 - 1
        total = np.log(c) - u - v + q / 2 * np.log(v / u) + log_bessel(float(q), 2 * np.sqrt(u * v))
    return float(total.sum())


def log_bessel(order: float, z: Array) -> Array:
    """Return the logarithm of the modified Bessel function I of an order above -1."""
    if order < _LARGE_ORDER:
        return np.asarray(np.log(ive(order, z)) + z)
    ratio = z / order
    root = np.sqrt(1 + ratio**2)
    p = 1 / root
    first = (3 * p - 5 * p**3) / 24
    second = (81 * p**2 - 462 * p**4 + 385 * p**6) / 1152
    third = (30375 * p**3 - 369603 * p**5 + 765765 * p**7 - 425425 * p**9) / 414720
    series = first / order + second / order**2 + third / order**3
    phase = root + np.log(ratio / (1 + root))
    return np.asarray(order * phase - 0.5 * np.log(2 * math.pi * order * root) + np.log1p(series))


def _correct(
    peak: Peak, series: Sequence[Array], dt: float, confidence: float, replicates: int, rng: np.random.Generator
) -> tuple[Array, list[tuple[float, float]]]:
    """Return estimates less their bias, in the logarithms, and intervals by the t-statistics of simulated series."""
    errors = np.sqrt(np.diag(peak.covariance))
    first = _draw_ratios(peak.point, series, dt, replicates, rng)
    # Once more at the corrected point: the bias of kappa hardly depends on kappa, but its spread does.
    corrected = peak.point - np.median(first[:, 1], axis=0)
    ratios = _draw_ratios(corrected, series, dt, replicates, rng)[:, 0]
    low, high = np.quantile(ratios, [0.5 - confidence / 2, 0.5 + confidence / 2], axis=0)
    bounds = np.exp(np.stack([peak.point - high * errors, peak.point - low * errors], axis=1))
    return np.exp(corrected), [(float(a), float(b)) for a, b in bounds]


def _draw_ratios(point: Array, series: Sequence[Array], dt: float, replicates: int, rng: np.random.Generator) -> Array:
    """Return t-statistics and errors of the logarithms on simulated series, of shape (n, 2, 3); those without a peak are left out."""
    found = []
    for _ in range(replicates):
        simulated = [simulate(np.exp(point), len(part), dt, rng) for part in series]
        before, after = (np.concatenate([part[cut] for part in simulated]) for cut in (slice(None, -1), slice(1, None)))
        peak = find_peak(before, after, dt)
        if peak is not None:
            error = peak.point - point
            found.append(np.stack([error / np.sqrt(np.diag(peak.covariance)), error]))
    return np.array(found)


def simulate(point: Array, count: int, dt: float, rng: np.random.Generator) -> Array:
    """Return values that are evenly spaced, from the stationary law on."""
    kappa, theta, sigma = point
    decay = math.exp(-kappa * dt)
    c, freedom = 2 * kappa / (sigma**2 * (1 - decay)), 4 * kappa * theta / sigma**2
    values = np.empty(count)
    values[0] = rng.gamma(freedom / 2, sigma**2 / (2 * kappa))
    for place in range(1, count):
        values[place] = rng.noncentral_chisquare(freedom, 2 * c * decay * values[place - 1]) / (2 * c)
    return np.asarray(np.maximum(values, np.finfo(float).tiny))


def _list_values(values: Array, dt: float, point: Array, member: int) -> pd.DataFrame:
    """Return a row an observation, with its residual made normal by its own law, and quantiles as the model sees it from the start."""
    kappa, theta, sigma = point
    steps = np.arange(len(values))
    freedom = 4 * kappa * theta / sigma**2

    def scale(time: Any) -> tuple[Array, Array]:
        decay = np.exp(-kappa * np.asarray(time))
        return 2 * kappa / (sigma**2 * (1 - decay)), decay

    c, decay = scale(dt)
    probabilities = ncx2.cdf(2 * c * values[1:], freedom, 2 * c * decay * values[:-1])
    margin = np.finfo(float).eps
    residuals = np.concatenate([[np.nan], norm.ppf(np.clip(probabilities, margin, 1 - margin))])
    rows = {"member": np.full(len(values), member), "row": steps, "t": steps * dt, "value": values, "residual": residuals}
    ahead, fading = scale(steps[1:] * dt)
    for level in FAN:
        later = ncx2.ppf(level, freedom, 2 * ahead * fading * values[0]) / (2 * ahead)
        rows[f"fan_{level:.2f}"] = np.concatenate([values[:1], later])
    return pd.DataFrame(rows)
