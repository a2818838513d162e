"""Tangent vectors beside trajectories, in batches: by how much they grow between renormalisations.

Source: Benettin, Galgani, Giorgilli and Strelcyn (1980), Meccanica 15, 9-30; Giraud, Langou and Rozloznik (2005), Computers and
Mathematics with Applications 50, 1069-1075, for Gram-Schmidt's method: done twice it is orthogonal to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, NamedTuple

import heyoka as hy
import numpy as np

from phaseflow.dynamics.fields import Array, Field
from phaseflow.dynamics.variational import are_many, extend, follow_divergence
from phaseflow.engines.taylor import BATCH, compile_batch

# Up to so many vector components Gram-Schmidt's method is compiled; above, LAPACK's share of the time is small.
_SMALL = 36
# Careful: the integrator's tolerance is relative to the largest of state and tangents. Where the state is larger than this the
# tangents are made as much longer than one.
_LARGE = 1024.0
_TINY = float(np.finfo(float).tiny)
# How many rows of growth a member has at the most; above, several intervals share a row.
_MOST_ROWS = 2**15
# After how many intervals it is seen whether a member of the batch has failed.
_WATCH = 64


@dataclass(frozen=True)
class Clock:
    """A span of time with what comes before it, cut into intervals.

    Attributes
    ----------
    interval : between renormalisations, at most.
    """

    start: float
    transient: float
    span: float
    interval: float

    @property
    def before(self) -> list[float]:
        """The ends of the intervals before the start."""
        n = int(np.ceil(self.transient / self.interval))
        return [float(time) for time in np.linspace(self.start - self.transient, self.start, n + 1)[1:]]

    @property
    def group(self) -> int:
        """How many intervals share a row."""
        return max(1, int(np.ceil(self.span / self.interval / _MOST_ROWS)))

    @property
    def n_rows(self) -> int:
        """How many rows there are, two at least."""
        return max(2, int(np.ceil(self.span / self.interval / self.group)))

    @property
    def ends(self) -> list[float]:
        """The ends of the intervals of the span."""
        n = self.n_rows * self.group
        return [self.start + (place + 1) * (self.span / n) for place in range(n)]


class Growth(NamedTuple):
    """How the tangents of some members grew.

    Attributes
    ----------
    rates : shape (n_members, n_rows, count): the logarithms of growth over the time, row by row.
    divergence : shape (n_members,): the mean divergence of the field.
    ends : shape (n_members, dimension): the last states.
    """

    rates: Array
    divergence: Array
    ends: Array


class Tangents:
    """States with tangent vectors and the integral of the divergence, compiled once for all members."""

    def __init__(self, field: Field, count: int, tolerance: float) -> None:
        self.dimension, self.count, self.n_parameters = len(field.states), count, len(field.parameters)
        equations = [*extend(field, count), follow_divergence(field), (hy.expression("scale__"), hy.expression(0.0))]
        self.integrator = compile_batch(equations, self.n_parameters, tolerance, is_compact=are_many(equations))
        self.renormalise = _compile_renormalisation(self.dimension, count)
        self.frame = _make_frame(self.dimension, count)

    def run(self, initial: Array, parameters: Array, clock: Clock) -> Growth:
        """Return how tangents grow of up to BATCH members; those that fail are NaN."""
        n = len(initial)
        growth = Growth(np.full((n, clock.n_rows, self.count), np.nan), np.full(n, np.nan), np.full((n, self.dimension), np.nan))
        lanes = np.arange(n)
        with np.errstate(all="ignore"):
            while len(lanes):
                is_sound = self._run_lanes(initial, parameters, clock, lanes, growth)
                if is_sound.all():
                    break
                # A member that fails stops its batch: the others begin again without it.
                lanes = lanes[is_sound]
        return growth

    def _run_lanes(self, initial: Array, parameters: Array, clock: Clock, lanes: Any, growth: Growth) -> Any:
        """Run members of one batch; return which of them have no failure of their own, and fill in the growth if all have none."""
        padded = [*lanes, *[lanes[-1]] * (BATCH - len(lanes))]
        integrator, d, kept = self.integrator, self.dimension, self.count * self.dimension + 2
        # A view: what is written to it is the integrator's.
        state = integrator.state
        state[:] = 0
        state[:d] = initial[padded].T
        state[d : d + self.frame.size] = self.frame.reshape(-1, 1)
        if self.n_parameters:
            integrator.pars[:] = parameters[padded].T
        integrator.set_time(clock.start - clock.transient)
        buffers = np.zeros((_WATCH, kept + self.count + 1, BATCH))
        self.renormalise(state, outputs=buffers[0])
        state[d:] = buffers[0, :kept]
        before, rows = np.zeros((1, self.count + 1, BATCH)), np.zeros((clock.n_rows, self.count + 1, BATCH))
        is_whole = self._stride(clock.before, before, buffers) and self._stride(clock.ends, rows, buffers)
        is_sound = self._find_sound()[: len(lanes)]
        if is_whole and is_sound.all():
            self._fill(growth, lanes, rows, clock)
        return is_sound

    def _stride(self, ends: list[float], rows: Array, buffers: Array) -> bool:
        """Go from one time to the next and add up growth in rows of as many intervals each; tell whether all lanes stayed finite."""
        n_kept, group = buffers.shape[1] - rows.shape[1], -(-len(ends) // len(rows))
        for first in range(0, len(ends), len(buffers)):
            times = ends[first : first + len(buffers)]
            try:
                self._take_steps(times, buffers, n_kept)
            except ValueError:
                # heyoka refuses to go on where the clock of a lane has ceased to be a number.
                return False
            for place, grown in enumerate(buffers[: len(times), n_kept:], first):
                rows[place // group] += grown
            if not np.isfinite(self.integrator.state).all():
                return False
        return True

    def _take_steps(self, times: list[float], buffers: Array, n_kept: int) -> None:
        """Go from one time to the next; this loop's own time counts, so everything is at hand."""
        propagate, renormalise, state = self.integrator.propagate_until, self.renormalise, self.integrator.state
        tangents = state[self.dimension :]
        for time, buffer, kept in zip(times, buffers, buffers[:, :n_kept], strict=False):
            propagate(time)
            renormalise(state, outputs=buffer)
            tangents[:] = kept

    def _find_sound(self) -> Any:
        """Tell which lanes have no failure of their own."""
        is_sound = np.array([report[0] != hy.taylor_outcome.err_nf_state for report in self.integrator.propagate_res])
        return is_sound & np.isfinite(self.integrator.state).all(axis=0)

    def _fill(self, growth: Growth, lanes: Any, rows: Array, clock: Clock) -> None:
        for lane, member in enumerate(lanes):
            growth.rates[member] = rows[:, :-1, lane] / (clock.span / clock.n_rows)
            # Careful: a sum over members at once would round as their number says; each has its own.
            growth.divergence[member] = np.ascontiguousarray(rows[:, -1, lane]).sum() / clock.span
            growth.ends[member] = self.integrator.state[: self.dimension, lane]


