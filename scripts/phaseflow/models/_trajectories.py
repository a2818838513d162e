"""Tables of trajectories as arrays: a member each, its rows in order of time and evenly spaced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phaseflow.data import check_numbers
from phaseflow.errors import DataError
from phaseflow.expressions.quantity import Quantity

Array = NDArray[np.float64]

# Times written as decimals, or computed as start + k*dt, are even to rounding; this leaves no other doubt.
_EVEN = 1e-6


def list_states(table: pd.DataFrame, inputs: Sequence[str] | None) -> list[str]:
    """Return the columns that hold the state: those asked for, or all but member and t."""
    return list(inputs) if inputs is not None else [str(name) for name in table.columns if name not in ("member", "t")]


def split_members(table: pd.DataFrame, states: Sequence[str], source: str) -> tuple[list[Array], float]:
    """Return the samples of each member, of shape (n_samples, n_states), and the time between them.

    Raises
    ------
    DataError : a column cannot be used, or the times are not evenly spaced.
    """
    check_numbers(table, ["t", *states], source)
    parts = table.sort_values("t", kind="stable").groupby("member", sort=True) if "member" in table else [(0, table)]
    samples, steps = [], []
    for member, part in parts:
        gaps = np.diff(part["t"].to_numpy(dtype=float))
        if len(gaps) == 0:
            raise DataError(f"{source}: member {member} has one row only")
        steps.append(gaps)
        samples.append(part[list(states)].to_numpy(dtype=float))
    gaps = np.concatenate(steps)
    step = float(np.median(gaps))
    if step <= 0 or np.abs(gaps - step).max() > _EVEN * step:
        raise DataError(f"{source}, column 't': the times must rise in even steps; they go from {gaps.min():.6g} to {gaps.max():.6g} apart")
    # The mean step over the longest member carries the least rounding.
    longest = max(steps, key=len)
    return samples, float(longest.sum() / len(longest))


def add_noise(samples: Sequence[Array], noise: Quantity | None, rng: np.random.Generator) -> list[Array]:
    """Return samples with independent normal noise, of a size relative to the standard deviation of each state over all members."""
    if noise is None or noise.value == 0:
        return list(samples)
    size = noise.value * np.concatenate(samples).std(axis=0)
    return [sample + size * rng.standard_normal(sample.shape) for sample in samples]
