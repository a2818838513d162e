"""How sure the data are of what was found: Fisher's information, its eigenvalues, and the intervals that follow.

Source: Seber and Wild (1989), Nonlinear Regression, secs. 2.1.2 and 3.4 (least squares with errors of several sizes: White (1980)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.stats
from numpy.typing import NDArray

from phaseflow.problems._experiments import Sought
from phaseflow.problems._misfits import Misfit
from phaseflow.problems._model import Predicted
from phaseflow.problems._priors import add_up

Array = NDArray[np.float64]

CONFIDENCE = 0.95
# An eigenvalue of the information, scaled to a unit diagonal, below this is nothing that the derivatives tell from zero.
_LEAST_EIGENVALUE = 1e-12
# A value sought that has this part in a direction that the data say nothing of is not identified.
_LARGEST_PART = 0.01


@dataclass(frozen=True)
class Certainty:
    """What the data say of a point.

    Attributes
    ----------
    low, high : shape (n_sought,), the ends of the intervals; infinite where the data do not identify a value, NaN for one at a bound.
    n_identified : how many independent directions the data determine.
    weakest : the least eigenvalue of the information, scaled to a unit diagonal.
    """

    low: Array
    high: Array
    n_identified: int
    weakest: float


def assess(misfit: Misfit, predicted: Predicted, sought: Sought, point: Array) -> Certainty:
    """Return the intervals at a minimum, on the scale of the search, from predictions with derivatives."""
    stretch = sought.find_stretch(point)
    free = (point > sought.lower) & (point < sought.upper)
    low, high = np.full(len(point), np.nan), np.full(len(point), np.nan)
    n_seen, n_free = len(misfit.observed), int(free.sum())
    bread, filling = (part[np.ix_(free, free)] for part in _find_information(misfit, predicted, sought, point, stretch))
    if n_free == 0 or not (np.isfinite(bread).all() and np.isfinite(filling).all()):
        return Certainty(low, high, 0, np.nan)
    scale = np.sqrt(np.diag(bread))
    unit = np.where(scale > 0, scale, 1.0)
    values, vectors = scipy.linalg.eigh(bread / np.outer(unit, unit))
    is_known = values > _LEAST_EIGENVALUE * max(1.0, values.max())
    inverse = (vectors[:, is_known] / values[is_known]) @ vectors[:, is_known].T / np.outer(unit, unit)
    is_lost = (np.abs(vectors[:, ~is_known]) > _LARGEST_PART).any(axis=1)
    deviation = np.sqrt(np.maximum(np.diag(inverse @ filling @ inverse), 0))
    half = np.where(is_lost, np.inf, deviation) * _find_quantile(misfit, n_seen - n_free)
    place = sought.to_scale(point)[free]
    low[free], high[free] = _to_unit(sought, free, place - half), _to_unit(sought, free, place + half)
    return Certainty(low, high, int(is_known.sum()), float(values.min()))


def _find_information(misfit: Misfit, predicted: Predicted, sought: Sought, point: Array, stretch: Array) -> tuple[Array, Array]:
    """Return the information, and the variance of the gradient: the same where the weights are those of the errors."""
    outer = np.outer(stretch, stretch)
    beliefs = np.diag(add_up(sought.priors, point)[2])
    n_seen, n_free = len(misfit.observed), len(point)
    if misfit.sizes == "given":
        information = (misfit.find_curvature(predicted, is_step=False) + beliefs) * outer
        return information, information
    # Sizes that are found from the errors are too small by what the parameters take up.
    inflation = n_seen / max(n_seen - n_free, 1)
    if not misfit.is_squares:
        information = (misfit.find_curvature(predicted, is_step=False) / inflation + beliefs) * outer
        return information, information
    jacobian = misfit.find_jacobian(predicted) * stretch
    ratio = misfit.find_sizes(predicted)[misfit.column] / misfit.units[misfit.column]
    return jacobian.T @ jacobian, inflation * (jacobian * (ratio**2)[:, None]).T @ jacobian


def _find_quantile(misfit: Misfit, n_left: int) -> float:
    """Return how many standard deviations an interval reaches: by the normal distribution where the sizes are given, else Student's."""
    tail = (1 + CONFIDENCE) / 2
    return float(scipy.stats.norm.ppf(tail) if misfit.sizes == "given" else scipy.stats.t.ppf(tail, max(n_left, 1)))


def _to_unit(sought: Sought, free: NDArray[np.bool_], place: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.where(sought.is_log[free], np.exp(np.where(sought.is_log[free], place, 0)), place)
