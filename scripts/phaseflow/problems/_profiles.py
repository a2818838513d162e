"""Profile likelihoods: for each value of one parameter the best fit of all others, and the interval that follows.

Source: Raue et al. (2009), Bioinformatics 25, 1923-1929; Venzon and Moolgavkar (1988), Appl. Statist. 37, 87-94.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from phaseflow.problems._posterior import Posterior
from phaseflow.problems._scoring import Look, Scoring

Array = NDArray[np.float64]

# A step along a profile is to raise the value by about this part of what ends the interval; it is doubled below the first part
# and halved above the last.
_LEAST_RISE, _LARGEST_RISE = 0.05, 0.5
_FIRST_STEP, _LARGEST_STEP = 0.2, 5.0


@dataclass(frozen=True)
class ProfileLine:
    """The profile of one value sought.

    Attributes
    ----------
    at, values : shape (n,), increasing: its values, and the least value of the misfit with each.
    level : the value at which the interval ends.
    ends : where the profile crosses the level; infinite on a side on which it does not within the bounds and the points asked for.
    """

    name: str
    at: Array
    values: Array
    level: float
    ends: tuple[float, float]


def trace(posterior: Posterior, place: Array, value: float, number: int, points: int, confidence: float, half: float) -> ProfileLine:
    """Follow the profile of one value sought from the best place to both sides.

    Parameters
    ----------
    number : which value sought; half : half its interval by Fisher's information, on the search's scale, where there is one.
    points : how many refits there may be on each side.
    """
    rise = find_rise(posterior, value, len(place), confidence)
    sides = [_follow(posterior, place, value, number, sign, points, rise, half) for sign in (-1.0, 1.0)]
    line = [*reversed(sides[0]), (float(place[number]), value), *sides[1]]
    at, values = np.array([x for x, _ in line]), np.array([y for _, y in line])
    ends = [_find_end(float(place[number]), value, side, value + rise, sign) for side, sign in zip(sides, (-1.0, 1.0), strict=True)]
    to_unit = posterior.sought.is_log[number]
    with np.errstate(over="ignore"):
        low, high = (float(np.exp(end)) if to_unit else float(end) for end in ends)
        return ProfileLine(posterior.sought.names[number], np.exp(at) if to_unit else at, values, value + rise, (low, high))


def find_rise(posterior: Posterior, value: float, n_sought: int, confidence: float) -> float:
    """Return how far above its least the value is at the ends of an interval: by the likelihood ratio, for least squares by F."""
    if not posterior.misfit.is_squares:
        return float(scipy.stats.chi2.ppf(confidence, 1)) / 2
    n_left = max(len(posterior.misfit.observed) - n_sought, 1)
    return value * float(scipy.stats.f.ppf(confidence, 1, n_left)) / n_left


def _follow(
    posterior: Posterior, place: Array, value: float, number: int, sign: float, points: int, rise: float, half: float
) -> list[tuple[float, float]]:
    """Return the refits on one side, nearest first, until the value has risen enough or a bound is met."""
    found: list[tuple[float, float]] = []
    unit = float(posterior.units[number])
    step = min(_FIRST_STEP * half if np.isfinite(half) and half > 0 else _FIRST_STEP * unit, _LARGEST_STEP * unit)
    bound = float((posterior.lower if sign < 0 else posterior.upper)[number])
    for _ in range(points):
        if sign * (bound - place[number]) <= 0:
            break
        fixed = place.copy()
        fixed[number] = sign * min(sign * (place[number] + sign * step), sign * bound)
        refit, reached = _refit(posterior, fixed, number)
        found.append((float(fixed[number]), reached))
        if not np.isfinite(reached) or reached > value + 1.5 * rise:
            break
        gained = reached - (found[-2][1] if len(found) > 1 else value)
        place = refit
        step = min(2 * step, _LARGEST_STEP * unit) if gained < _LEAST_RISE * rise else step / 2 if gained > _LARGEST_RISE * rise else step
    return found


def _refit(posterior: Posterior, fixed: Array, number: int) -> tuple[Array, float]:
    """Return the best place with one value kept, searched from a place, and the value there."""
    free = np.arange(len(fixed)) != number

    def fill(part: Array) -> Array:
        whole = fixed.copy()
        whole[free] = part
        return whole

    def look(part: Array) -> Look:
        whole = posterior.look(fill(part))
        return Look(whole.value, whole.gradient[free], whole.curvature[np.ix_(free, free)])

    value = posterior.find_value(fixed)
    if not free.any() or not np.isfinite(value):
        return fixed, value
    bounds = posterior.lower[free], posterior.upper[free]
    search = Scoring(lambda part: posterior.find_value(fill(part)), look, *bounds, posterior.units[free], 1.0)
    _, part, _ = search.search(fixed[free])
    whole = fill(part)
    return whole, posterior.find_value(whole)


def _find_end(place: float, value: float, side: list[tuple[float, float]], level: float, sign: float) -> float:
    """Return where a profile first crosses a level, by the square root of its rise, which is nearly straight; infinite if nowhere."""
    before = (place, value)
    for at, reached in side:
        if reached >= level:
            low, high, wanted = (np.sqrt(max(y - value, 0.0)) for y in (before[1], reached, level))
            if not np.isfinite(high):
                return at
            return float(before[0] + (at - before[0]) * (wanted - low) / (high - low))
        before = (at, reached)
    return sign * float(np.inf)
