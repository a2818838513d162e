"""Lyapunov exponents: the mean rates at which neighbours part, from the variational equations.

Tangent vectors are integrated with the state and made orthonormal after each interval; the exponents are the mean logarithms of
their growth. The sum of all is checked against the mean divergence of the field, and the interval shortened where it misses. A
member that has settled on a stable fixed point or cycle answers with the exponents of that instead of averages.

Source: Benettin, Galgani, Giorgilli and Strelcyn (1980), Meccanica 15, 9-30; Kaplan and Yorke (1979) for the dimension.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from phaseflow.dynamics.averages import find_errors
from phaseflow.dynamics.fields import make_field
from phaseflow.engines import Array, Task, Trajectories
from phaseflow.engines.taylor import BATCH
from phaseflow.measures import Column, Measure, Measured
from phaseflow.measures._settled import Exponents, Settling
from phaseflow.measures._tangents import Clock, Growth, Tangents

# The time between renormalisations is this times a power of two, such that tangents part by less than exp(_LARGEST) on average in the
# first so many intervals, a part of the run at most. Over longer times the fastest exponents drown in rounding.
_INTERVAL = 0.25
_LARGEST = 12.0
_PILOT, _PILOT_PART = 64, 16
_LEAST_INTERVALS = 200
# Where the sum of all exponents misses the mean divergence by more than is allowed, absolute and of the exponents, the interval is
# divided and the tolerance is less, again and again while that helps: it must halve the error.
_TRACE, _ROUNDING = 1e-9, 1e-11
_SHORTER, _MOST_TRIES = 4, 4
_TOLERANCES = (1e-12, 1e-14)


def measure(which: str, task: Task, trajectories: Trajectories) -> Measured:
    """Return exponents in falling order with their standard errors, of every member that reached the end, and where they are from."""
    run = _Run(task, 1 if which == "largest" else task.initial.shape[1])
    members = np.flatnonzero(trajectories.status == "ok")
    run.average(members)
    return Measured(run.tabulate(members))


class _Run:
    """The members of a task."""

    def __init__(self, task: Task, count: int) -> None:
        self.task, self.count = task, count
        self.is_whole = count == task.initial.shape[1]
        self.field = make_field(task.system)
        self.span = float(task.times[-1] - task.times[0])
        self.compile = cache(lambda tolerance: Tangents(self.field, count, tolerance))
        shape = len(task.initial), count
        self.rates, self.errors = np.full(shape, np.nan), np.full(shape, np.nan)
        self.trace_error, self.ends = np.full(len(task.initial), np.nan), np.full(task.initial.shape, np.nan)

    def average(self, members: Any) -> None:
        """Find the averages of members, with shorter intervals where that helps."""
        intervals = self._choose_intervals(members)
        for attempt in range(_MOST_TRIES + 1):
            before = self.trace_error[members]
            for interval in np.unique(intervals):
                self._average(members[intervals == interval], float(interval), _TOLERANCES[min(attempt, 1)])
            after = self.trace_error[members]
            allowed = _TRACE + _ROUNDING * np.abs(self.rates[members]).sum(axis=1)
            # Of the largest alone there is no sum; NaN, as of a member that failed, is not tried again.
            goes_on = (after > allowed) & ~(after > before / 2)
            members, intervals = members[goes_on], intervals[goes_on] / _SHORTER
            if not len(members):
                return

    def _choose_intervals(self, members: Any) -> Array:
        """Return the interval of each member, from how its tangents part in the beginning."""
        start, total = float(self.task.times[0]) - self.task.transient, self.span + self.task.transient
        n = min(_PILOT, 2 ** int(np.log2(max(2, total / _INTERVAL / _PILOT_PART))))
        clock = Clock(start, 0.0, n * _INTERVAL, _INTERVAL)
        longest = _INTERVAL * 2.0 ** np.floor(np.log2(self.span / _LEAST_INTERVALS / _INTERVAL))
        grown = (rates for _, growth in self._grow(members, clock, _TOLERANCES[0]) for rates in growth.rates)
        return np.array([min(_INTERVAL * find_power(rates * _INTERVAL), longest) for rates in grown])

    def _grow(self, members: Any, clock: Clock, tolerance: float) -> Iterator[tuple[Any, Growth]]:
        """Yield members batch by batch with the growth of their tangents."""
        tangents = self.compile(max(min(tolerance, self.task.solver.tolerance.value), float(np.finfo(float).eps)))
        for first in range(0, len(members), BATCH):
            chosen = members[first : first + BATCH]
            yield chosen, tangents.run(self.task.initial[chosen], self.task.parameters[chosen], clock)

    def _average(self, members: Any, interval: float, tolerance: float) -> None:
        """Take over the averages of members that have a smaller trace error than before, or their first ones."""
        clock = Clock(float(self.task.times[0]), self.task.transient, self.span, interval)
        for chosen, growth in self._grow(members, clock, tolerance):
            for member, rates, divergence, end in zip(chosen, *growth, strict=True):
                # Careful: a sum over members at once would round as their number says; each has its own.
                means = rates.mean(axis=0)
                trace_error = abs(float(means.sum()) - float(divergence)) if self.is_whole else np.nan
                if np.isnan(self.trace_error[member]) or trace_error < self.trace_error[member]:
                    order = np.argsort(-means, kind="stable")
                    errors = np.maximum(find_errors(rates), np.fmax(trace_error, tolerance / interval))
                    self.rates[member], self.errors[member] = means[order], errors[order]
                    self.trace_error[member], self.ends[member] = trace_error, end

    def tabulate(self, members: Any) -> dict[str, Column]:
        """Return the columns: averages, or the exponents of what members have settled on."""
        settling, origins = Settling(self.field), np.full(len(self.rates), None)
        for member in members[np.isfinite(self.rates[members]).all(axis=1)]:
            average = Exponents(self.rates[member], self.errors[member], self.trace_error[member], "average")
            values = self.task.initial[member], self.ends[member], self.task.parameters[member]
            self.rates[member], self.errors[member], self.trace_error[member], origins[member] = settling.improve(
                average, *values, self.span
            )
        columns: dict[str, Column] = {}
        for place in range(self.count):
            columns |= {f"lyapunov_{place + 1}": self.rates[:, place], f"lyapunov_{place + 1}_se": self.errors[:, place]}
        columns["lyapunov_from"] = origins
        if self.is_whole:
            columns["trace_error"] = self.trace_error
            dimensions = np.array([find_dimension(*row) for row in zip(self.rates, self.errors, strict=True)]).reshape(-1, 2)
            columns |= {"kaplan_yorke": dimensions[:, 0], "kaplan_yorke_se": dimensions[:, 1]}
        return columns


def find_power(growth: Array) -> float:
    """Return by which power of two an interval may be longer, or must be shorter, for tangents to part neither too far nor too little.

    Parameters
    ----------
    growth : shape (n_intervals, count): logarithms of growth, of a power of two of intervals.
    """

    def part(growth: Array) -> float:
        """Return the logarithm of how far tangents part from each other and from the state, on average over intervals."""
        ranges = np.maximum(growth.max(axis=1), 0.0) - np.minimum(growth.min(axis=1), 0.0)
        return float(ranges.max() + np.log(np.exp(ranges - ranges.max()).mean()))

    parted = part(growth)
    if not np.isfinite(parted):
        return 1.0
    if parted > _LARGEST:
        return float(2.0 ** -np.ceil(np.log2(parted / _LARGEST)))
    power = 1.0
    while len(growth) > 1:
        growth = growth.reshape(-1, 2, growth.shape[1]).sum(axis=1)
        if part(growth) > _LARGEST:
            break
        power *= 2
    return power


def find_dimension(exponents: Array, errors: Array) -> tuple[float, float]:
    """Return the Kaplan-Yorke dimension, where the sum of the largest exponents, continued linearly, is zero, and its standard error.

    Where the last exponent takes part the error is that of it alone: the sum of all is known. The error is NaN where the sign of the
    largest exponent, and with it the dimension, is open.
    """
    if not np.isfinite(exponents).all():
        return np.nan, np.nan
    sums = np.cumsum(exponents)
    if sums[0] < 0:
        return 0.0, 0.0 if exponents[0] < -2 * errors[0] else np.nan
    last = int(np.flatnonzero(sums >= 0)[-1])
    if last + 1 == len(exponents):
        return float(len(exponents)), 0.0
    part, next_one = float(sums[last] / -exponents[last + 1]), float(-exponents[last + 1])
    if last + 2 == len(exponents):
        return last + 1 + part, abs(float(sums[-1])) / next_one**2 * float(errors[-1])
    return last + 1 + part, float(errors[: last + 1].sum() + part * errors[last + 1]) / next_one


MEASURE = Measure(measure)
