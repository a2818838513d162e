"""Profile intervals: where the least sum of squares, with one parameter held, exceeds the minimum by what the confidence allows.

tau(p) = sign(p - p^) sqrt((S(p) - S^) / s^2) has nearly Student's distribution, however curved the parameters themselves
are; for a linear model the interval is the usual one.

Source: Bates and Watts (1988), Nonlinear Regression Analysis and Its Applications, sec. 6.1.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from phaseflow.models._descent import Function, Target, descend
from phaseflow.models._least_squares import Array

# How far from the estimate, in standard errors, an end is sought, by steps that double.
_FARTHEST = 1_000.0
_TOLERANCE = 1e-12
_SHARP = 1e-9
_MAX_EVALUATIONS = 200
# Residuals below this share of the response are too near to rounding for differences of their squares.
_ROUNDING = 1e-8


class _Profile:
    """The least sum of squares as a function of one parameter, others beginning where they last ended."""

    def __init__(self, target: Target, point: Array, place: int, direction: Array, variance: float) -> None:
        self.target, self.point, self.place, self.variance = target, point, place, variance
        # By how much the others move with this one in the linear model.
        self.direction = np.delete(direction, place)
        self.bounds = {"lower": np.delete(target.lower, place), "upper": np.delete(target.upper, place)}
        missing = target.miss(point)[0]
        self.least = float(missing @ missing)

    def find_tau(self, value: float) -> float:
        """Return the size of tau at a value of the parameter, infinite where the curve has none."""
        others = np.delete(self.point, self.place)
        moved = np.clip(others + self.direction * (value - self.point[self.place]), *self.bounds.values())
        for begin in (moved, others):
            if all(np.isfinite(part).all() for part in self.target.miss(self._fill(begin, value))):
                return self._minimise(begin, value)
        return np.inf

    def _fill(self, others: Array, value: float) -> Array:
        return np.insert(others, self.place, value)

    def _minimise(self, begin: Array, value: float) -> float:
        missing = self.target.miss(self._fill(begin, value))[0]
        if len(begin) > 0:
            others = replace(self.target, curve=_Slice(self.target.curve, self.place, value), **self.bounds)
            missing = others.miss(descend(others, begin, _TOLERANCE, _MAX_EVALUATIONS).point)[0]
        return float(np.sqrt(max(float(missing @ missing) - self.least, 0.0) / self.variance))


@dataclass(frozen=True)
class _Slice:
    """A curve with one of its parameters held."""

    curve: Function
    place: int
    value: float

    def evaluate(self, point: Array, columns: Array) -> tuple[Array, Array]:
        """Return the values and the Jacobian by the other parameters."""
        values, slopes = self.curve.evaluate(np.insert(point, self.place, self.value), columns)
        return values, np.delete(slopes, self.place, axis=1)


def find_profile_intervals(target: Target, point: Array, covariance: Array, is_held: NDArray[np.bool_], reach: float) -> Array:
    """Return the ends of each parameter's interval, of shape (n_parameters, 2); NaN where there is none, or at a bound.

    Where the curve meets the data to nearly all their digits there are none, since S is rounding there.

    Parameters
    ----------
    covariance : that of the estimates by the linear model, with zeros for held parameters.
    reach : the quantile of Student's distribution.
    """
    ends = np.full((len(point), 2), np.nan)
    missing = target.miss(point)[0]
    variance = float(missing @ missing) / (len(missing) - int((~is_held).sum()))
    if variance <= (_ROUNDING * float(np.abs(target.roots * target.observed).max())) ** 2:
        return ends
    for place in np.flatnonzero(~is_held):
        error = float(np.sqrt(covariance[place, place]))
        profile = _Profile(target, point, int(place), covariance[place] / covariance[place, place], variance)
        for side, sign in enumerate((-1, 1)):
            bound = (target.lower if sign < 0 else target.upper)[place]
            ends[place, side] = _find_end(profile, sign * error, abs(bound - point[place]) / error, reach)
    return ends


def _find_end(profile: _Profile, step: float, limit: float, reach: float) -> float:
    """Return where tau is at its reach, by doubling steps and then between the last two; NaN where it is not within the limit."""
    centre = profile.point[profile.place]
    near, far = 0.0, reach
    while far < min(_FARTHEST, limit):
        if profile.find_tau(centre + far * step) >= reach:
            root = brentq(
                lambda units: min(profile.find_tau(centre + units * step), 1e3 * reach) - reach, near, far, xtol=_SHARP, rtol=_SHARP
            )
            return float(centre + root * step)
        near, far = far, 2 * far
    return float("nan")
