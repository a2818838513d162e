"""The tables of a comparison, which stand beside a study's trials; they are empty where there is nothing to compare."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from phaseflow.rankings import profiles, read_records, running_times, significance
from phaseflow.rankings.bands import draw_problems

SCHEMAS = {
    "profiles": profiles.SCHEMA,
    "running_times": running_times.SCHEMA,
    "ranks": significance.RANK_SCHEMA,
    "comparisons": significance.PAIR_SCHEMA,
}


def compare(
    trials: pd.DataFrame, histories: pd.DataFrame, targets: Sequence[float], resamples: int, confidence: float, seed: int
) -> dict[str, pa.Table]:
    """Compare the algorithms of a study over its problems, budget by budget; ranks and tests want two algorithms and two problems.

    Parameters
    ----------
    trials, histories : as `read_records` takes them.
    """
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in SCHEMAS}
    for record in read_records(trials, histories, targets):
        if not record.problems:
            continue
        draws = draw_problems(seed, len(record.problems), resamples)
        rows["profiles"] += profiles.tabulate_profiles(record, draws, confidence)
        rows["running_times"] += running_times.tabulate_running_times(record, draws, confidence)
        if min(len(record.problems), len(record.algorithms)) > 1:
            rows["ranks"] += significance.tabulate_ranks(record, draws, confidence)
            rows["comparisons"] += significance.tabulate_pairs(record, confidence)
    return {name: pa.Table.from_pylist(found, schema=SCHEMAS[name]) for name, found in rows.items()}


def make_empty() -> dict[str, pa.Table]:
    """Return the tables of a study that compares nothing."""
    return {name: schema.empty_table() for name, schema in SCHEMAS.items()}
