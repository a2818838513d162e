"""Nonlinear least squares in doubles: a curve with its exact Jacobian, and the search for its parameters.

The trust-region method of Branch, Coleman and Li (1999) as scipy has it, scaled by the Jacobian's columns and run to
the last digits of a double, then Gauss-Newton steps by QR as long as they bring the gradient nearer to zero.

Source: Branch, Coleman and Li (1999), SIAM J. Sci. Comput. 21, 1-23.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import heyoka as hy
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats.qmc import Halton

from phaseflow.expressions.compiled import to_heyoka
from phaseflow.expressions.quantity import Expression
from phaseflow.models._least_squares import Array

# The least tolerance that means something in doubles: with scipy's own, 1e-8, hard problems end short of their minimum.
_TOLERANCE = 1e-15
_MAX_EVALUATIONS = 10_000
_MAX_REFINEMENTS = 20
# A point is a minimum where the residuals' part in the tangent plane is less than this share of them, or rounding of the data.
_STATIONARY, _ROUNDING = 1e-6, 1e-12
# Two starts have ended at the same minimum where their sums of squares agree to this share.
_SAME = 1e-6
# The squares of as many residuals as there are can still be added up.
_LARGEST = 1e150
# How far to either side of a start further ones lie, as a factor where it is not zero.
_SPREAD = 10.0


class Function(Protocol):
    """What has values and a Jacobian by its parameters at every row."""

    def evaluate(self, point: Array, columns: Array) -> tuple[Array, Array]:
        """Return the values, of shape (n_rows,), and the Jacobian, of shape (n_rows, n_parameters)."""
        ...


class Curve:
    """A curve with its exact derivatives by its parameters, compiled."""

    def __init__(self, curve: Expression, names: Sequence[str], columns: Sequence[str]) -> None:
        # One small function: nothing of it is to be written into the user's home.
        hy.llvm_state.set_diskcache_enabled(False)
        variables = [hy.expression(name) for name in (*names, *columns)]
        self._tree = to_heyoka(curve.tree, dict(zip((*names, *columns), variables, strict=True)))
        self._variables, self._n = variables, len(names)
        slopes = [hy.diff(self._tree, variable) for variable in variables[: len(names)]]
        self._function = hy.cfunc([self._tree, *slopes], vars=variables)

    def evaluate(self, point: Array, columns: Array) -> tuple[Array, Array]:
        """Return the values, of shape (n_rows,), and the Jacobian, of shape (n_rows, n_parameters)."""
        outputs = np.array(self._function(self._stack(point, columns)))
        return outputs[0], outputs[1:].T

    def bend(self, point: Array, columns: Array, weights: Array) -> Array:
        """Return the second derivatives by the parameters, of shape (n_parameters, n_parameters), summed over rows with weights."""
        pairs = [(i, j) for i in range(self._n) for j in range(i + 1)]
        seconds = [hy.diff(hy.diff(self._tree, self._variables[i]), self._variables[j]) for i, j in pairs]
        sums = np.array(hy.cfunc(seconds, vars=self._variables)(self._stack(point, columns))) @ weights
        total = np.zeros((self._n, self._n))
        for (i, j), value in zip(pairs, sums, strict=True):
            total[i, j] = total[j, i] = value
        return total

    def _stack(self, point: Array, columns: Array) -> Any:
        return np.ascontiguousarray(np.vstack([np.repeat(np.asarray(point, dtype=float)[:, None], columns.shape[1], axis=1), columns]))


@dataclass(frozen=True)
class Target:
    """What a curve is to come near to, in doubles.

    Attributes
    ----------
    columns : shape (n_columns, n_rows), in the curve's order.
    roots : shape (n_rows,), the square roots of the weights.
    lower, upper : shape (n_parameters,), the bounds.
    """

    curve: Function
    columns: Array
    observed: Array
    roots: Array
    lower: Array
    upper: Array

    def miss(self, point: Array) -> tuple[Array, Array]:
        """Return what is missing at each row, observed less curve, and the Jacobian of the curve, both times the roots.

        What is too large for its square to be a double counts as infinite.
        """
        values, slopes = self.curve.evaluate(point, self.columns)
        with np.errstate(all="ignore"):
            missing = self.roots * (self.observed - values)
            return np.where(np.abs(missing) < _LARGEST, missing, np.inf), self.roots[:, None] * slopes


@dataclass(frozen=True)
class Found:
    """Where a search ended.

    Attributes
    ----------
    is_held : shape (n_parameters,), whether the parameter lies at a bound that holds it back.
    stationarity : the share of the residuals that lies in the tangent plane of the free parameters: 0 at a minimum.
    residual_sum : the sum of squared residuals, weighted.
    """

    point: Array
    is_held: NDArray[np.bool_]
    evaluations: int
    stationarity: float
    is_minimum: bool
    message: str
    residual_sum: float

    def describe(self) -> dict[str, Any]:
        """Return what the statistics say of the search."""
        about = {"converged": self.is_minimum, "stationarity": self.stationarity}
        return about | {"evaluations": self.evaluations, "message": self.message}


@dataclass(frozen=True)
class Descent:
    """Where the trust-region method ended."""

    point: Array
    evaluations: int
    message: str


def descend(target: Target, start: Array, tolerance: float, most: int) -> Descent:
    """Follow the trust-region method from a start at which curve and Jacobian are finite; it may break off where they are not."""
    last = np.clip(start, target.lower, target.upper)
    count = 0

    def find_slopes(point: Array) -> Array:
        nonlocal last, count
        slopes = target.miss(point)[1]
        if not np.isfinite(slopes).all():
            raise _NoSlopeError
        last, count = point, count + 1
        return slopes

    # Careful: scipy divides by zero where the Jacobian is singular, and goes on well.
    with np.errstate(all="ignore"):
        try:
            outcome = least_squares(
                lambda point: -target.miss(point)[0],
                last,
                jac=find_slopes,
                bounds=(target.lower, target.upper),
                method="trf",
                x_scale="jac",
                ftol=tolerance,
                xtol=tolerance,
                gtol=tolerance,
                max_nfev=most,
            )
        except (_NoSlopeError, np.linalg.LinAlgError):
            return Descent(last, count, "the search came to where the curve has no finite slope")
    return Descent(outcome.x, int(outcome.nfev), str(outcome.message))


class _NoSlopeError(ArithmeticError):
    pass


def search_from(target: Target, start: Array) -> Found:
    """Search from one start, at which curve and Jacobian are finite."""
    descent = descend(target, start, _TOLERANCE, _MAX_EVALUATIONS)
    point, is_held = _snap(target, descent.point)
    point, inside, evaluations = _refine(target, point, is_held)
    residual = float(np.linalg.norm(target.miss(point)[0]))
    is_minimum = inside <= _STATIONARY * residual + _ROUNDING * float(np.linalg.norm(target.roots * target.observed))
    share = inside / residual if residual > 0 else 0.0
    return Found(point, is_held, descent.evaluations + evaluations, share, is_minimum, descent.message, residual**2)


def search_from_all(target: Target, starts: Array) -> tuple[Found, dict[str, Any]]:
    """Search from several starts; return where the sum of squares is the least, and what the starts came to.

    Starts after the first at which the curve has no finite value are passed over.
    """
    found = []
    for place, start in enumerate(starts):
        if place == 0 or all(np.isfinite(part).all() for part in target.miss(start)):
            found.append(search_from(target, start))
    ended = [one for one in found if np.isfinite(one.residual_sum)] or found
    best = min(ended, key=lambda one: (not one.is_minimum, one.residual_sum))
    near = [one for one in ended if one.is_minimum and one.residual_sum <= best.residual_sum * (1 + _SAME)]
    return best, {"starts": len(starts), "starts_that_found_it": len(near)} if len(starts) > 1 else {}


def spread_starts(start: Array, lower: Array, upper: Array, count: int) -> Array:
    """Return starts, of shape (count, n_parameters): the given one, then a Halton sequence, which depends on no seed.

    Between bounds the points are even; without them they are from a tenth of the start to ten times it, of its sign, and from
    -1 to 1 where it is 0.

    Source: Halton (1960), Numerische Mathematik 2, 84-90.
    """
    if count == 1:
        return start[None, :]
    sequence = Halton(len(start), scramble=False)
    # Its first point is the corner of zeros.
    shares = sequence.fast_forward(1).random(count - 1)
    bounded = np.isfinite(lower) & np.isfinite(upper)
    with np.errstate(invalid="ignore"):
        even = lower + shares * (upper - lower)
    around = np.where(start == 0, 2 * shares - 1, start * _SPREAD ** (2 * shares - 1))
    return np.vstack([start, np.clip(np.where(bounded, even, around), lower, upper)])


def _snap(target: Target, point: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Move parameters next to a bound onto it where the sum of squares falls beyond; tell which they are."""
    missing, slopes = target.miss(point)
    norms = np.linalg.norm(slopes, axis=0)
    downhill = slopes.T @ missing
    with np.errstate(invalid="ignore"):
        margin = 1e-6 * np.maximum(np.abs(point), np.where(np.isfinite(target.upper - target.lower), target.upper - target.lower, 0))
        to_lower = (point - target.lower <= margin) & (downhill < 0)
        to_upper = (target.upper - point <= margin) & (downhill > 0)
    # A parameter is held where moving it off its bound changes the fit by more than rounding.
    matters = np.abs(downhill) > _STATIONARY * norms * float(np.linalg.norm(missing))
    to_lower, to_upper = to_lower & matters, to_upper & matters
    return np.where(to_lower, target.lower, np.where(to_upper, target.upper, point)), to_lower | to_upper


