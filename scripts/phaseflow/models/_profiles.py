"""Profile intervals: where the least sum of squares, with one parameter held, exceeds the minimum by what the confidence allows.

tau(p) = sign(p - p^) sqrt((S(p) - S^) / s^2) has nearly Student's distribution, however curved the parameters themselves
are; for a linear model the interval is the usual one.

Source: Bates and Watts (1988), Nonlinear Regression Analysis and Its Applications, sec. 6.1.2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, least_squares

from phaseflow.models._descent import Target
from phaseflow.models._least_squares import Array

# How far from the estimate, in standard errors, an end is sought, by steps that double.
_FARTHEST = 1_000.0
_TOLERANCE = 1e-12
_SHARP = 1e-9
_MAX_EVALUATIONS = 200


class _Profile:
    """The least sum of squares as a function of one parameter, others beginning where they last ended."""

    def __init__(self, target: Target, point: Array, place: int, direction: Array, variance: float) -> None:
        self.target, self.point, self.place, self.variance = target, point, place, variance
        # By how much the others move with this one in the linear model.
        self.direction = np.delete(direction, place)
        missing = target.miss(point)[0]
        self.least = float(missing @ missing)

    def find_tau(self, value: float) -> float:
        """Return the size of tau at a value of the parameter, infinite where the curve has none."""
        others = np.delete(self.point, self.place) + self.direction * (value - self.point[self.place])
        lower, upper = np.delete(self.target.lower, self.place), np.delete(self.target.upper, self.place)
        start = np.clip(others, lower, upper)
        for begin in (start, np.clip(np.delete(self.point, self.place), lower, upper)):
            if all(np.isfinite(part).all() for part in self.target.miss(self._fill(begin, value))):
                return self._minimise(begin, value, lower, upper)
        return np.inf

    def _fill(self, others: Array, value: float) -> Array:
        return np.insert(others, self.place, value)

    def _minimise(self, begin: Array, value: float, lower: Array, upper: Array) -> float:
        if len(begin) == 0:
            missing = self.target.miss(self._fill(begin, value))[0]
        else:
            missing = least_squares(
                lambda others: -self.target.miss(self._fill(others, value))[0],
                begin,
                jac=lambda others: np.delete(self.target.miss(self._fill(others, value))[1], self.place, axis=1),
                bounds=(lower, upper),
                x_scale="jac",
                ftol=_TOLERANCE,
                xtol=_TOLERANCE,
                gtol=_TOLERANCE,
                max_nfev=_MAX_EVALUATIONS,
            ).fun
        return float(np.sqrt(max(float(missing @ missing) - self.least, 0.0) / self.variance))


def find_profile_intervals(target: Target, point: Array, covariance: Array, is_held: NDArray[np.bool_], reach: float) -> Array:
    """Return the ends of each parameter's interval, of shape (n_parameters, 2); NaN where there is none, or at a bound.

    Parameters
    ----------
    covariance : that of the estimates by the linear model, with zeros for held parameters.
    reach : the quantile of Student's distribution.
    """
    ends = np.full((len(point), 2), np.nan)
    missing = target.miss(point)[0]
    variance = float(missing @ missing) / (len(missing) - int((~is_held).sum()))
    if variance <= 0:
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
