"""Problems of optimisation, one plugin a kind of study: how a trial of it is solved."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from phaseflow.settings.studies import Study


@dataclass(frozen=True)
class Certificate:
    """What is proven of an answer.

    Attributes
    ----------
    kind : unique_minimum, saddle, stationary, exact_optimal or none.
    reason : what was proven, or why nothing was.
    gap : a proven bound on the answer's value less the least value; NaN where there is none.
    scope : which least value is meant: global (of all points that keep bounds and conditions) or local (of the certified point).
    point : shape (n_variables,), the certified point, rounded; empty where there is none.
    value : the value at the certified point.
    error : a bound on the largest difference between `point` and the certified point itself; 0 where it is exact.
    radius : there is no other stationary point within this of it, in units of max(1, |x|) of each variable.
    least : no point within bounds and conditions has a value below this; minus infinity where that is not known.
    """

    kind: str
    reason: str
    gap: float = math.nan
    scope: str = ""
    point: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    value: float = math.nan
    error: float = math.nan
    radius: float = math.nan
    least: float = -math.inf


NO_CERTIFICATE = Certificate("none", "no certificate is made for this kind of study")


@dataclass(frozen=True)
class Solution:
    """What a trial found, and how it got there.

    Attributes
    ----------
    status : converged (the algorithm says so), stopped (by a limit of its own or by its budget), time_limit (its time was over),
        failed (see the message), infeasible (there is no answer that keeps the constraints),
        unbounded (the value improves for ever).
    value, point : the algorithm's answer; where it failed, the best that it saw, NaN where it saw none.
    evidence : what can be said about the answer, by column.
    values : shape (n_kept,), the value of each evaluation that is kept, in their order.
    points : shape (n_kept, n_variables), where.
    tables : what else there is to show if this is the best trial: rows of `roots` or `curves`, by table and column.
    certificate : what is proven of the answer.
    numbers : shape (n_kept,), which evaluations are kept, counted from 1, the last among them; all of them where nothing is said.
    """

    status: str
    value: float
    point: NDArray[np.float64]
    message: str
    gradients: int
    evidence: Mapping[str, float]
    values: NDArray[np.float64]
    points: NDArray[np.float64]
    tables: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)
    certificate: Certificate = NO_CERTIFICATE
    numbers: NDArray[np.int64] | None = None

    @property
    def evaluations(self) -> NDArray[np.int64]:
        """The numbers of the evaluations that are kept."""
        return np.arange(1, len(self.values) + 1) if self.numbers is None else self.numbers


class Solver(Protocol):
    """Solves the trials of one study."""

    def __call__(self, trial: Mapping[str, Any], random: np.random.Generator) -> Solution:
        """Solve one trial, given its values and its own random numbers."""
        ...


@dataclass(frozen=True)
class Problem:
    """A kind of study: `prepare` compiles a study once, given the tables that it reads, and returns what solves its trials."""

    prepare: Callable[[Study, Mapping[str, Path]], Solver]
