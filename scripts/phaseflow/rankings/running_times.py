"""Expected running time: the evaluations that an algorithm started again and again needs until it first reaches a target.

Source: Hansen, Auger, Ros, Mersmann, Tušar and Brockhoff (2021), Optim. Methods Softw. 36, 114-144, sec. 4 (COCO).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from phaseflow.rankings import Array, Record
from phaseflow.rankings.bands import find_band

SCHEMA = pa.schema(
    [
        ("budget", pa.float64()),
        ("target", pa.float64()),
        ("algorithm", pa.string()),
        ("problem", pa.string()),
        *((name, pa.int64()) for name in ("trials", "successes")),
        *((name, pa.float64()) for name in ("evaluations", "expected", "expected_low", "expected_high")),
    ]
)
ALL_PROBLEMS = "(all)"


def find_running_times(record: Record) -> tuple[Array, Array]:
    """Return evaluations paid and successes, pooled over starts, each of shape (n_algorithms, n_problems, n_targets).

    Their ratio is the expected running time: a success pays the evaluations until its target, a failure all that it had.
    """
    paid = np.minimum(record.reached, record.spent[..., None])
    return paid.sum(axis=2), np.isfinite(record.reached).sum(axis=2).astype(np.float64)


def divide(paid: Array, successes: Array) -> Array:
    """Return the expected running time; infinite where nothing succeeded."""
    return np.where(successes > 0, paid / np.maximum(successes, 1), np.inf)


def tabulate_running_times(record: Record, draws: Array, confidence: float) -> list[dict[str, Any]]:
    """Return a row an algorithm, problem and target, in evaluations, and one for all problems, in units of n + 1, with a band."""
    paid, successes = find_running_times(record)
    n_starts, expected = record.reached.shape[2], divide(paid, successes)
    in_units = paid / record.units[:, None]
    rows = []
    for a, algorithm in enumerate(record.algorithms):
        for k, target in enumerate(record.targets):
            key = {"budget": record.budget, "target": target, "algorithm": algorithm}
            for p, problem in enumerate(record.problems):
                counts = {"problem": problem, "trials": n_starts, "successes": int(successes[a, p, k])}
                rows.append(key | counts | {"evaluations": paid[a, p, k], "expected": expected[a, p, k]})
            sums = (draws * in_units[a, :, k]).sum(axis=1), (draws * successes[a, :, k]).sum(axis=1)
            low, high = find_band(divide(*sums), confidence)
            total, solved = in_units[a, :, k].sum(), successes[a, :, k].sum()
            counts = {"problem": ALL_PROBLEMS, "trials": n_starts * len(record.problems), "successes": int(solved)}
            ends = {"expected_low": float(low), "expected_high": float(high)}
            rows.append(key | counts | {"evaluations": total, "expected": float(divide(total, solved))} | ends)
    return rows
