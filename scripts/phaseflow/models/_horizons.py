"""How long predictions stay near the truth: valid prediction times, in units of the time over which errors grow e-fold.

A prediction is valid until it has first erred by 0.4 of the total standard deviation of the states: the Euclidean length of the error
over the root of the sum of their variances.

Source: Vlachas et al. (2020), Neural Networks 126, 191-217, eq. 9 (the valid prediction time).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binom

from phaseflow.dynamics.shooting import Array
from phaseflow.engines import Task
from phaseflow.engines.taylor import integrate
from phaseflow.expressions.compiled import compile_afresh
from phaseflow.measures.lyapunov import measure
from phaseflow.settings.methods import Solver
from phaseflow.settings.systems import System

THRESHOLD = 0.4
# The largest exponent is the mean over this many times the length of the record.
_RECORDS = 25
# An exponent below this many of its standard errors is none: the motion is regular, and there is no Lyapunov time.
_SURELY = 3.0


@dataclass(frozen=True)
class Exponent:
    """The largest Lyapunov exponent with its standard error; `source` says where it is from."""

    value: float
    error: float
    source: str

    @property
    def time(self) -> float:
        """The Lyapunov time; no number where the motion is not chaotic."""
        return 1 / self.value if self.value > _SURELY * self.error else math.nan


def find_exponent(system: System, start: Array, span: float, source: str) -> Exponent:
    """Compute the largest exponent of a system along the solution from a state, over many times a span."""
    with compile_afresh():
        task = _make_task(system, start[None], np.array([0.0, _RECORDS * span]), transient=span)
        outcome = integrate(task)
        if outcome.status[0] != "ok":
            return Exponent(math.nan, math.nan, source)
        found = measure("largest", task, outcome).columns
    return Exponent(float(found["lyapunov_1"][0]), float(found["lyapunov_1_se"][0]), source)


def follow(system: System, starts: Array, times: Array) -> Array:
    """Return the solutions from some states, of shape (n_starts, n_times, n_states); NaN after one has failed."""
    with compile_afresh():
        return integrate(_make_task(system, starts, times)).samples


def _make_task(system: System, starts: Array, times: Array, transient: float = 0.0) -> Task:
    values = np.array([[quantity.value for quantity in system.parameters.values()]] * len(starts)).reshape(len(starts), -1)
    streams = np.arange(len(starts), dtype=np.uint64)
    return Task(system, starts, values, times, transient, Solver(), 0, streams)


def find_valid_times(predicted: Array, observed: Array, times: Array, deviation: float) -> tuple[Array, Array]:
    """Return until when each prediction is valid, and which of these times are censored by the end of what was observed.

    Parameters
    ----------
    predicted, observed : shape (n_starts, n_times, n_states); a prediction that is no number is wrong.
    times : shape (n_times,), ahead.
    deviation : the total standard deviation: the root of the sum of the states' variances.
    """
    errors = np.linalg.norm(predicted - observed, axis=2)
    is_wrong = ~(errors <= THRESHOLD * deviation)
    is_censored = ~is_wrong.any(axis=1)
    last = np.where(is_censored, len(times) - 1, is_wrong.argmax(axis=1) - 1)
    return np.where(last >= 0, times[np.maximum(last, 0)], 0.0), is_censored


def find_median(values: Array, confidence: float) -> tuple[float, float, float]:
    """Return the median with an interval by order statistics; for values that are independent.

    Source: David and Nagaraja (2003), Order Statistics, 3rd ed., sec. 7.1.
    """
    ordered, count = np.sort(values), len(values)
    rank = int(binom.ppf((1 - confidence) / 2, count, 0.5))
    # The interval from the rank-th least to the rank-th greatest covers with a probability of at least the confidence.
    low, high = (ordered[rank - 1], ordered[count - rank]) if rank >= 1 else (ordered[0], ordered[-1])
    return float(np.median(ordered)), float(low), float(high)


def describe_horizon(times: Array, is_censored: Array, exponent: Exponent | None, confidence: float) -> dict[str, Any]:
    """Return the median valid prediction time with its interval, in Lyapunov times where there are such."""
    unit = exponent.time if exponent is not None else math.nan
    scale = unit if math.isfinite(unit) else 1.0
    median, low, high = (value / scale for value in find_median(times, confidence))
    about: Mapping[str, Any] = {
        "valid_time": median,
        "valid_time_low": low,
        "valid_time_high": high,
        "valid_time_unit": "Lyapunov times" if math.isfinite(unit) else "units of t",
        "valid_starts": len(times),
        "valid_censored": int(is_censored.sum()),
    }
    return dict(about)