def _refine(target: Target, point: Array, is_held: NDArray[np.bool_]) -> tuple[Array, float, int]:
    """Take Gauss-Newton steps while they shrink the residuals' part in the tangent plane; return it and the evaluations."""
    step, inside = _project(target, point, is_held)
    for count in range(_MAX_REFINEMENTS):
        beyond = np.clip(point + step, target.lower, target.upper)
        next_step, next_inside = _project(target, beyond, is_held)
        if not next_inside < inside:
            return point, inside, count + 1
        point, step, inside = beyond, next_step, next_inside
    return point, inside, _MAX_REFINEMENTS


def _project(target: Target, point: Array, is_held: NDArray[np.bool_]) -> tuple[Array, float]:
    """Return the Gauss-Newton step of the free parameters and the length of the residuals' part in their tangent plane."""
    missing, slopes = target.miss(point)
    step = np.zeros_like(point)
    if is_held.all():
        return step, 0.0
    free = slopes[:, ~is_held]
    norms = np.linalg.norm(free, axis=0)
    if not (np.isfinite(missing).all() and np.isfinite(free).all() and norms.all()):
        return step, np.inf
    orthogonal, triangle = np.linalg.qr(free / norms)
    inside = orthogonal.T @ missing
    step[~is_held] = np.linalg.lstsq(triangle, inside)[0] / norms
    return step, float(np.linalg.norm(inside))
