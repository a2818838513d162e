"""Multiple shooting: each interval of a record starts from states of its own, and the gaps between them are closed by degrees.

The gaps' weight climbs a ladder, at the end of which they are closed exactly, so that a chaotic record of many Lyapunov times is
fitted although no integration over all of it could be.
Source: Bock (1981), in Modelling of Chemical Reaction Systems, Springer, 102-125; Baake, Baake, Bock and Briggs (1992), Phys.
Rev. A 45, 5524-5529, for chaotic data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phaseflow.problems._blocks import Linear, condense
from phaseflow.problems._misfits import Misfit, measure_spread
from phaseflow.problems._model import Model, Predicted
from phaseflow.problems._posterior import Posterior
from phaseflow.problems._priors import add_up

Array = NDArray[np.float64]

# The weight of a gap of the size of a state's spread, against that of an error of the size of a column's spread.
LADDER = tuple(10.0**power for power in range(-4, 7))
_SAMPLES, _MOST_INTERVALS = 4, 100
_MOST_STEPS, _MOST_LAST_STEPS = 60, 40
# A rung is left when a step gains less than this part of the value; the last is, when a step is shorter, in units of the spread.
_LEAST_GAIN, _LAST_STEP = 1e-3, 1e-9
_FIRST_DAMPING, _LEAST_DAMPING, _LARGEST_DAMPING = 1e-4, 1e-12, 1e12
_GUESS_STEPS = 20
# From so many nodes on, the spread of a state that is not observed is taken from them; at least this part of its size.
_FEWEST_NODES, _LEAST_SPREAD = 4, 1e-3
# Sizes of errors that are found are at least this part of the spread; absolute errors count as at least this part of their size.
_LEAST_SIZE = 1e-9


class Interval(NamedTuple):
    """Part of a record: its number, its rows, when it starts, and when the next one does (NaN for the last)."""

    record: int
    rows: slice
    start: float
    end: float
    is_first: bool


@dataclass(frozen=True)
class State:
    """A place of the search: what is sought, on its scale, and the states at the start of each interval but a record's first."""

    place: Array
    nodes: Array


@dataclass(frozen=True)
class Run:
    """What the intervals give.

    Attributes
    ----------
    predicted : of every value observed, with derivatives by what is sought while the free nodes stay.
    by_node : shape (n_seen, n): the derivatives by the node of its interval; 0 where that is a record's first.
    interval : shape (n_seen,), of which interval.
    gaps, forward, steer : as in `Linear`, in the states' own units.
    """

    predicted: Predicted
    by_node: Array
    gaps: Array
    forward: Array
    steer: Array


