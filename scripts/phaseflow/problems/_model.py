"""What a calibration predicts: every observation as a function of what is sought, with exact derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import heyoka as hy
import numpy as np
from numpy.typing import NDArray

from phaseflow.dynamics.fields import make_field
from phaseflow.expressions.compiled import to_heyoka
from phaseflow.expressions.derivative import substitute
from phaseflow.expressions.tree import Node, find_names
from phaseflow.problems._experiments import Binding, Column, Record, Setup
from phaseflow.problems._sensitivity import Accuracy, Flow

Array = NDArray[np.float64]

_COMPACT_OUTPUTS = 200


@dataclass(frozen=True)
class Predicted:
    """What is predicted of every value observed, one after the other: records, then times, then columns.

    Attributes
    ----------
    values, sizes : shape (n_seen,): the prediction, and the size of its error (1 where it is not given).
    slopes, size_slopes : shape (n_seen, n_sought): their derivatives, where they were asked for.
    """

    values: Array
    sizes: Array
    slopes: Array
    size_slopes: Array


class Observer:
    """What is observed of states, and the sizes of its errors, with the derivatives of both.

    Parameters
    ----------
    active : which of the setup's parameters have derivatives.
    """

    def __init__(self, setup: Setup, active: Sequence[str]) -> None:
        field = make_field(setup.system)
        extra = [name for name in setup.parameters if name not in field.parameters]
        self._order = [setup.parameters.index(name) for name in (*field.parameters, *extra)]
        names = field.names | {name: hy.par[len(field.parameters) + place] for place, name in enumerate(extra)}
        states = [variable for variable, _ in field.equations]
        self.n_columns, self.n_states, self.n_active = len(setup.columns), len(states), len(active)
        outputs = [to_heyoka(tree, names) for tree in _list_outputs(setup.columns, set(names))]
        by = [*states, *(names[name] for name in active)]
        slopes = [hy.diff(output, one) for output in outputs for one in by]
        self._function = hy.cfunc([*outputs, *slopes], vars=states, compact_mode=len(slopes) > _COMPACT_OUTPUTS)

    def look(self, states: Array, values: Array, times: Array) -> tuple[Array, Array, Array]:
        """Return predictions and sizes, their derivatives by the states, and those by the active parameters.

        Shapes (2, n_times, n_columns), (2, n_times, n_columns, n_states) and (2, n_times, n_columns, n_active).
        """
        n, function = len(times), self._function
        options: dict[str, Any] = {"time": np.ascontiguousarray(times)} if function.is_time_dependent else {}
        if function.nparams:
            options["pars"] = np.repeat(values[self._order][: function.nparams, None], n, axis=1)
        found = np.array(function(np.ascontiguousarray(states.T), **options))
        n_outputs = 2 * self.n_columns
        seen = np.moveaxis(found[:n_outputs].reshape(2, self.n_columns, n), 2, 1)
        slopes = np.moveaxis(found[n_outputs:].reshape(2, self.n_columns, self.n_states + self.n_active, n), 3, 1)
        return seen, slopes[..., : self.n_states], slopes[..., self.n_states :]


def _list_outputs(columns: Sequence[Column], known: set[str]) -> list[Node]:
    """Return the trees of what is observed, then those of the sizes, in which a column's name stands for its expression."""
    observed = [column.formula.tree for column in columns]
    meant: Mapping[str, Node] = {c.name: c.formula.tree for c in columns if c.name not in known}
    return [*observed, *(substitute(c.size.tree, meant) if c.size else c.formula.tree for c in columns)]


@dataclass(frozen=True)
class _Link:
    """How a record's parameters and initial values depend on what is sought."""

    record: Record
    values: Binding
    initial: Binding


