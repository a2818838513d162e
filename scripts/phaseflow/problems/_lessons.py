"""The rows that a network learns from and those that are held out, all scaled by the former."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phaseflow.data import check_numbers
from phaseflow.errors import DataError
from phaseflow.models._trajectories import split_members
from phaseflow.settings.trainings import Train

Array = NDArray[np.float64]

_FEWEST = 4
# A horizon of 0.04 means one step of numpy.linspace(0, 40, 1000), which is 40/999.
_NEAR = 0.01


@dataclass(frozen=True)
class Scale:
    """The means and standard deviations of columns in the training rows."""

    mean: Array
    spread: Array

    def apply(self, values: Array) -> Array:
        """Return values with mean 0 and standard deviation 1 in the training rows."""
        return (values - self.mean) / self.spread

    def undo(self, values: Array) -> Array:
        """Return scaled values in their own units."""
        return values * self.spread + self.mean


@dataclass(frozen=True)
class Rows:
    """Inputs, shape (n_rows, n_inputs), outputs, shape (n_rows, n_outputs), and where each row stands: its time, or its number."""

    inputs: Array
    outputs: Array
    at: Array


@dataclass(frozen=True)
class Lessons:
    """The scaled rows that train and those that are held out, and the scale of the outputs."""

    training: Rows
    validation: Rows
    scale: Scale


def read_lessons(train: Train, table: pd.DataFrame, source: str) -> Lessons:
    """Return the rows of a table as a study wants them.

    Raises
    ------
    DataError : a column cannot be used or does not vary, the times are uneven, or rows are too few.
    """
    parts = [_divide(train, *part) for part in _read_parts(train, table, source)]
    training, validation = (_join([part[place] for part in parts]) for place in (0, 1))
    for rows, what in ((training, "to train with"), (validation, "held out")):
        if len(rows.inputs) < _FEWEST:
            raise DataError(f"{source}: {len(rows.inputs)} rows {what} are too few; at least {_FEWEST} are wanted")
    seen, sought = _find_scale(training.inputs, train.inputs, source), _find_scale(training.outputs, train.predicted, source)
    training, validation = (Rows(seen.apply(r.inputs), sought.apply(r.outputs), r.at) for r in (training, validation))
    return Lessons(training, validation, sought)


def _read_parts(train: Train, table: pd.DataFrame, source: str) -> list[tuple[Rows, int]]:
    """Return the rows of each member, those of a table without members as one, and how many rows later the outputs are."""
    names = [*train.inputs, *train.predicted]
    n_inputs = len(train.inputs)
    if train.horizon is None:
        check_numbers(table, names, source)
        keys = [name for name in ("member", "t") if name in table] if train.to.startswith("simulate.") else []
        ordered = table.sort_values(keys, kind="stable") if keys else table
        groups = [part for _, part in ordered.groupby("member", sort=True)] if "member" in keys else [ordered]
        parts = []
        for part in groups:
            values = part[names].to_numpy(dtype=float)
            at = part["t"].to_numpy(dtype=float) if "t" in keys else np.arange(1.0, len(part) + 1)
            parts.append((Rows(values[:, :n_inputs], values[:, n_inputs:], at), 0))
        return parts
    samples, dt = split_members(table, names, source)
    steps = _count_steps(train.horizon.value, dt, source)
    if short := [sample for sample in samples if len(sample) <= steps]:
        raise DataError(f"{source}: a member has {len(short[0])} rows, and the horizon is {steps} rows")
    return [
        (Rows(sample[:-steps, :n_inputs], sample[steps:, n_inputs:], dt * np.arange(steps, len(sample), dtype=np.float64)), steps)
        for sample in samples
    ]


def _count_steps(horizon: float, dt: float, source: str) -> int:
    steps = max(1, round(horizon / dt))
    if abs(steps * dt - horizon) > _NEAR * horizon:
        raise DataError(f"{source}: the samples are {dt:.6g} apart, so {horizon:g} is no whole number of steps; take {steps * dt:.6g}")
    return steps


def _divide(train: Train, rows: Rows, steps: int) -> tuple[Rows, Rows]:
    """Return the rows that train and those that are held out; with the last held out, no row that trains ends among them."""
    places, share = np.arange(len(rows.at)), train.validation.value
    if train.holds_last:
        cut = int((1 - share) * (len(places) + steps))
        is_training, is_later = places + steps < cut, places >= cut
    else:
        is_later = np.floor((places + 1) * share) > np.floor(places * share)
        is_training = ~is_later
    return _choose(rows, is_training), _choose(rows, is_later)


def _choose(rows: Rows, mask: NDArray[np.bool_]) -> Rows:
    return Rows(rows.inputs[mask], rows.outputs[mask], rows.at[mask])


def _join(parts: Sequence[Rows]) -> Rows:
    return Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("inputs", "outputs", "at")))


def _find_scale(values: Array, names: Sequence[str], source: str) -> Scale:
    mean, spread = values.mean(axis=0), values.std(axis=0)
    for name, size in zip(names, spread, strict=True):
        if not size > 0:
            raise DataError(f"{source}, column {name!r}: it does not vary in the rows to train with")
    return Scale(mean, spread)
