"""What a calibration is made of: the records, what each holds fixed, and what is sought."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from phaseflow.data import Table
from phaseflow.errors import DataError
from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.derivative import ZERO, differentiate
from phaseflow.expressions.quantity import Expression
from phaseflow.expressions.tree import Node, Number, Symbol, find_names
from phaseflow.settings.calibrations import Calibrate, Estimated, Experiment
from phaseflow.settings.systems import System

Array = NDArray[np.float64]
TIME_COLUMN = "t"
_ERRORS: dict[str, tuple[Literal["normal", "laplace"], Literal["linear", "log"]]] = {
    "normal": ("normal", "linear"), "lognormal": ("normal", "log"), "laplace": ("laplace", "linear"),
}  # fmt: skip


@dataclass(frozen=True)
class Record:
    """One experiment: what was observed, and how it depends on what is sought.

    Attributes
    ----------
    start : the record's first time, at which the initial values hold, also where it is not used itself.
    times : shape (n_times,), increasing, those that are used.
    observed : shape (n_times, n_columns); NaN where nothing was observed.
    values : for each parameter of the system and of the noise an expression of what is sought.
    initial : likewise for each state.
    """

    name: str
    start: float
    times: Array
    observed: Array
    values: Mapping[str, Node]
    initial: Mapping[str, Node]


@dataclass(frozen=True)
class Column:
    """An observed column: its expression of states and parameters, and its errors.

    Attributes
    ----------
    size : the expression of the size of its errors, where it is given.
    shape : the distribution of the errors of the value itself (linear) or of its logarithm.
    """

    name: str
    formula: Expression
    size: Expression | None = None
    shape: Literal["normal", "laplace"] = "normal"
    scale: Literal["linear", "log", "log10"] = "linear"


@dataclass(frozen=True)
class Belief:
    """What is known of a parameter beforehand: the density of its value, or of its logarithm, as PEtab has it.

    Attributes
    ----------
    kind : normal, lognormal, laplace, loglaplace or uniform, with its two numbers.
    scale : log, log10: the density is that of the logarithm, and nothing is added for the change of variable.
    """

    kind: str
    first: float
    second: float
    scale: Literal["linear", "log", "log10"] = "linear"


@dataclass(frozen=True)
class Sought:
    """What is sought: names, bounds and first starts, each in its own unit.

    Attributes
    ----------
    is_log : whose logarithm the search moves.
    priors : what is known beforehand, by place.
    """

    names: tuple[str, ...]
    lower: Array
    upper: Array
    start: Array
    is_log: NDArray[np.bool_]
    priors: Mapping[int, Belief] = field(default_factory=dict)

    def to_scale(self, point: Array) -> Array:
        """Return a point as the search sees it: the logarithm where the scale is one."""
        with np.errstate(divide="ignore"):
            scaled: Array = np.where(self.is_log, np.log(np.maximum(point, 0)), point)
        return scaled

    def from_scale(self, place: Array) -> Array:
        """Return the point that the search sees at a place, within the bounds in spite of rounding."""
        with np.errstate(over="ignore"):
            point: Array = np.clip(np.where(self.is_log, np.exp(np.where(self.is_log, place, 0)), place), self.lower, self.upper)
        return point

    def find_stretch(self, point: Array) -> Array:
        """Return the derivative of each value sought by its place in the search."""
        stretch: Array = np.where(self.is_log, point, 1.0)
        return stretch


@dataclass(frozen=True)
class Setup:
    """A whole calibration.

    Attributes
    ----------
    parameters : the names that a record has values for: those of the system, then those of the noise.
    sizes : squares (least squares), solved (the most likely sizes) or given (by the columns).
    """

    system: System
    parameters: tuple[str, ...]
    columns: tuple[Column, ...]
    records: tuple[Record, ...]
    sought: Sought
    sizes: Literal["squares", "solved", "given"]


class Binding:
    """Some expressions of what is sought as numbers, with their derivatives.

    Parameters
    ----------
    nodes : the expressions; names : what is sought.
    """

    def __init__(self, nodes: Sequence[Node], names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._base = np.array([float(evaluate(node, {})) if isinstance(node, Number) else 0.0 for node in nodes])
        direct = [(place, names.index(node.name)) for place, node in enumerate(nodes) if isinstance(node, Symbol) and node.name in names]
        self._direct = np.array(direct, dtype=np.intp).reshape(-1, 2)
        taken = {place for place, _ in direct}
        others = [(place, node) for place, node in enumerate(nodes) if place not in taken and not isinstance(node, Number)]
        self._others = [(p, n, [(names.index(s), differentiate(n, s)) for s in sorted(find_names(n))]) for p, n in others]
        self.is_active = np.zeros(len(nodes), dtype=bool)
        self.is_active[self._direct[:, 0]] = True
        for place, _, slopes in self._others:
            self.is_active[place] = any(slope != ZERO for _, slope in slopes)

    def bind(self, point: Array) -> Array:
        """Return the values, shape (n_nodes,)."""
        values = self._base.copy()
        values[self._direct[:, 0]] = point[self._direct[:, 1]]
        named = dict(zip(self._names, point, strict=True))
        for place, node, _ in self._others:
            values[place] = evaluate(node, named)
        return values

    def differentiate(self, point: Array) -> Array:
        """Return their derivatives by what is sought, shape (n_nodes, n_sought)."""
        slopes = np.zeros((len(self._base), len(self._names)))
        slopes[self._direct[:, 0], self._direct[:, 1]] = 1
        named = dict(zip(self._names, point, strict=True))
        for place, _, found in self._others:
            for by, slope in found:
                slopes[place, by] = evaluate(slope, named)
        return slopes


def read_setup(stated: Calibrate, tables: Mapping[str, Path]) -> Setup:
    """Read the records of a resolved calibration.

    Raises
    ------
    DataError : a time is missing or comes twice, a value is no number, or nothing is left to use.
    """
    shape, scale = _ERRORS[stated.error]
    columns = tuple(Column(name, formula, stated.find_size(name), shape, scale) for name, formula in stated.observe.items())
    records = tuple(_read_record(stated, name, record, tables[record.to]) for name, record in stated.records.items())
    names = (*stated.definition.parameters, *stated.noise)
    return Setup(stated.definition, names, columns, records, _list_sought(stated.sought), stated.sizes)


def _list_sought(stated: Mapping[str, Estimated]) -> Sought:
    bounds = np.array([one.bounds for one in stated.values()]).reshape(-1, 2)
    start, is_log = np.array([one.first for one in stated.values()]), np.array([one.scale == "log" for one in stated.values()])
    priors = {
        place: Belief(one.prior.stated[0], *one.prior.stated[1]) for place, one in enumerate(stated.values()) if one.prior is not None
    }
    return Sought(tuple(stated), bounds[:, 0], bounds[:, 1], start, is_log, priors)


def _read_record(stated: Calibrate, name: str, record: Experiment, path: Path) -> Record:
    columns, may_lack = list(stated.observe), stated.experiments is not None
    start, times, observed = _read_columns(record, columns, may_lack, path)
    if stated.error == "lognormal" and (observed <= 0).any():
        raise DataError(f"{path}: error: lognormal needs values above 0 in {', '.join(columns)}")
    system = stated.definition
    values: dict[str, Node] = {parameter: quantity.tree for parameter, quantity in system.parameters.items()}
    values |= {parameter: Symbol(parameter) for parameter in (*stated.parameters, *stated.noise)}
    values |= {parameter: formula.tree for parameter, formula in record.parameters.items()}
    initial: dict[str, Node] = {state: system.initial[state].tree for state in system.equations}
    initial |= {state: Symbol(f"{state}_0") for state in stated.initial}
    for state, value in record.initial.items():
        initial[state] = Symbol(f"{state}_0_{name}") if isinstance(value, Estimated) else value.tree
    return Record(name, start, times, observed, values, initial)


def _read_columns(record: Experiment, columns: list[str], may_lack: bool, path: Path) -> tuple[float, Array, Array]:
    """Return the first time, the times used, and what is observed; one of several records may lack columns, though not all."""
    frame = Table(path).read()
    time = record.time or TIME_COLUMN
    if may_lack and any(name in frame for name in columns):
        frame = frame.assign(**{name: math.nan for name in columns if name not in frame})
    for name in (time, *columns):
        if name not in frame or frame[name].dtype.kind not in "iuf":
            raise DataError(f"{path}: the column {name!r} is not there or holds something that is not a number")
    frame = frame.sort_values(time, kind="stable")
    times = frame[time].to_numpy(dtype=np.float64)
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise DataError(f"{path}: the column {time!r} has a time that is missing or comes twice")
    span = record.times
    low = span.start.value if span and span.start else -math.inf
    high = span.stop.value if span and span.stop else math.inf
    is_used = (times >= low) & (times <= high)
    observed = frame[columns].to_numpy(dtype=np.float64)[is_used]
    is_seen = np.isfinite(observed).any(axis=0)
    if not (is_seen.any() if may_lack else is_used.any() and is_seen.all()):
        raise DataError(f"{path}: nothing is observed in a column of {', '.join(columns)} between the times {low:g} and {high:g}")
    return float(times[0]), times[is_used], observed
