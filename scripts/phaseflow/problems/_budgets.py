"""A budget of evaluations: every call of the function counts, also those of finite differences, whatever an algorithm itself counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from phaseflow.problems._search import Objective

Array = NDArray[np.float64]


class BudgetError(RuntimeError):
    """Ends a run from inside a call, since its budget or its time is spent."""


@dataclass
class Meter:
    """What a run has spent of its budget, and the best that it saw for it.

    Attributes
    ----------
    budget : how many evaluations are allowed.
    time_limit : how many seconds are allowed, if that is limited. It is the one thing here that depends on the machine.
    numbers, values : the evaluations at which the best value improved, counted from 1, and those values.
    reason : why the run was ended, as a status and in words; nothing while it may go on.
    """

    budget: int
    time_limit: float | None = None
    evaluations: int = 0
    numbers: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    last: float = np.nan
    reason: tuple[str, str] | None = None

    @cached_property
    def _deadline(self) -> float:
        return np.inf if self.time_limit is None else time.monotonic() + self.time_limit

    @property
    def best(self) -> float:
        """The least value seen; NaN where none was finite."""
        return self.values[-1] if self.values else np.nan

    def spend(self, count: int = 1) -> None:
        """Take evaluations from the budget.

        Raises
        ------
        BudgetError : they are more than what is left, or the time is over; so is every further call.
        """
        if self.reason is None and self.evaluations + count > self.budget:
            self.reason = ("stopped", f"the budget of {self.budget} evaluations is spent")
        if self.reason is None and time.monotonic() > self._deadline:
            self.reason = ("time_limit", f"the limit of {self.time_limit:g} s is over")
        if self.reason is not None:
            raise BudgetError(self.reason[1])
        self.evaluations += count

    def keep(self, value: float) -> None:
        """Take note of the value of the latest evaluation."""
        self.last = value
        if np.isfinite(value) and not value >= self.best:
            self.numbers.append(self.evaluations)
            self.values.append(value)

    def list_steps(self) -> tuple[NDArray[np.int64], Array]:
        """Return the numbers and values of the evaluations that improved, and of the last one."""
        numbers, values = list(self.numbers), list(self.values)
        if self.evaluations and numbers[-1:] != [self.evaluations]:
            numbers.append(self.evaluations)
            values.append(self.last)
        return np.array(numbers, dtype=np.int64), np.array(values, dtype=np.float64)


@dataclass
class Metered:
    """A function that is paid for: what an algorithm is given instead of the function itself.

    Every evaluation of the function costs one, also those of finite differences; an exact gradient costs one, an exact Hessian as many
    as there are variables. The same point asked for again at once costs nothing, since optimagic evaluates the start more than once.

    Attributes
    ----------
    terms : the residuals of a point, or its value as an array of one; what the function is, without noise.
    is_squares : the value is the sum of squares of the terms.
    gradient, hessian : exact, where they are to be had; differences are taken where there is no gradient.
    noise : the size of the noise, relative to each term; its k-th evaluation has the k-th draw, whatever the algorithm.
    """

    meter: Meter
    terms: Callable[[Array], Array]
    is_squares: bool
    upper: Array
    gradient: Callable[[Array], Array] | None = None
    hessian: Callable[[Array], Array] | None = None
    noise: float = 0.0
    random: np.random.Generator | None = None
    _seen: tuple[Array, Array] | None = None
    _sloped: tuple[Array, Array] | None = None

    def make_objective(self) -> Objective:
        """Return the function as algorithms want it."""
        squares = (self.find_terms, self.find_slopes) if self.is_squares else (None, None)
        return Objective(self.find_value, self.find_gradient, self.find_hessian if self.hessian else None, *squares)

    def find_terms(self, point: Array) -> Array:
        """Return the terms at a point, with their noise; the same point again costs nothing."""
        if self._seen is None or not np.array_equal(self._seen[0], point):
            self._seen = (np.array(point), self._evaluate(point))
        return self._seen[1].copy()

    def find_value(self, point: Array) -> float:
        """Return the value at a point, with its noise."""
        return self._sum(self.find_terms(point))

    def find_slopes(self, point: Array) -> Array:
        """Return the slopes of the terms by forward differences, shape (n_terms, n_variables); the same point again costs nothing.

        The step balances rounding or noise against curvature (Gill, Murray and Wright (1981), Practical Optimization, sec. 8.6).
        """
        if self._sloped is None or not np.array_equal(self._sloped[0], point):
            base = self.find_terms(point)
            steps = np.sqrt(max(self.noise, np.finfo(float).eps)) * np.maximum(1, np.abs(point))
            # A step is what is left of it after rounding, and leads into the bounds.
            ahead = np.where(point + steps > self.upper, point - steps, point + steps)
            with np.errstate(all="ignore"):
                columns = [(self._evaluate(_replace(point, place, x)) - base) / (x - point[place]) for place, x in enumerate(ahead)]
            self._sloped = (np.array(point), np.stack(columns, axis=1))
        return self._sloped[1].copy()

    def find_gradient(self, point: Array) -> Array:
        """Return the gradient, exact or by forward differences; the same point again costs nothing."""
        if self.gradient is None:
            slopes = self.find_slopes(point)
            with np.errstate(all="ignore"):
                return 2 * slopes.T @ self.find_terms(point) if self.is_squares else slopes[0]
        if self._sloped is None or not np.array_equal(self._sloped[0], point):
            self.meter.spend()
            self._sloped = (np.array(point), self.gradient(point))
        return self._sloped[1].copy()

    def find_hessian(self, point: Array) -> Array:
        """Return the exact Hessian.

        Raises
        ------
        TypeError : there is none.
        """
        if self.hessian is None:
            raise TypeError("the function has no exact Hessian")
        self.meter.spend(len(point))
        return self.hessian(point)

    def measure(self, point: Array) -> float:
        """Return the value at a point without noise, outside of the budget."""
        return self._sum(self.terms(point))

    def _evaluate(self, point: Array) -> Array:
        self.meter.spend()
        terms = self.terms(point)
        self.meter.keep(self._sum(terms))
        if self.random is None:
            return terms
        return terms * (1 + self.noise * self.random.standard_normal(len(terms)))

    def _sum(self, terms: Array) -> float:
        # Far out squares overflow; a value that is not finite says so.
        with np.errstate(all="ignore"):
            return float(terms @ terms) if self.is_squares else float(terms[0])


def _replace(point: Array, place: int, value: float) -> Array:
    replaced = np.array(point)
    replaced[place] = value
    return replaced