@dataclass
class Shooter:
    """The search of one trial.

    Parameters
    ----------
    posterior : with a model whose nodes have derivatives.
    length : that of an interval, if it is given.
    """

    posterior: Posterior
    length: float | None
    values: list[float] = field(default_factory=list)
    points: list[Array] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model: Model = self.posterior.model
        self.misfit: Misfit = self.posterior.misfit
        self.intervals = [part for number in range(len(self.model.links)) for part in self._divide(number)]
        is_first = np.array([part.is_first for part in self.intervals])
        self.free = np.flatnonzero(~is_first)
        # The join before a free node is inner if the interval that it comes from has a free node itself.
        self.is_inner = ~is_first[self.free - 1] if len(self.free) else np.zeros(0, dtype=bool)
        counts = [int(self.model.masks[part.record][part.rows].sum()) for part in self.intervals]
        self.interval = np.repeat(np.arange(len(counts)), counts)

    # -- intervals and first guesses

    def _divide(self, number: int) -> list[Interval]:
        record = self.model.links[number].record
        times = record.times
        if self.length is None:
            size = max(_SAMPLES, -(-len(times) // _MOST_INTERVALS))
            cuts = np.arange(size, len(times) - 1, size)
        else:
            wanted = np.arange(record.start + self.length, times[-1], self.length)
            cuts = np.unique(np.searchsorted(times, wanted))
            cuts = cuts[(cuts > 0) & (cuts < len(times) - 1)]
        edges = [0, *(int(cut) for cut in cuts), len(times)]
        ends = [*(float(times[cut]) for cut in cuts), np.nan]
        starts = [record.start, *ends[:-1]]
        return [Interval(number, slice(*edges[k : k + 2]), starts[k], ends[k], k == 0) for k in range(len(ends))]

    def guess(self, place: Array, spread: Array, shift: Array) -> State:
        """Return a first place: each node at the initial state, moved as little as what is observed there asks for."""
        point = self.posterior.sought.from_scale(place)
        nodes = np.empty((len(self.free), self.model.flow.dimension))
        for row, k in enumerate(self.free):
            part = self.intervals[k]
            link = self.model.links[part.record]
            base = link.initial.bind(point) + shift * spread
            nodes[row] = self._move_to_data(base, link.values.bind(point), part, spread)
        return State(place, nodes)

    def _move_to_data(self, state: Array, values: Array, part: Interval, spread: Array) -> Array:
        """Return the state nearest to a guess, in units of the spread, that agrees with what is observed at a node."""
        record = self.model.links[part.record].record
        observed, time = record.observed[part.rows][0], record.times[part.rows][:1]
        seen = np.isfinite(observed)
        for _ in range(_GUESS_STEPS if seen.any() else 0):
            found, by_states, _ = self.model.observer.look(state[None], values, time)
            error, slopes = (observed - found[0, 0])[seen], by_states[0, 0][seen] * spread
            if not (np.isfinite(error).all() and np.isfinite(slopes).all()):
                break
            state = state + spread * np.linalg.lstsq(slopes, error, rcond=1e-6)[0]
        return state

    def measure_spread(self, start: Array) -> Array:
        """Return a length for each state: the spread of a column that observes it alone, else the size of its initial value."""
        spread = np.maximum(np.abs(start), 1e-3 * (np.abs(start).max() or 1.0))
        states = list(self.model.setup.system.equations)
        for place, column in enumerate(self.model.setup.columns):
            if column.formula.text in states:
                spread[states.index(column.formula.text)] = self.misfit.units[place]
        return np.where(spread > 0, spread, 1.0)

    # -- predictions

    def run(self, state: State) -> Run | None:
        """Integrate every interval; None where one fails."""
        point = self.posterior.sought.from_scale(state.place)
        nodes = iter(state.nodes)
        found = [self._run_record(number, point, nodes) for number in range(len(self.model.links))]
        pieces = [piece for piece in found if piece is not None]
        if len(pieces) < len(found):
            return None
        n, n_sought = self.model.flow.dimension, len(point)
        values, sizes = np.concatenate([piece.seen for piece in pieces], axis=1)
        slopes = np.concatenate([piece.slopes for piece in pieces])
        sizes = np.where(self.model.is_given[self.model.column], sizes, 1.0)
        predicted = Predicted(values, sizes, slopes[:, :n_sought], np.zeros((len(values), n_sought)))
        ends = np.concatenate([piece.ends for piece in pieces])
        steer, forward = np.split(np.concatenate([piece.end_slopes for piece in pieces]), [n_sought], axis=2)
        return Run(predicted, slopes[:, n_sought:], ends.reshape(-1, n) - state.nodes, forward, steer)

    def _run_record(self, number: int, point: Array, nodes: Iterator[Array]) -> _Piece | None:
        """Integrate the intervals of a record, differentiated by what is sought, on its scale, and by the node of each."""
        link, n = self.model.links[number], self.model.flow.dimension
        stretch = self.posterior.sought.find_stretch(point)
        values, by_values = link.values.bind(point), link.values.differentiate(point) * stretch
        by_values = np.concatenate([by_values, np.zeros((len(values), n))], axis=1)
        of_system, driving = values[self.model.system_places], by_values[self.model.driving_places]
        states, slopes, ends, end_slopes = [], [], [], []
        for part in (part for part in self.intervals if part.record == number):
            at_start = np.concatenate([np.zeros((n, len(point))), np.eye(n)], axis=1)
            node = link.initial.bind(point) if part.is_first else next(nodes)
            if part.is_first:
                at_start = np.concatenate([link.initial.differentiate(point) * stretch, np.zeros((n, n))], axis=1)
            times = link.record.times[part.rows]
            grid = np.unique([part.start, *times, *([] if np.isnan(part.end) else [part.end])])
            found, by_arguments = self.model.flow.differentiate(of_system, node, grid)
            if not (np.isfinite(found).all() and np.isfinite(by_arguments).all()):
                return None
            total, rows = by_arguments @ np.concatenate([driving, at_start]), np.searchsorted(grid, times)
            states.append(found[rows])
            slopes.append(total[rows])
            if not np.isnan(part.end):
                ends.append(found[-1])
                end_slopes.append(total[-1])
        seen, chained = self.model.chain(np.concatenate(states), values, link.record.times, np.concatenate(slopes), by_values)
        mask, width = self.model.masks[number], len(point) + n
        return _Piece(seen[:, mask], chained[0][mask], np.reshape(ends, (-1, n)), np.reshape(end_slopes, (-1, n, width)))

    def look(self, state: State, number: int, times: Array) -> Array:
        """Return what is predicted of one record at any times after its start, shape (n_times, n_columns)."""
        point = self.posterior.sought.from_scale(state.place)
        nodes, link = iter(state.nodes), self.model.links[number]
        values = link.values.bind(point)
        found = np.full((len(times), len(self.model.setup.columns)), np.nan)
        for part in self.intervals:
            node = link.initial.bind(point) if part.is_first else next(nodes)
            inside = (times >= part.start) & ~(times >= part.end)
            if part.record != number or not inside.any():
                continue
            grid = np.unique([part.start, *times[inside]])
            states = self.model.flow.predict(values[self.model.system_places], node, grid)[np.searchsorted(grid, times[inside])]
            found[inside] = self.model.observer.look(states, values, times[inside])[0][0]
        return found

    # -- the search

    def search(self, start: Array, attempts: int, random: np.random.Generator) -> Outcome:
        """Search from a place, with other first guesses of the states where one leads nowhere."""
        outcome = Outcome("failed", State(start, np.zeros((len(self.free), self.model.flow.dimension))), None, "nothing was tried")
        spread = self.measure_spread(self.model.links[0].initial.bind(self.posterior.sought.from_scale(start)))
        for attempt in range(attempts):
            shift = random.standard_normal(len(spread)) if attempt else np.zeros(len(spread))
            found = self._climb(self.guess(start, spread, shift), spread)
            outcome = replace(found, attempts=attempt + 1)
            if found.status == "converged":
                break
        return outcome

    def _climb(self, state: State, spread: Array) -> Outcome:
        """Close the gaps by degrees, and at last exactly."""
        run = self._look(state)
        if run is None:
            return Outcome("failed", state, None, "the integration of an interval fails at the first guess")
        sizes = self._find_first_sizes(run)
        unit = float(np.mean((self._find_spreads() / sizes) ** 2))
        for rung in LADDER:
            state, run = self._descend(state, run, sizes, spread, rung * unit)
            spread = self._measure_nodes(state, spread)
        return self._close(state, run, spread, LADDER[-1] * unit)

    def _find_spreads(self) -> Array:
        """Return for each value observed the spread of its column, or that of its logarithm."""
        logs = self.misfit.logs[self.misfit.column] > 0
        values = np.where(logs, np.log(np.where(logs, self.misfit.observed, 1.0)), self.misfit.observed)
        return np.array([measure_spread(values[self.misfit.column == p]) for p in range(len(self.misfit.units))])[self.misfit.column]

    def _find_first_sizes(self, run: Run) -> Array:
        """Return the sizes of errors that the ladder weighs by: those given, else the spread of each column."""
        return self.misfit.split(run.predicted).sizes if self.misfit.sizes == "given" else self._find_spreads()

    def _measure_nodes(self, state: State, spread: Array) -> Array:
        """Return the lengths of the states, those that no column observes by themselves from the nodes found."""
        if len(state.nodes) < _FEWEST_NODES:
            return spread
        observed = {column.formula.text for column in self.model.setup.columns}
        is_hidden = np.array([name not in observed for name in self.model.setup.system.equations])
        found = np.maximum(state.nodes.std(axis=0), _LEAST_SPREAD * np.abs(state.nodes).max(axis=0))
        return np.where(is_hidden & (found > 0), found, spread)

    def _look(self, state: State) -> Run | None:
        """Return what the intervals give, and keep the value of it with its gaps at their last weight."""
        run = self.run(state)
        value = np.inf
        if run is not None:
            point = self.posterior.sought.from_scale(state.place)
            value = self.misfit.find_value(run.predicted) + add_up(self.posterior.sought.priors, point)[0]
            value += LADDER[-1] * float(((run.gaps / np.maximum(np.abs(state.nodes).max(axis=0, initial=0.0), 1e-300)) ** 2).sum())
        self.values.append(value)
        self.points.append(state.place)
        return run

    def _descend(self, state: State, run: Run, sizes: Array, spread: Array, weight: float) -> tuple[State, Run]:
        """Minimise with the gaps at one weight, by Levenberg's and Marquardt's method."""
        unit = float(np.mean((self._find_spreads() / sizes) ** 2))
        damping, value = _FIRST_DAMPING * unit, self._measure(state, run, sizes, spread, weight)
        for _ in range(_MOST_STEPS):
            linear, before = self._linearise(state, run, sizes, spread), value
            while damping < _LARGEST_DAMPING * unit:
                moved = self._move(state, linear, 1 / weight, damping, spread)
                there = self._look(moved) if moved is not None else None
                reached = self._measure(moved, there, sizes, spread, weight) if moved is not None and there is not None else np.inf
                if moved is not None and there is not None and reached < value:
                    state, run, value = moved, there, reached
                    damping = max(damping / 5, _LEAST_DAMPING * unit)
                    break
                damping *= 4
            if not value < before * (1 - _LEAST_GAIN):
                break
        return state, run

    def _close(self, state: State, run: Run, spread: Array, weight: float) -> Outcome:
        """Close the gaps exactly by undamped steps, with the sizes of the errors at their best."""
        length = np.inf
        for _ in range(_MOST_LAST_STEPS):
            sizes = self._find_last_sizes(run)
            value = self._measure(state, run, sizes, spread, weight)
            linear = self._linearise(state, run, sizes, spread)
            full = self._move(state, linear, 0.0, 0.0, spread)
            if full is None:
                break
            for part in (1.0, 0.5, 0.25, 0.1, 0.01):
                moved = State(state.place + part * (full.place - state.place), state.nodes + part * (full.nodes - state.nodes))
                there = self._look(moved)
                if there is not None and self._measure(moved, there, sizes, spread, weight) <= value * (1 + _LEAST_GAIN):
                    break
            if there is None:
                break
            steps = [np.abs((moved.place - state.place) / self.posterior.units), np.abs((moved.nodes - state.nodes) / spread).ravel()]
            state, run, length = moved, there, float(np.concatenate(steps).max())
            if length < _LAST_STEP:
                return Outcome("converged", state, run, "every gap is closed and the steps are shorter than their tolerance")
        return Outcome("stopped", state, run, f"the last step, {length:.1e} of the spread, is longer than its tolerance")

    def _find_last_sizes(self, run: Run) -> Array:
        sizes = self.misfit.split(run.predicted).sizes
        return np.maximum(sizes, _LEAST_SIZE * self._find_spreads())

    def _weigh(self, run: Run, sizes: Array) -> tuple[Array, Array]:
        """Return the residuals whose squares are minimised, and what the derivatives of predictions are multiplied by."""
        terms = self.misfit.split(run.predicted)
        least = np.maximum(np.abs(terms.errors), _LEAST_SIZE * sizes)
        weights = 1 / np.where(self.misfit.is_absolute[self.misfit.column], np.sqrt(sizes * least), sizes)
        return terms.errors * weights, terms.stretch * weights

    def _measure(self, state: State, run: Run, sizes: Array, spread: Array, weight: float) -> float:
        residuals, _ = self._weigh(run, sizes)
        beliefs = 2 * add_up(self.posterior.sought.priors, self.posterior.sought.from_scale(state.place))[0]
        value = float(residuals @ residuals) + weight * float(((run.gaps / spread) ** 2).sum()) + beliefs
        return value if np.isfinite(value) else np.inf

    def _linearise(self, state: State, run: Run, sizes: Array, spread: Array) -> Linear:
        """Return the linearised problem in units of the spread and of the search."""
        units, point = self.posterior.units, self.posterior.sought.from_scale(state.place)
        residuals, weights = self._weigh(run, sizes)
        own, node = run.predicted.slopes * weights[:, None] * units, run.by_node * weights[:, None] * spread
        rows = [self.interval == k for k in self.free]
        n, n_free, stretch = len(spread), len(self.free), self.posterior.sought.find_stretch(point) * units
        _, slope, curvature = add_up(self.posterior.sought.priors, point)
        return Linear(
            np.reshape([node[chosen].T @ node[chosen] for chosen in rows], (n_free, n, n)),
            np.reshape([node[chosen].T @ residuals[chosen] for chosen in rows], (n_free, n)),
            np.reshape([node[chosen].T @ own[chosen] for chosen in rows], (n_free, n, len(units))),
            own.T @ own + np.diag(curvature * stretch**2),
            own.T @ residuals + slope * stretch,
            run.gaps / spread,
            run.forward * spread / spread[:, None],
            run.steer * units / spread[:, None],
            self.is_inner,
        )

    def _move(self, state: State, linear: Linear, slack: float, damping: float, spread: Array) -> State | None:
        """Return the place after a step, what would cross a bound held there; None where there is no step."""
        units = self.posterior.units
        low, high = (self.posterior.lower - state.place) / units, (self.posterior.upper - state.place) / units
        fixed = np.full(len(units), np.nan)
        try:
            condensed = condense(linear, slack, damping)
            for _ in range(len(units) + 1):
                parameters, nodes = condensed.solve(fixed)
                crosses = np.isnan(fixed) & ((parameters < low) | (parameters > high))
                if not crosses.any():
                    break
                fixed = np.where(crosses, np.clip(parameters, low, high), fixed)
        except (np.linalg.LinAlgError, ValueError):
            return None
        place = np.clip(state.place + parameters * units, self.posterior.lower, self.posterior.upper)
        moved = State(place, state.nodes + nodes * spread)
        return moved if np.isfinite(place).all() and np.isfinite(moved.nodes).all() else None

    def follow(self, run: Run) -> Array:
        """Return the derivatives of the predictions by what is sought, on its scale, with every gap kept closed."""
        slopes, moved, row = run.predicted.slopes.copy(), np.zeros(0), 0
        for k, part in enumerate(self.intervals):
            if part.is_first:
                continue
            carried = run.forward[row] @ moved if self.is_inner[row] else 0.0
            moved = run.steer[row] + carried
            chosen = self.interval == k
            slopes[chosen] += run.by_node[chosen] @ moved
            row += 1
        return slopes


class _Piece(NamedTuple):
    """What the intervals of a record give: values and sizes, the slopes of the values, the states at their ends with their slopes."""

    seen: Array
    slopes: Array
    ends: Array
    end_slopes: Array


@dataclass(frozen=True)
class Outcome:
    """How a search ended, where, and what the intervals give there."""

    status: str
    state: State
    run: Run | None
    message: str
    attempts: int = 1
