"""Gauss and Newton's method within a trust region and bounds; for a likelihood it is Fisher's scoring.

The step minimises the quadratic of the gradient and a curvature within a ball, variables that run into a bound being held there.
The curvature is the one given, or that one with a secant's estimate of what it leaves out, whichever foretold the last step better.
Source: Conn, Gould and Toint (2000), Trust-region methods, secs. 7.3 and 12.1; Dennis, Gay and Welsch (1981), ACM Trans. Math.
Softw. 7, 348-368.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST_STEPS = 500
_FIRST_RADIUS, _LARGEST_RADIUS, _LEAST_RADIUS = 1.0, 1e3, 1e-14
# A step is taken if it gains this part of what the quadratic promises.
_LEAST_GAIN = 1e-4
# The secant's estimate is of use near an answer alone, where the quadratic promises less than this, relative to the value.
_NEAR = 1e-4
# A rank-one update whose denominator is smaller than this part of its factors is left out.
_LEAST_ANGLE = 1e-8
# A search has converged when the quadratic promises less than this, relative to the value, or the step is shorter, relative to the place.
_GAIN_TOLERANCE, _STEP_TOLERANCE = 1e-9, 1e-10


@dataclass(frozen=True)
class Look:
    """A value with its gradient and its curvature."""

    value: float
    gradient: Array
    curvature: Array


@dataclass
class Scoring:
    """One search, and every evaluation of it.

    Attributes
    ----------
    find_value, look : the value alone, which may be infinite, and with derivatives.
    units : shape (n,), the length in which a step in each variable is measured.
    floor : values are compared relative to their size or this, whichever is larger.
    """

    find_value: Callable[[Array], float]
    look: Callable[[Array], Look]
    lower: Array
    upper: Array
    units: Array
    floor: float
    values: list[float] = field(default_factory=list)
    points: list[Array] = field(default_factory=list)
    gradients: int = 0

    def search(self, start: Array) -> tuple[str, Array, str]:
        """Search from a start with a finite value; return status, place and a message."""
        place, here = start, self._look(start)
        self._keep(here.value, place)
        radius, rest, is_augmented = _FIRST_RADIUS, np.zeros((len(start), len(start))), False
        for _ in range(MOST_STEPS):
            if not (np.isfinite(here.gradient).all() and np.isfinite(here.curvature).all()):
                return "stopped", place, "the derivatives are not finite"
            models = here.curvature, here.curvature + rest
            step = self._find_step(place, here.gradient, models[is_augmented], radius)
            promises = [-float(here.gradient @ step + step @ model @ step / 2) for model in models]
            promised, length = promises[is_augmented], float(np.linalg.norm(step / self.units))
            scale = max(abs(here.value), self.floor)
            if promised <= _GAIN_TOLERANCE * scale:
                if not is_augmented:
                    return "converged", place, "no step promises a gain"
                is_augmented, rest = False, rest * 0
                continue
            is_near = promised <= _NEAR * scale
            target = np.clip(place + step, self.lower, self.upper)
            value = self.find_value(target)
            self._keep(value, target)
            gain = (here.value - value) / promised if np.isfinite(value) else -1.0
            if np.isfinite(value):
                is_augmented = is_near and abs(here.value - value - promises[1]) < abs(here.value - value - promises[0])
            radius = _adapt(radius, gain, length)
            if gain > _LEAST_GAIN:
                before, (place, here) = here, (target, self._look(target))
                rest = _update(rest if is_near else rest * 0, step, here.gradient - before.gradient - here.curvature @ step)
            if length <= _STEP_TOLERANCE * (1 + float(np.linalg.norm(place / self.units))) or radius < _LEAST_RADIUS:
                return "converged", place, "the step is shorter than its tolerance"
        return "stopped", place, f"{MOST_STEPS} steps were not enough"

    def _look(self, place: Array) -> Look:
        self.gradients += 1
        return self.look(place)

    def _keep(self, value: float, place: Array) -> None:
        self.values.append(value)
        self.points.append(place.copy())

    def _find_step(self, place: Array, gradient: Array, curvature: Array, radius: float) -> Array:
        """Return the step, holding at its bound each variable that would cross it."""
        units = self.units
        gradient, curvature = gradient * units, curvature * np.outer(units, units)
        low, high = (self.lower - place) / units, (self.upper - place) / units
        is_held = ((low >= 0) & (gradient > 0)) | ((high <= 0) & (gradient < 0))
        step = np.zeros(len(place))
        for _ in range(len(place)):
            free = ~is_held
            if not free.any():
                break
            left = max(radius**2 - float(step[is_held] @ step[is_held]), (0.1 * radius) ** 2)
            slope = gradient[free] + curvature[np.ix_(free, is_held)] @ step[is_held]
            step[free] = solve_in_ball(curvature[np.ix_(free, free)], slope, np.sqrt(left))
            crosses = free & ((step < low) | (step > high))
            if not crosses.any():
                break
            step[crosses] = np.clip(step, low, high)[crosses]
            is_held = is_held | crosses
        return np.clip(step, low, high) * units


def _adapt(radius: float, gain: float, length: float) -> float:
    """Return the next radius, from how much of the promise a step of some length kept."""
    if gain < 0.25:
        return length / 4
    return min(max(radius, 2 * length), _LARGEST_RADIUS) if gain > 0.75 else radius


def _update(rest: Array, step: Array, change: Array) -> Array:
    """Return what the curvature leaves out of the Hessian, so that it explains the last change of the gradient (rank one).

    Source: Dennis, Gay and Welsch (1981), ACM Trans. Math. Softw. 7, 348-368, secs. 3 and 4; Nocedal and Wright (2006), eq. 6.24.
    """
    sized = float(step @ rest @ step)
    if sized:
        rest = rest * min(1.0, abs(float(step @ change) / sized))
    missing = change - rest @ step
    along = float(missing @ step)
    if not abs(along) > _LEAST_ANGLE * float(np.linalg.norm(missing) * np.linalg.norm(step)):
        return rest
    updated: Array = rest + np.outer(missing, missing) / along
    return updated


def solve_in_ball(curvature: Array, gradient: Array, radius: float) -> Array:
    """Return the minimiser of g.s + s.H.s/2 over all s no longer than the radius.

    Source: Conn, Gould and Toint (2000), sec. 7.3, by the eigenvalues.
    """
    values, vectors = scipy.linalg.eigh(curvature)
    along = vectors.T @ gradient
    scale = float(np.abs(values).max()) or 1.0
    # The shift that makes the curvature positive, by as little as doubles tell.
    least = max(0.0, -float(values.min())) + scale * len(values) * np.finfo(float).eps

    def solve(shift: float) -> Array:
        solved: Array = -along / (values + least + shift)
        return solved

    with np.errstate(all="ignore"):
        if np.linalg.norm(solve(0.0)) <= radius:
            return np.asarray(vectors @ solve(0.0))
        high = float(np.linalg.norm(along)) / radius
        shift = _find_shift(lambda s: float(np.linalg.norm(solve(s))), high * 1e-20, high, radius)
        return np.asarray(vectors @ solve(shift))


def _find_shift(measure: Callable[[float], float], low: float, high: float, radius: float) -> float:
    """Return the shift at which the step has the length of the radius, to a hundredth, by halving its logarithm."""
    for _ in range(200):
        middle = float(np.sqrt(low * high)) or high / 2
        length = measure(middle)
        if abs(length - radius) <= 0.01 * radius:
            return middle
        low, high = (middle, high) if length > radius else (low, middle)
    return high
