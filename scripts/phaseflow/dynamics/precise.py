"""Solutions in as many digits as it takes, with constants exact: two runs in different precisions, followed side by side.

The coarser run has 16 bits fewer, so its distance from the finer is the coarser's own error, and the finer is better still.
No digit is taken for right on which the two do not agree.

Source: Liao (2009), Tellus A 61, 550-564, on clean numerical simulation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import heyoka as hy
import numpy as np

from phaseflow.dynamics.fields import make_field
from phaseflow.engines import Array, Task
from phaseflow.expressions.compiled import to_heyoka
from phaseflow.expressions.quantity import Quantity
from phaseflow.expressions.tree import Node

# Where precision is raised, it is raised up to this.
MOST_BITS = 4096
_COARSER = 16
_LARGEST = hy.real(float(np.finfo(float).max))
# How many times are computed at a stretch before it is asked whether to go on.
_STRETCH = 50


class Solution(NamedTuple):
    """One member's solution, as far as it was followed.

    Attributes
    ----------
    samples : shape (n_known, dimension), the states at the first times of the grid, rounded to doubles.
    trusted : the last place up to which the two precisions agree.
    outcome : how the runs ended: heyoka's; time_limit where they reached every time they were asked for.
    end : the time that the finer run has reached.
    bits : the precision of the finer run.
    steps : how many steps the finer run has taken.
    """

    samples: Array
    trusted: int
    outcome: Any
    end: float
    bits: int
    steps: int


class PreciseSolver:
    """Follows members of a task one by one, in the least precision that suffices.

    Parameters
    ----------
    task : its system, initial states, parameters, transient and step limit count.
    times : shape (n_times,), strictly increasing; where the states are wanted.
    bits : the precision of the finer run to begin with.
    most_bits : the highest precision to raise it to.
    agreed_bits : about how many bits the two runs are asked to agree on.
    """

    def __init__(self, task: Task, times: Array, bits: int, most_bits: int, agreed_bits: float) -> None:
        self.task, self.times, self.bits, self.most_bits, self.agreed_bits = task, times, bits, most_bits, agreed_bits
        self._pairs: dict[int, _Pair] = {}

    def solve(self, member: int, allow: Callable[[Array], Array], is_enough: Callable[[slice, Array], bool] = lambda *_: False) -> Solution:
        """Return the solution up to where it is enough, in a precision raised until the runs agree to there.

        Parameters
        ----------
        allow : the difference allowed in each state, given the samples known so far.
        is_enough : asked after each stretch, with its place in the grid and the finer run's samples on which the runs agree.
        """
        bits, span = self.bits, float(self.times[-1] - self.times[0])
        while True:
            if bits not in self._pairs:
                self._pairs[bits] = _Pair(self.task, self.times, bits)
            solution = self._pairs[bits].follow(member, allow, is_enough)
            if solution.trusted >= len(solution.samples) - 1 or bits >= self.most_bits:
                return solution
            bits = min(self.most_bits, raise_bits(bits, self.agreed_bits, float(self.times[solution.trusted] - self.times[0]), span))

    def look_ahead(self, solution: Solution, n_times: int) -> Array:
        """Return the finer run's samples at up to so many times past a solution, the one that was followed last."""
        first = len(solution.samples) - 1
        samples, _ = self._pairs[solution.bits].fine.advance(slice(first, min(first + n_times + 1, len(self.times))))
        return samples[1:]


def raise_bits(bits: int, agreed_bits: float, reached: float, goal: float) -> int:
    """Return the precision at which two runs should agree up to a goal.

    Parameters
    ----------
    agreed_bits : how many bits of agreement were asked for.
    reached, goal : for how long the runs agreed, and for how long they should.

    Assume: the number of bits lost grows in proportion to time, as it does in chaos; a sixth is added.
    """
    lost = (bits - _COARSER - agreed_bits) * goal / max(reached, goal / 64)
    wanted = _COARSER + agreed_bits + lost * 7 / 6
    return max(bits + 32, 32 * math.ceil(wanted / 32))


