"""Descent by the gradients of a few rows at a time: plain, with Nesterov's momentum, and Adam.

Each rule is given weights and a function that returns the gradient of the rows at hand, and returns new weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Slope = Callable[[Array], Array]

# Kingma and Ba (2015), Algorithm 1: how much of the means of gradients and of their squares is kept, and what keeps a step finite.
_KEPT_MEAN, _KEPT_SQUARE, _LEAST = 0.9, 0.999, 1e-8


class Rule(Protocol):
    """Makes one step."""

    def step(self, weights: Array, slope: Slope) -> Array:
        """Return the weights after a step."""
        ...


@dataclass
class Descent:
    """w - rate * g(w). Source: Robbins and Monro (1951), Ann. Math. Stat. 22, 400-407."""

    rate: float

    def step(self, weights: Array, slope: Slope) -> Array:
        """Return the weights after a step."""
        return weights - self.rate * slope(weights)


@dataclass
class Momentum:
    """w + v with v = kept * v - rate * g(w + kept * v). Source: Sutskever et al. (2013), ICML, eq. 3 and 4, after Nesterov (1983)."""

    rate: float
    kept: float
    velocity: Array | float = 0.0

    def step(self, weights: Array, slope: Slope) -> Array:
        """Return the weights after a step."""
        self.velocity = self.kept * self.velocity - self.rate * slope(weights + self.kept * self.velocity)
        return weights + self.velocity


@dataclass
class Adam:
    """w - rate * m / (sqrt(s) + 1e-8), m and s the running means of g and g*g, freed of their start at 0.

    Source: Kingma and Ba (2015), ICLR, Algorithm 1.
    """

    rate: float
    mean: Array | float = 0.0
    square: Array | float = 0.0
    count: int = 0

    def step(self, weights: Array, slope: Slope) -> Array:
        """Return the weights after a step."""
        gradient = slope(weights)
        self.count += 1
        self.mean = _KEPT_MEAN * self.mean + (1 - _KEPT_MEAN) * gradient
        self.square = _KEPT_SQUARE * self.square + (1 - _KEPT_SQUARE) * gradient * gradient
        mean, square = self.mean / (1 - _KEPT_MEAN**self.count), self.square / (1 - _KEPT_SQUARE**self.count)
        stepped: Array = weights - self.rate * mean / (np.sqrt(square) + _LEAST)
        return stepped


def make_rule(name: str, rate: float, momentum: float) -> Rule:
    """Return a rule by its name.

    Raises
    ------
    KeyError : there is no such rule.
    """
    rules: dict[str, Callable[[], Rule]] = {
        "sgd": lambda: Descent(rate),
        "momentum": lambda: Momentum(rate, momentum),
        "adam": lambda: Adam(rate),
    }
    return rules[name]()


def draw_batches(n_rows: int, batch: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each step of one pass: all of them once, in random order; the last step may have fewer.

    A batch of all rows has them in their own order.
    """
    order = random.permutation(n_rows) if batch < n_rows else np.arange(n_rows)
    for first in range(0, n_rows, batch):
        yield order[first : first + batch]
