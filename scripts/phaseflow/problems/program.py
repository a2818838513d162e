"""Solve a transportation problem by HiGHS, with shadow prices and a bound that shows how good the answer is.

Least sum of cost * flow, where what leaves a place is at most its supply and what reaches one is at least its demand.
Source: Dantzig (1963), Linear Programming and Extensions, ch. 14; Huangfu and Hall (2018), Math. Program. Comput. 10, 119-142.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse
from numpy.typing import NDArray

from phaseflow.kinds.program import METHODS
from phaseflow.problems import Problem, Solution
from phaseflow.settings.studies import Study

Array = NDArray[np.float64]

# linprog's own numbers of what may happen.
_SOLVED, _LIMIT, _INFEASIBLE = 0, 1, 2
_ROUNDING = np.finfo(np.float64).eps / 2


@dataclass(frozen=True)
class _Numbers:
    """The numbers of one trial."""

    supply: Array
    demand: Array
    cost: Array


class Transporter:
    """Solves the trials of a transportation problem."""

    def __init__(self, study: Study, _tables: Mapping[str, Path]) -> None:
        transport = study.transport
        self.sources, self.targets, self.arcs = list(transport.supplies), list(transport.demands), list(transport.arcs)
        rows = {name: place for place, name in enumerate(self.sources)}
        self.tails = np.array([rows[source] for source, _ in self.arcs])
        columns = {name: place for place, name in enumerate(self.targets)}
        self.heads = np.array([columns[target] for _, target in self.arcs])
        n, ones = len(self.arcs), np.ones(len(self.arcs))
        leaving = scipy.sparse.csr_array((ones, (self.tails, np.arange(n))), shape=(len(self.sources), n))
        arriving = scipy.sparse.csr_array((ones, (self.heads, np.arange(n))), shape=(len(self.targets), n))
        self.leaving, self.arriving = leaving, arriving
        self.limits = scipy.sparse.vstack([leaving, -arriving])

    def __call__(self, trial: Mapping[str, Any], random: np.random.Generator) -> Solution:  # noqa: ARG002 - nothing here is drawn
        """Solve one program."""
        numbers = self._find_numbers(trial)
        short = self._find_shortage(numbers)
        if short:
            return self._give_up("infeasible", short)
        result = scipy.optimize.linprog(
            numbers.cost, self.limits, np.concatenate([numbers.supply, -numbers.demand]), method=METHODS[trial["algorithm"]]
        )
        message = " ".join(str(result.message).split())
        if result.status not in (_SOLVED, _LIMIT) or result.x is None:
            return self._give_up("infeasible" if result.status == _INFEASIBLE else "failed", message)
        flow = np.maximum(result.x, 0)
        prices = np.asarray(result.ineqlin.marginals) * np.concatenate([np.ones(len(self.sources)), -np.ones(len(self.targets))])
        names = [*(f"price.supply.{node}" for node in self.sources), *(f"price.demand.{node}" for node in self.targets)]
        evidence = self._weigh(numbers, flow, prices) | dict(zip(names, (prices + 0.0).tolist(), strict=True))
        status = "converged" if result.status == _SOLVED else "stopped"
        return self._report(status, float(numbers.cost @ flow), flow, message, evidence)

    def _find_numbers(self, trial: Mapping[str, Any]) -> _Numbers:
        return _Numbers(
            np.array([trial[f"supply.{node}"] for node in self.sources]),
            np.array([trial[f"demand.{node}"] for node in self.targets]),
            np.array([trial[f"cost.{source}.{target}"] for source, target in self.arcs]),
        )

    def _find_shortage(self, numbers: _Numbers) -> str:
        """Return what is wrong where numbers are below 0 or the whole demand exceeds the whole supply; else nothing."""
        if numbers.supply.min() < 0 or numbers.demand.min() < 0:
            return "a supply or a demand is below 0"
        supply, demand = numbers.supply.sum(), numbers.demand.sum()
        is_short = demand > supply * (1 + len(self.arcs) * _ROUNDING)
        return f"the demand of {demand:.10g} in all exceeds the supply of {supply:.10g}" if is_short else ""

    def _weigh(self, numbers: _Numbers, flow: Array, prices: Array) -> dict[str, float]:
        """Return what can be said of an answer.

        Prices that are lifted until no way costs less than it earns are feasible for the dual problem, so what they earn is a lower
        bound of the least cost (weak duality: Dantzig (1963), sec. 6-1). The gap to it is computed in floating point; the most that
        rounding can take from it is added (Higham (2002), Accuracy and Stability of Numerical Algorithms, eq. 3.5).
        """
        earned = np.maximum(prices[len(self.sources) :], 0)
        paid = np.zeros(len(self.sources))
        np.maximum.at(paid, self.tails, earned[self.heads] - numbers.cost)
        terms = np.concatenate([numbers.cost * flow, numbers.supply * paid, -numbers.demand * earned])
        rounding = (len(terms) + 2) * _ROUNDING * float(np.abs(terms).sum())
        sent, reached = self.leaving @ flow, self.arriving @ flow
        slack = [(numbers.supply - sent) * prices[: len(self.sources)], (reached - numbers.demand) * prices[len(self.sources) :]]
        reduced = (numbers.cost - prices[len(self.sources) :][self.heads] - prices[: len(self.sources)][self.tails]) * flow
        # Sums of flows are known up to their own rounding; only what exceeds that is a violation.
        allowed = (len(flow) + 1) * _ROUNDING
        over = np.concatenate([sent - numbers.supply - allowed * sent, numbers.demand - reached - allowed * reached])
        return {
            "gap_proven": max(float(terms.sum()), 0.0) + rounding,
            "kkt_residual": float(np.abs(np.concatenate([*slack, reduced])).max()),
            "feasibility": max(float(over.max()), 0.0),
        }

    def _give_up(self, status: str, message: str) -> Solution:
        return self._report(status, np.nan, np.full(len(self.arcs), np.nan), message, {})

    def _report(self, status: str, value: float, flow: Array, message: str, evidence: Mapping[str, float]) -> Solution:
        return Solution(status, value, flow, message, 0, evidence, np.empty(0), np.empty((0, len(flow))))


PROBLEM = Problem(prepare=Transporter)