class _Pair:
    """Two integrators of one system, each in its own precision."""

    def __init__(self, task: Task, times: Array, bits: int) -> None:
        self.bits, self.times = bits, times
        self.fine, self.coarse = (PreciseRun(task, times, own) for own in (bits, bits - _COARSER))

    def follow(self, member: int, allow: Callable[[Array], Array], is_enough: Callable[[slice, Array], bool]) -> Solution:
        """Follow a member until it is enough, the runs differ, one of them ends early, or the last time is reached."""
        self.fine.start(member)
        self.coarse.start(member)
        samples = np.empty((0, self.fine.dimension))
        outcome, trusted = hy.taylor_outcome.time_limit, 0
        for first in range(0, len(self.times) - 1, _STRETCH):
            part = slice(first, min(first + _STRETCH, len(self.times) - 1) + 1)
            (fine, outcome), (coarse, other) = (run.advance(part) for run in (self.fine, self.coarse))
            known = min(len(fine), len(coarse))
            samples = np.concatenate([samples[:first], fine[:known]])
            agreed = _count_agreed(fine[:known], coarse[:known], allow(samples))
            trusted = max(first + agreed - 1, 0)
            outcome = outcome if outcome != hy.taylor_outcome.time_limit else other
            if outcome != hy.taylor_outcome.time_limit or agreed < known or is_enough(part, fine[:agreed]):
                break
        return Solution(samples, trusted, outcome, self.fine.time, self.bits, self.fine.steps)


def _count_agreed(fine: Array, coarse: Array, allowed: Array) -> int:
    """Return how many of the first samples agree."""
    differs = ~(np.abs(fine - coarse) <= allowed).all(axis=1)
    return int(differs.argmax()) if differs.any() else len(fine)


def _has_double(integrator: Any) -> bool:
    """Tell whether the state is within a double's range; beyond it a solution may go on to grow for ever."""
    return bool((np.abs(integrator.state) < _LARGEST).all())


class PreciseRun:
    """One integrator in a chosen precision; parameters as for PreciseSolver."""

    def __init__(self, task: Task, times: Array, bits: int) -> None:
        self.task, self.bits, self.steps = task, bits, 0
        self.parameters, self.initial = list(task.system.parameters.values()), list(task.system.initial.values())
        field = make_field(task.system, lambda value: hy.expression(self._divide(value)))
        zero, self.dimension = self._read(0), len(field.states)
        # Careful: without compact mode the compiler takes a minute and more above 113 bits.
        self.integrator = hy.taylor_adaptive(
            field.equations,
            np.array([zero for _ in field.states]),
            pars=np.array([zero for _ in field.parameters]),
            fp_type=hy.real,
            prec=bits,
            compact_mode=True,
        )
        self.grid = np.array([self._read(time) for time in times.tolist()])

    @property
    def time(self) -> float:
        """The time that was reached."""
        return float(str(self.integrator.time))

    def start(self, member: int) -> None:
        """Put the integrator at a member's state at the first time of the grid."""
        task, integrator, start = self.task, self.integrator, self.grid[0]
        integrator.state[:] = [self._choose(*pair) for pair in zip(task.initial[member], self.initial, strict=True)]
        for place, pair in enumerate(zip(task.parameters[member], self.parameters, strict=True)):
            integrator.pars[place] = self._choose(*pair)
        integrator.time = start - self._read(float(task.transient))
        self.steps = 0
        if task.transient > 0:
            _, _, _, self.steps, *_ = integrator.propagate_until(start, max_steps=task.solver.max_steps, callback=_has_double)

    def advance(self, part: slice) -> tuple[Array, Any]:
        """Return the states at the times of a part of the grid that are reached, as doubles, and how it ended."""
        if self.integrator.time != self.grid[part.start]:
            return np.empty((0, self.dimension)), hy.taylor_outcome.err_nf_state  # the transient was not survived
        left = self.task.solver.max_steps - self.steps
        outcome, _, _, steps, *_, found = self.integrator.propagate_grid(self.grid[part], max_steps=max(1, left), callback=_has_double)
        self.steps += steps
        if outcome == hy.taylor_outcome.time_limit:
            self.integrator.time = self.grid[part.stop - 1]
        return found.astype(float), hy.taylor_outcome.err_nf_state if outcome == hy.taylor_outcome.cb_stop else outcome

    def _read(self, number: float) -> Any:
        return hy.real(number, self.bits)

    def _choose(self, value: float, stated: Quantity) -> Any:
        """Return the exact constant where a member has it, else the double that it has."""
        if value != stated.value:
            return self._read(float(value))
        return self._divide(stated.exact) if stated.exact is not None else self._evaluate(stated.tree)

    def _divide(self, value: Fraction) -> Any:
        return hy.real(str(value.numerator), self.bits) / hy.real(str(value.denominator), self.bits)

    def _evaluate(self, tree: Node) -> Any:
        """Return a constant that is not rational, such as sqrt(2)."""
        variable = hy.make_vars("x")
        constant = to_heyoka(tree, {}, lambda value: hy.expression(self._divide(value)))
        function = hy.cfunc([constant + variable], vars=[variable], fp_type=hy.real, prec=self.bits)
        return function(np.array([self._read(0)]))[0]
