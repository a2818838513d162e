"""Comparisons of algorithms over problems: what each needs to reach a target, in curves, in expected times and in tests.

The unit of a comparison is a problem: repeated starts of one problem are no independent sample, so they are pooled first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Record:
    """What every algorithm needed on every problem from every start, with the same budget.

    Attributes
    ----------
    algorithms, problems : their names.
    targets : shape (n_targets,), shares of the way from f(start) down to the least value known.
    reached : shape (n_algorithms, n_problems, n_starts, n_targets), evaluations until a target was reached; infinite where it never was.
    spent : shape (n_algorithms, n_problems, n_starts), evaluations in all.
    dimensions : shape (n_problems,).
    budget : evaluations that a trial may have.
    """

    algorithms: tuple[str, ...]
    problems: tuple[str, ...]
    targets: Array
    reached: Array
    spent: Array
    dimensions: Array
    budget: float

    @property
    def units(self) -> Array:
        """Evaluations of a unit, n + 1 for a problem of n variables: what a simplex or a gradient by differences takes."""
        return self.dimensions + 1


def read_records(trials: pd.DataFrame, histories: pd.DataFrame, targets: Sequence[float]) -> list[Record]:
    """Return a record a budget, of the problems and starts that all its algorithms were given.

    Parameters
    ----------
    trials : with trial, algorithm, problem, budget, start, dimension, start_value, known_value, evaluations.
    histories : with trial, evaluation, best; in the order of the evaluations of each trial.
    """
    reached = find_reached(trials, histories, targets)
    return [_make_record(part, reached[part.index], targets, float(budget)) for budget, part in trials.groupby("budget")]


def find_reached(trials: pd.DataFrame, histories: pd.DataFrame, targets: Sequence[float]) -> Array:
    """Return the evaluation at which each trial reached each target, shape (n_trials, n_targets); infinite where it did not."""
    way = np.maximum(trials["start_value"] - trials["known_value"], 0)
    rows = {trial: place for place, trial in enumerate(trials["trial"])}
    place = histories["trial"].map(rows).to_numpy()
    reached = np.full((len(trials), len(targets)), np.inf)
    for column, target in enumerate(targets):
        level = (trials["known_value"] + target * way).to_numpy()
        hits = histories[(histories["best"].to_numpy() <= level[place])]
        first = hits.groupby("trial")["evaluation"].min()
        reached[[rows[trial] for trial in first.index], column] = first.to_numpy()
    return reached


def _make_record(trials: pd.DataFrame, reached: Array, targets: Sequence[float], budget: float) -> Record:
    algorithms = list(dict.fromkeys(trials["algorithm"]))
    cells = pd.MultiIndex.from_frame(trials[["problem", "start", "algorithm"]])
    counts = trials.groupby(["problem", "start"], sort=False)["algorithm"].nunique()
    common = counts[counts == len(algorithms)].reset_index()
    starts = common.groupby("problem", sort=False)["start"].nunique()
    # A problem that lacks a start that others have would weigh less than they do.
    problems = starts.index[starts == starts.max()].tolist() if len(starts) else []
    chosen = list(dict.fromkeys(common.loc[common["problem"].isin(problems[:1]), "start"]))
    shape = (len(algorithms), len(problems), len(chosen))
    wanted = pd.MultiIndex.from_tuples([(p, s, a) for a in algorithms for p in problems for s in chosen], names=cells.names)
    places = cells.get_indexer(wanted)
    dimensions = trials.drop_duplicates("problem").set_index("problem")["dimension"].reindex(problems)
    return Record(
        tuple(algorithms),
        tuple(problems),
        np.array(targets, dtype=np.float64),
        reached[places].reshape(*shape, len(targets)),
        trials["evaluations"].to_numpy(dtype=np.float64)[places].reshape(shape),
        dimensions.to_numpy(dtype=np.float64),
        budget,
    )
