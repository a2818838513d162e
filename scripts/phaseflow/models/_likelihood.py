"""The greatest likelihood of a few parameters, and what its curvature says of their errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from phaseflow.models._least_squares import Array

_SIMPLEX = {"xatol": 1e-8, "fatol": 1e-8, "maxiter": 4_000, "maxfev": 8_000}
# Second differences lose half of the digits; steps of this share of a standard error leave enough.
_STEP = 1e-2


@dataclass(frozen=True)
class Peak:
    """The point of the greatest likelihood, with the covariance of the parameters by its curvature there."""

    point: Array
    value: float
    covariance: Array
    is_converged: bool


def maximise(find_likelihood: Callable[[Array], float], start: Array, sizes: Array) -> Peak:
    """Maximise a log-likelihood by Nelder and Mead's simplex, started anew at its own answer, in units of the parameters' sizes.

    Parameters
    ----------
    find_likelihood : NaN or infinite where the parameters are not allowed.
    """

    def lose(place: Array) -> float:
        value = find_likelihood(place * sizes)
        return -value if np.isfinite(value) else 1e300

    answer = minimize(lose, start / sizes, method="Nelder-Mead", options=_SIMPLEX)
    answer = minimize(lose, answer.x, method="Nelder-Mead", options=_SIMPLEX)
    point = np.asarray(answer.x * sizes)
    covariance = _invert_curvature(find_likelihood, point)
    return Peak(point, -float(answer.fun), covariance, bool(answer.success) and bool(np.isfinite(covariance).all()))


def _invert_curvature(find_likelihood: Callable[[Array], float], point: Array) -> Array:
    """Return the inverse of minus the matrix of second derivatives; NaN where that is not positive definite."""
    count = len(point)
    steps = np.array([_find_step(find_likelihood, point, place) for place in range(count)])
    units = np.eye(count) * steps
    information = np.empty((count, count))
    for i in range(count):
        for j in range(i, count):
            corners = [find_likelihood(point + a * units[i] + b * units[j]) for a in (1, -1) for b in (1, -1)]
            information[i, j] = information[j, i] = -(corners[0] - corners[1] - corners[2] + corners[3]) / (4 * steps[i] * steps[j])
    if not np.isfinite(information).all() or np.linalg.eigvalsh(information).min() <= 0:
        return np.full((count, count), np.nan)
    return np.asarray(np.linalg.inv(information))


def _find_step(find_likelihood: Callable[[Array], float], point: Array, place: int) -> float:
    """Return a step that changes the log-likelihood by about a ten-thousandth: a hundredth of a standard error."""
    best, unit = find_likelihood(point), np.eye(len(point))[place]
    step = 1e-4 * max(abs(float(point[place])), 1e-4)
    for _ in range(60):
        fall = best - 0.5 * (find_likelihood(point + step * unit) + find_likelihood(point - step * unit))
        if not np.isfinite(fall):
            step /= 2
        elif fall < _STEP**2 / 2:
            step *= 2
        elif fall > 8 * _STEP**2:
            step /= 2
        else:
            break
    return step
