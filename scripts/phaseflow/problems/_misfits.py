"""How far predictions are from a record: what a calibration minimises.

With normal errors the value is the sum of squares of (predicted - observed) / s, where s is the standard deviation of each
observed column in the record. With lognormal errors it is the full negative log-likelihood with the size of each column's errors
at its best for the point (Seber and Wild (1989), Nonlinear Regression, sec. 2.2.3):
sum of log(y) + n/2 log(2 pi) + n log(sigma) + n/2 over the columns, with sigma**2 the mean of (log(predicted) - log(y))**2.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Squares:
    """The misfit of normal errors: each column in units of its standard deviation."""

    def __init__(self, observed: Array) -> None:
        self.observed, self.units = observed, measure_spread(observed)
        self.is_seen = np.isfinite(observed)

    def find_residuals(self, predicted: Array) -> Array:
        """Return the terms of the sum of squares."""
        residuals: Array = ((predicted - self.observed) / self.units)[self.is_seen]
        return residuals

    def find_jacobian(self, jacobian: Array) -> Array:
        """Return the derivatives of the terms, given those of the predictions."""
        derivatives: Array = (jacobian / self.units[:, None])[self.is_seen]
        return derivatives

    def find_value(self, predicted: Array) -> float:
        """Return the sum of squares; infinite where the prediction failed."""
        residuals = self.find_residuals(predicted)
        return float(residuals @ residuals) if np.isfinite(residuals).all() else math.inf

    def find_gradient(self, predicted: Array, jacobian: Array) -> Array:
        """Return the gradient of the sum of squares."""
        return 2 * self.find_residuals(predicted) @ self.find_jacobian(jacobian)

    def find_sizes(self, predicted: Array) -> list[float]:
        """Return the root mean square of each column's errors, in the column's own unit."""
        return _average_squares(predicted - self.observed, self.is_seen)


class Likelihood:
    """The misfit of lognormal errors, the size of each column's errors solved for."""

    def __init__(self, observed: Array) -> None:
        self.is_seen = np.isfinite(observed)
        self.logs = np.log(np.where(self.is_seen, observed, 1.0))
        self.counts = self.is_seen.sum(axis=0)
        self.constant = float(self.logs.sum() + self.counts.sum() * (math.log(2 * math.pi) + 1) / 2)

    def _differ(self, predicted: Array) -> Array:
        """Return the errors of the logarithms, 0 where nothing was observed, NaN where a prediction is not above 0."""
        with np.errstate(all="ignore"):
            return np.where(self.is_seen, np.log(np.where(predicted > 0, predicted, np.nan)) - self.logs, 0.0)

    def find_value(self, predicted: Array) -> float:
        """Return the negative log-likelihood; infinite where there is none."""
        with np.errstate(all="ignore"):
            value = self.constant + float((self.counts * np.log(self.find_sizes(predicted))).sum())
        return value if math.isfinite(value) else math.inf

    def find_gradient(self, predicted: Array, jacobian: Array) -> Array:
        """Return the gradient of the negative log-likelihood; the sizes follow, and add nothing at their best."""
        errors = self._differ(predicted)
        with np.errstate(all="ignore"):
            weights = errors / np.array(self.find_sizes(predicted)) ** 2 / predicted
        gradient: Array = np.einsum("tc,tcp->p", np.where(self.is_seen, weights, 0.0), jacobian)
        return gradient

    def find_sizes(self, predicted: Array) -> list[float]:
        """Return the standard deviation of the errors of each column's logarithms at its most likely."""
        return _average_squares(self._differ(predicted), self.is_seen)


MISFITS: dict[str, type[Squares] | type[Likelihood]] = {"normal": Squares, "lognormal": Likelihood}


def _average_squares(errors: Array, is_seen: Any) -> list[float]:
    return [float(np.sqrt(np.mean(errors[chosen, place] ** 2))) for place, chosen in enumerate(is_seen.T)]


def measure_spread(observed: Array) -> Array:
    """Return the standard deviation of each column; 1 for one that does not vary."""
    spread: Array = np.nanstd(observed, axis=0)
    return np.where(spread > 0, spread, 1.0)
