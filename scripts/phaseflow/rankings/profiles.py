"""Profiles: the share of problems that each algorithm solves, against what it may spend.

Sources: Dolan and Moré (2002), Math. Program. 91, 201-213 (performance profiles); Moré and Wild (2009), SIAM J. Optim. 20, 172-191,
eq. 2.8 (data profiles); Hansen et al. (2021), Optim. Methods Softw. 36, 114-144, sec. 5 (distribution over targets).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from phaseflow.rankings import Array, Record
from phaseflow.rankings.bands import find_band
from phaseflow.rankings.running_times import divide, find_running_times

SCHEMA = pa.schema(
    [
        ("profile", pa.string()),
        ("budget", pa.float64()),
        ("target", pa.float64()),
        ("algorithm", pa.string()),
        *((name, pa.float64()) for name in ("at", "share", "low", "high")),
    ]
)
_POINTS = 121


def count_within_ratio(record: Record, target: int, at: Array) -> Array:
    """Return whether each algorithm's expected time on a problem is within a factor of the best one's, shape (algorithms, problems, at).

    Where no algorithm solves a problem, none is within any factor. Starts are pooled first.
    """
    paid, successes = find_running_times(record)
    times = divide(paid, successes)[:, :, target]
    best = times.min(axis=0)
    ratios = np.where(np.isfinite(times), times / np.where(np.isfinite(best), best, 1), np.inf)
    return (ratios[..., None] <= at).astype(np.float64)


def count_within_units(record: Record, targets: slice, at: Array) -> Array:
    """Return how many starts and targets were reached within some units of n + 1 evaluations, shape (algorithms, problems, at)."""
    in_units = record.reached[..., targets] / record.units[:, None, None]
    counts: Array = (in_units[..., None] <= at).sum(axis=(2, 3)).astype(np.float64)
    return counts


def tabulate_profiles(record: Record, draws: Array, confidence: float) -> list[dict[str, Any]]:
    """Return the rows of every profile of a record, with bands over problems."""
    ratios = np.geomspace(1, max(record.budget, 2), _POINTS)
    units = np.geomspace(1 / record.units.max(), max(record.budget / record.units.min(), 1), _POINTS)
    n_starts, n_targets = record.reached.shape[2:]
    rows: list[dict[str, Any]] = []
    for place, target in enumerate(record.targets):
        key = {"budget": record.budget, "target": target}
        rows += _draw(record, {"profile": "performance"} | key, ratios, count_within_ratio(record, place, ratios), 1, draws, confidence)
        counts = count_within_units(record, slice(place, place + 1), units)
        rows += _draw(record, {"profile": "data"} | key, units, counts, n_starts, draws, confidence)
    counts = count_within_units(record, slice(None), units)
    key = {"profile": "targets", "budget": record.budget, "target": None}
    return [*rows, *_draw(record, key, units, counts, n_starts * n_targets, draws, confidence)]


def _draw(
    record: Record, key: dict[str, Any], at: Array, counts: Array, whole: int, draws: Array, confidence: float
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a profile: counts are whole numbers, so their sums are exact in any order."""
    n_problems = len(record.problems)
    for algorithm, part in zip(record.algorithms, counts, strict=True):
        low, high = find_band(draws @ part / (n_problems * whole), confidence)
        shares = part.sum(axis=0) / (n_problems * whole)
        for x, share, below, above in zip(at.tolist(), shares.tolist(), low.tolist(), high.tolist(), strict=True):
            yield key | {"algorithm": algorithm, "at": x, "share": share, "low": below, "high": above}