def _make_frame(dimension: int, count: int) -> Array:
    """Return orthonormal vectors, the same for all members: in no special direction, as unit vectors are where equations decouple."""
    angles = np.sqrt(2.0) * np.arange(1, dimension * dimension + 1)
    orthogonal, _ = np.linalg.qr(np.sin(angles * np.arange(1, dimension * dimension + 1)).reshape(dimension, dimension))
    return np.ascontiguousarray(orthogonal.T[:count])


def _compile_renormalisation(dimension: int, count: int) -> Any:
    """Return a function of the integrator's state that fills in `outputs`.

    That is: orthonormal tangents, as long as the state is large; zero, for the integral of the divergence; the logarithm of their
    length; then the logarithms of growth, and the integral as it was.
    """
    if count * dimension > _SMALL:
        return partial(_renormalise, dimension, count)
    states = [hy.expression(f"x__{place}") for place in range(dimension)]
    tangents = [[hy.expression(f"v__{vector}_{place}") for place in range(dimension)] for vector in range(count)]
    integral, before = hy.expression("divergence__"), hy.expression("scale__")
    largest = reduce(lambda a, b: hy.select(hy.gt(a, b), a, b), [state * state for state in states])
    length = hy.select(hy.gt(largest, hy.expression(_LARGE**2)), hy.sqrt(largest) / _LARGE, hy.expression(1.0))
    units, norms = _orthonormalise(tangents)
    after = [*(length * entry for unit in units for entry in unit), hy.expression(0.0), hy.log(length)]
    grown = [hy.log(norm) - before for norm in norms]
    variables = [*states, *(entry for tangent in tangents for entry in tangent), integral, before]
    return hy.cfunc([*after, *grown, integral], vars=variables)


def _orthonormalise(vectors: list[list[Any]]) -> tuple[list[list[Any]], list[Any]]:
    """Return orthonormal vectors and the lengths that the given ones have across those before, by Gram and Schmidt's method, twice."""
    units: list[list[Any]] = []
    norms = []
    for vector in vectors:
        for unit in units * 2:
            product = hy.sum([a * b for a, b in zip(unit, vector, strict=True)])
            vector = [b - product * a for a, b in zip(unit, vector, strict=True)]
        norm = hy.sqrt(hy.sum([entry * entry for entry in vector]))
        # A vector that has vanished stays zero.
        norm = hy.select(hy.gt(norm, hy.expression(_TINY)), norm, hy.expression(_TINY))
        units.append([entry / norm for entry in vector])
        norms.append(norm)
    return units, norms


def _renormalise(dimension: int, count: int, state: Array, outputs: Array) -> None:
    """Do the same by QR."""
    last = (count + 1) * dimension
    vectors = state[dimension:last].reshape(count, dimension, BATCH).transpose(2, 1, 0)
    orthogonal, triangle = np.linalg.qr(vectors)
    length = np.maximum(1.0, np.abs(state[:dimension]).max(axis=0) / _LARGE)
    norms = np.abs(np.diagonal(triangle, axis1=1, axis2=2)).T
    kept = count * dimension
    outputs[:kept] = length * orthogonal.transpose(2, 1, 0).reshape(kept, BATCH)
    outputs[kept], outputs[kept + 1] = 0.0, np.log(length)
    outputs[kept + 2 : -1] = np.log(np.maximum(norms, _TINY)) - state[-1]
    outputs[-1] = state[-2]
