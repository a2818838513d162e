"""Return times: how long a trajectory takes from one crossing of its section to the next.

Source: Flegal and Jones (2010), Annals of Statistics 38, 1034-1070, for the error of a mean by batches.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from phaseflow.engines import Array, Task, Trajectories
from phaseflow.measures import Measure
from phaseflow.measures.section import list_crossings


def measure(_asked: bool, task: Task, trajectories: Trajectories) -> Mapping[str, Array]:
    """Return the mean return time of each member with its standard error, the least and the greatest."""
    rows = np.array([_describe(np.diff(times)) for times in list_crossings(task, trajectories)])
    return {f"return_time_{name}": rows[:, place] for place, name in enumerate(("mean", "se", "min", "max"))}


def _describe(times: Array) -> tuple[float, float, float, float]:
    if len(times) == 0:
        return np.nan, np.nan, np.nan, np.nan
    return float(times.mean()), find_error(times), float(times.min()), float(times.max())


def find_error(series: Array) -> float:
    """Return the standard error of the mean of a correlated series, from the scatter of the means of batches.

    There are about as many batches as values in each; NaN where there are fewer than two values.
    """
    n_batches = max(2, int(np.sqrt(len(series))))
    if len(series) < n_batches:
        return float("nan")
    length = len(series) // n_batches
    means = series[len(series) - n_batches * length :].reshape(n_batches, length).mean(axis=1)
    return float(means.std(ddof=1) / np.sqrt(n_batches))


MEASURE = Measure(measure)