class Model:
    """The predictions of a calibration.

    Parameters
    ----------
    with_nodes : the states are differentiated by the initial value of each, as multiple shooting needs it.
    """

    def __init__(self, setup: Setup, accuracy: Accuracy, with_nodes: bool = False) -> None:
        self.setup = setup
        names = setup.sought.names
        self.links = [
            _Link(r, self._bind(r.values, setup.parameters), self._bind(r.initial, list(setup.system.equations))) for r in setup.records
        ]
        is_active = np.any([link.values.is_active for link in self.links], axis=0)
        self.active = [name for name, flag in zip(setup.parameters, is_active, strict=True) if flag]
        self._active = [setup.parameters.index(name) for name in self.active]
        used = frozenset[str]().union(*(find_names(formula.tree) for formula in setup.system.equations.values()))
        driving = [name for name in self.active if name in used and name in setup.system.parameters]
        self.driving_places = [setup.parameters.index(name) for name in driving]
        is_seed = np.any([link.initial.is_active for link in self.links], axis=0) | with_nodes
        self._seeds = np.flatnonzero(is_seed)
        self.flow = Flow(setup.system, driving, [list(setup.system.equations)[place] for place in self._seeds], accuracy)
        self.system_places = [setup.parameters.index(name) for name in self.flow.field.parameters]
        self.observer = Observer(setup, self.active)
        self.n_sought = len(names)
        self.masks = [np.isfinite(record.observed) for record in setup.records]
        self.observed = np.concatenate([record.observed[mask] for record, mask in zip(setup.records, self.masks, strict=True)])
        self.column = np.concatenate([np.nonzero(mask)[1] for mask in self.masks])
        self.is_given = np.array([column.size is not None for column in setup.columns])

    def _bind(self, nodes: Mapping[str, Node], order: Sequence[str]) -> Binding:
        return Binding([nodes[name] for name in order], self.setup.sought.names)

    def predict(self, point: Array) -> Predicted:
        """Return what is predicted at the times of the records, without derivatives; NaN where the integration fails."""
        return self._join([self.look(place, point, link.record.times) for place, link in enumerate(self.links)])

    def differentiate(self, point: Array) -> Predicted:
        """Return what is predicted, with derivatives."""
        return self._join([self._differentiate_one(link, point) for link in self.links])

    def look(self, place: int, point: Array, times: Array) -> tuple[Array, Array | None]:
        """Return predictions and sizes of one record at any times after its start, shape (2, n_times, n_columns)."""
        link = self.links[place]
        values = link.values.bind(point)
        states = self._follow(link, self.flow.predict, values, link.initial.bind(point), times)
        return self.observer.look(states, values, times)[0], None

    def _differentiate_one(self, link: _Link, point: Array) -> tuple[Array, Array]:
        values, by_values = link.values.bind(point), link.values.differentiate(point)
        both = self._follow(link, self._pack, values, link.initial.bind(point), link.record.times)
        n = self.flow.dimension
        states, slopes = both[:, :n], both[:, n:].reshape(len(both), n, -1)
        by_sought = slopes @ np.concatenate([by_values[self.driving_places], link.initial.differentiate(point)[self._seeds]])
        return self.chain(states, values, link.record.times, by_sought, by_values)

    def chain(self, states: Array, values: Array, times: Array, by_sought: Array, by_values: Array) -> tuple[Array, Array]:
        """Return predictions and sizes with their derivatives by what is sought, given those of states and parameters."""
        seen, by_states, by_active = self.observer.look(states, values, times)
        return seen, by_states @ by_sought + by_active @ by_values[self._active]

    def _pack(self, values: Array, initial: Array, times: Array) -> Array:
        states, slopes = self.flow.differentiate(values, initial, times)
        return np.concatenate([states, slopes.reshape(len(times), -1)], axis=1)

    def _follow(self, link: _Link, run: Any, values: Array, initial: Array, times: Array) -> Array:
        """Integrate from a record's start, and return what is found at the times asked for."""
        grid = np.unique(np.concatenate([[link.record.start], times]))
        found: Array = run(values[self.system_places], initial, grid)
        return found[np.searchsorted(grid, times)]

    def _join(self, parts: Sequence[tuple[Array, Array | None]]) -> Predicted:
        """Return the predictions of all records in one line, those alone of which there is an observation."""
        values = np.concatenate([part[0][:, mask] for part, mask in zip(parts, self.masks, strict=True)], axis=1)
        slopes = [part[1][:, mask] for part, mask in zip(parts, self.masks, strict=True) if part[1] is not None]
        joined = np.concatenate(slopes, axis=1) if slopes else np.full((2, 0, self.n_sought), np.nan)
        is_given = self.is_given[self.column]
        size_slopes = np.where(is_given[:, None], joined[1], 0.0) if slopes else joined[1]
        return Predicted(values[0], np.where(is_given, values[1], 1.0), joined[0], size_slopes)
