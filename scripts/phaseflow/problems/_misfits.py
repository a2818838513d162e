"""How far predictions are from the records: what a calibration minimises.

Least squares: the sum of squares of (predicted - observed) / s, where s is the standard deviation of each observed column.
Otherwise the negative log-likelihood, with u the error, that of the logarithm where errors are lognormal:
normal and lognormal  u**2/(2 sigma**2) + log(sigma) + log(2 pi)/2, for the lognormal + log(observed);
laplace  |u|/sigma + log(2 sigma).
Where the sizes are not given they are at their best for the point (Seber and Wild (1989), Nonlinear Regression, sec. 2.2.3):
of each column the root mean square of u, or the mean of |u|.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from phaseflow.problems._experiments import Setup
from phaseflow.problems._model import Predicted

Array = NDArray[np.float64]

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_LOGS = {"linear": 0.0, "log": 1.0, "log10": 1 / math.log(10)}
# An error of the Laplace distribution below this part of its size counts as of this size in the weights of a step.
_LEAST_ERROR = 1e-3


@dataclass(frozen=True)
class Terms:
    """What the value of a point is made of, one of each value observed.

    Attributes
    ----------
    errors : u; sizes : sigma; stretch : the derivative of u by the prediction.
    """

    errors: Array
    sizes: Array
    stretch: Array


@dataclass(frozen=True)
class Misfit:
    """The misfit of records.

    Attributes
    ----------
    observed : shape (n_seen,); column : shape (n_seen,), which column each is of.
    units : shape (n_columns,): the standard deviation of each column in the records; those of least squares.
    logs : shape (n_columns,): what the natural logarithm is multiplied by; 0 where the errors are of the value itself.
    is_absolute : shape (n_columns,): whose errors have Laplace's distribution.
    """

    observed: Array
    column: NDArray[np.intp]
    units: Array
    logs: Array
    is_absolute: NDArray[np.bool_]
    sizes: str

    @property
    def is_squares(self) -> bool:
        """Whether the value is a sum of squares."""
        return self.sizes == "squares"

    @cached_property
    def _logs(self) -> Array:
        return self.logs[self.column]

    @cached_property
    def _is_absolute(self) -> NDArray[np.bool_]:
        return self.is_absolute[self.column]

    @cached_property
    def _constant(self) -> float:
        """What the change from a value to its logarithm adds to the likelihood."""
        is_log = self._logs > 0
        return float((np.log(self.observed[is_log]) - np.log(self._logs[is_log])).sum())

    def with_observed(self, observed: Array) -> Misfit:
        """Return the misfit of other values."""
        return replace(self, observed=observed)

    def split(self, predicted: Predicted) -> Terms:
        """Return errors and sizes; NaN where there is no likelihood."""
        values, is_log = predicted.values, self._logs > 0
        with np.errstate(all="ignore"):
            positive = np.where(values > 0, values, np.nan)
            differences = np.log(positive) - np.log(np.where(is_log, self.observed, 1.0))
            errors = np.where(is_log, self._logs * differences, values - self.observed)
            stretch = np.where(is_log, self._logs / positive, 1.0)
        return Terms(errors, self._find_sizes(errors, predicted), stretch)

    def _find_sizes(self, errors: Array, predicted: Predicted) -> Array:
        if self.sizes == "given":
            return np.where(predicted.sizes > 0, predicted.sizes, np.nan)
        return self.units[self.column] if self.is_squares else self.average(errors)[self.column]

    def average(self, errors: Array) -> Array:
        """Return the most likely size of each column's errors, NaN for a column without."""
        found = np.full(len(self.units), np.nan)
        for place in np.unique(self.column):
            own = errors[self.column == place]
            found[place] = np.mean(np.abs(own)) if self.is_absolute[place] else np.sqrt(np.mean(own**2))
        return found

    def find_value(self, predicted: Predicted) -> float:
        """Return the sum of squares or the negative log-likelihood; infinite where there is none."""
        terms = self.split(predicted)
        with np.errstate(all="ignore"):
            ratio = terms.errors / terms.sizes
            if self.is_squares:
                value = float(ratio @ ratio)
            else:
                of_normal = ratio**2 / 2 + np.log(terms.sizes) + _HALF_LOG_TWO_PI
                of_laplace = np.abs(ratio) + np.log(2 * terms.sizes)
                value = self._constant + float(np.where(self._is_absolute, of_laplace, of_normal).sum())
        return value if math.isfinite(value) else math.inf

    def find_gradient(self, predicted: Predicted) -> Array:
        """Return the gradient; sizes that follow the point add nothing at their best."""
        terms, is_absolute = self.split(predicted), self._is_absolute
        with np.errstate(all="ignore"):
            ratio = terms.errors / terms.sizes
            by_error = np.where(is_absolute, np.sign(ratio), ratio) / terms.sizes
            gradient: Array = (by_error * terms.stretch) @ predicted.slopes
            if self.sizes == "given":
                by_size = (1 - np.where(is_absolute, np.abs(ratio), ratio**2)) / terms.sizes
                gradient = gradient + by_size @ predicted.size_slopes
        return 2 * gradient if self.is_squares else gradient

    def find_curvature(self, predicted: Predicted, is_step: bool = True) -> Array:
        """Return a positive semidefinite stand-in for the Hessian, shape (n_sought, n_sought).

        It is the expected one (Fisher's information), with Gauss and Newton's for least squares. For a step, absolute errors are
        weighed by the inverse of their size, so that the quadratic lies above them (Schlossmacher (1973), JASA 68, 857-859).
        """
        terms, is_absolute = self.split(predicted), self._is_absolute
        with np.errstate(all="ignore"):
            slopes = predicted.slopes * terms.stretch[:, None]
            least = np.maximum(np.abs(terms.errors), _LEAST_ERROR * terms.sizes) if is_step else terms.sizes
            weights = 1 / (terms.sizes * np.where(is_absolute, least, terms.sizes))
            curvature: Array = (slopes * weights[:, None]).T @ slopes
            if self.sizes == "given":
                ratio = predicted.size_slopes / terms.sizes[:, None]
                curvature = curvature + (ratio * np.where(is_absolute, 1.0, 2.0)[:, None]).T @ ratio
        return 2 * curvature if self.is_squares else curvature

    def find_residuals(self, predicted: Predicted) -> Array:
        """Return the terms of the sum of squares."""
        residuals: Array = (predicted.values - self.observed) / self.units[self.column]
        return residuals

    def find_jacobian(self, predicted: Predicted) -> Array:
        """Return the derivatives of the terms of the sum of squares."""
        jacobian: Array = predicted.slopes / self.units[self.column, None]
        return jacobian

    def find_sizes(self, predicted: Predicted) -> Array:
        """Return the size of each column's errors: the most likely one; where it is given, its root mean square."""
        terms = self.split(predicted)
        return self.average(terms.errors) if self.sizes != "given" else np.sqrt(self._average_squares(terms.sizes))

    def _average_squares(self, values: Array) -> Array:
        counts = np.bincount(self.column, minlength=len(self.units))
        with np.errstate(all="ignore"):
            return np.bincount(self.column, weights=values**2, minlength=len(self.units)) / counts


def make_misfit(setup: Setup, observed: Array, column: NDArray[np.intp]) -> Misfit:
    """Return the misfit of a setup's records, in one line as the model predicts them."""
    units = np.array([measure_spread(observed[column == place]) for place in range(len(setup.columns))])
    logs = np.array([_LOGS[one.scale] for one in setup.columns])
    is_absolute = np.array([one.shape == "laplace" for one in setup.columns])
    return Misfit(observed, column, units, logs, is_absolute, setup.sizes)


def measure_spread(values: Array) -> float:
    """Return the standard deviation of what is observed of a column; 1 for one that does not vary."""
    spread = float(np.std(values)) if len(values) else 0.0
    return spread if spread > 0 else 1.0
