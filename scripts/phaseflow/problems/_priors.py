"""What is known of parameters beforehand, as a part of the negative log-posterior.

normal  (p - m)**2/(2 s**2) + log(s) + log(2 pi)/2; lognormal the same of log(p), + log(p); laplace  |p - m|/s + log(2 s);
loglaplace the same of log(p), + log(p); uniform  log(b - a) between its ends, infinite outside. On a logarithmic scale p is
the logarithm itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from phaseflow.problems._experiments import Belief

Array = NDArray[np.float64]
# A density's negative logarithm with its first derivative, and a curvature that is not negative.
Jet = tuple[float, float, float]

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_NOWHERE: Jet = (math.inf, math.nan, math.nan)

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def find_jet(prior: Belief, value: float) -> Jet:
    """Return the negative logarithm of a density, its derivative by the value, and a curvature for steps."""
    if prior.scale == "linear":
        return _JETS[prior.kind](value, prior.first, prior.second)
    if value <= 0:
        return _NOWHERE
    unit = math.log(10) if prior.scale == "log10" else 1.0
    level, slope, curvature = _JETS[prior.kind](math.log(value) / unit, prior.first, prior.second)
    return level, slope / (unit * value), curvature / (unit * value) ** 2


def add_up(priors: Mapping[int, Belief], point: Array) -> tuple[float, Array, Array]:
    """Return the sum over all priors with its gradient and curvatures, shapes (n_sought,)."""
    value, gradient, curvature = 0.0, np.zeros(len(point)), np.zeros(len(point))
    for place, prior in priors.items():
        jet = find_jet(prior, float(point[place]))
        value, gradient[place], curvature[place] = value + jet[0], jet[1], jet[2]
    return value, gradient, curvature


def _find_normal(value: float, mean: float, deviation: float) -> Jet:
    z = (value - mean) / deviation
    return z * z / 2 + math.log(deviation) + _HALF_LOG_TWO_PI, z / deviation, deviation**-2


def _find_of_log(find: Callable[[float, float, float], Jet]) -> Callable[[float, float, float], Jet]:
    """Return the density of a value whose logarithm has a density."""

    def find_log(value: float, first: float, second: float) -> Jet:
        if value <= 0:
            return _NOWHERE
        level, slope, curvature = find(math.log(value), first, second)
        return level + math.log(value), (slope + 1) / value, curvature / value**2

    return find_log


def _find_laplace(value: float, location: float, scale: float) -> Jet:
    away = (value - location) / scale
    return abs(away) + math.log(2 * scale), math.copysign(1 / scale, away) if away else 0.0, scale**-2


def _find_uniform(value: float, low: float, high: float) -> Jet:
    return (math.log(high - low), 0.0, 0.0) if low <= value <= high else _NOWHERE


_JETS: dict[str, Callable[[float, float, float], Jet]] = {
    "normal": _find_normal,
    "lognormal": _find_of_log(_find_normal),
    "laplace": _find_laplace,
    "loglaplace": _find_of_log(_find_laplace),
    "uniform": _find_uniform,
}
