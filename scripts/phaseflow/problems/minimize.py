"""Minimise an expression within bounds and under constraints, by exact derivatives and any algorithm by name; prove what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import heyoka as hy
import numpy as np

from phaseflow.expressions.compiled import to_heyoka
from phaseflow.kinds.minimize import DIFFERENCES, EXACT, count_points
from phaseflow.problems import NO_CERTIFICATE, Certificate, Problem, Solution
from phaseflow.problems._conditions import Conditions
from phaseflow.problems._proofs import Prover
from phaseflow.problems._roots import find_roots
from phaseflow.problems._sampling import spread_start
from phaseflow.problems._search import Array, Objective, Run, measure_stationarity
from phaseflow.settings.studies import Study

_SMOOTH = 401


class Derivatives:
    """An expression with its exact gradient and Hessian, compiled; the Hessian when it is first asked for."""

    def __init__(self, study: Study) -> None:
        names = list(study.variables)
        self._variables = [hy.expression(name) for name in names]
        self.variables = dict(zip(names, self._variables, strict=True))
        tree = to_heyoka(study.objective.tree, self.variables)
        self._slopes = [hy.diff(tree, variable) for variable in self._variables]
        self._value = hy.cfunc([tree], vars=self._variables)
        self._gradient = hy.cfunc(self._slopes, vars=self._variables)

    def find_value(self, point: Array) -> float:
        """Return the value at a point."""
        return float(self._value(np.asarray(point, dtype=np.float64))[0])

    def find_gradient(self, point: Array) -> Array:
        """Return the exact gradient at a point."""
        return np.array(self._gradient(np.asarray(point, dtype=np.float64)))

    def find_hessian(self, point: Array) -> Array:
        """Return the exact matrix of second derivatives at a point."""
        n = len(self._variables)
        matrix = np.zeros((n, n))
        matrix[np.tril_indices(n)] = self._lower_half(np.asarray(point, dtype=np.float64))
        return np.tril(matrix) + np.tril(matrix, -1).T

    @cached_property
    def _lower_half(self) -> Any:
        rows, columns = np.tril_indices(len(self._variables))
        second = [hy.diff(self._slopes[row], self._variables[column]) for row, column in zip(rows, columns, strict=True)]
        return hy.cfunc(second, vars=self._variables)


class Minimizer:
    """Solves the trials of a study that minimises an expression."""

    def __init__(self, study: Study, _tables: Mapping[str, Path]) -> None:
        self.derivatives = Derivatives(study)
        self.objective = Objective(self.derivatives.find_value, self.derivatives.find_gradient, self.derivatives.find_hessian)
        self.start = np.array([variable.start.value for variable in study.variables.values()])
        self.lower, self.upper = (np.array(side) for side in zip(*(v.bounds for v in study.variables.values()), strict=True))
        self.conditions = Conditions(study.constraints or [], self.derivatives.variables, study.allowance)
        self.sampling, self.n_points = study.sampling or "random", count_points(study)
        self.prover = Prover(study)
        self.tables = {"roots": find_roots(study, study.roots.points)} if study.roots else {}
        if len(self.start) == 1 and np.isfinite([self.lower, self.upper]).all():
            self.tables["curves"] = self._trace()

    def __call__(self, trial: Mapping[str, Any], random: np.random.Generator) -> Solution:
        """Run one algorithm from one start."""
        start = spread_start(self.sampling, random, int(trial["start"]), self.n_points, self.start, self.lower, self.upper)
        run = Run(self.objective, start, self.lower, self.upper, tolerance=float(trial.get("tolerance", 0)) or None)
        run.conditions = self.conditions if len(self.conditions) else None
        run.by_differences = trial.get("derivatives", EXACT) == DIFFERENCES
        outcome = run.run(trial["algorithm"], random)
        point, status, message = outcome.point, outcome.status, outcome.message
        value = self.derivatives.find_value(point)
        if not np.isfinite(value) and status != "failed":
            status, message = "failed", f"the value at the answer is not finite; {message}"
        certificate, evidence = self._weigh(point, is_answer=status != "failed")
        evidence["hessians"] = run.hessians
        points = np.array(run.points).reshape(-1, len(point))
        values, tables = np.array(run.values), self.tables
        return Solution(status, value, point, message, run.gradients, evidence, values, points, tables, certificate=certificate)

    def _trace(self) -> dict[str, list[Any]]:
        """Return the graph of a function of one variable and of its derivative between its bounds, as columns."""
        at = np.linspace(self.lower[0], self.upper[0], _SMOOTH)
        values = [self.derivatives.find_value(np.array([x])) for x in at]
        slopes = [float(self.derivatives.find_gradient(np.array([x]))[0]) for x in at]
        names = ["function"] * len(at) + ["derivative"] * len(at)
        return {"curve": names, "at": [*at.tolist(), *at.tolist()], "observed": [np.nan] * len(names), "value": values + slopes}

    def _weigh(self, point: Array, *, is_answer: bool) -> tuple[Certificate, dict[str, float]]:
        """Return what is proven of an answer, and what else can be said of it."""
        outside = np.maximum(np.maximum(self.lower - point, point - self.upper), 0)
        gradient, hessian = self.derivatives.find_gradient(point), self.derivatives.find_hessian(point)
        multipliers = self.conditions.find_multipliers(point, gradient, self.lower, self.upper)
        residual = measure_stationarity(point, gradient, self.lower, self.upper)
        feasibility = max(float(outside.max()), self.conditions.measure_violation(point))
        proven: dict[str, float] = {}
        if not is_answer:
            certificate = replace(NO_CERTIFICATE, reason="the trial failed")
        else:
            certificate, proven = self.prover.prove(point, multipliers, is_feasible=feasibility <= self.conditions.tolerance)
        return certificate, proven | {
            "gradient_error": self.prover.measure_derivatives(point, gradient, hessian, self.conditions.find_jacobian(point)),
            "kkt_residual": multipliers.residual if len(self.conditions) else residual,
            "feasibility": feasibility,
            "least_curvature": float(np.linalg.eigvalsh(hessian)[0]) if np.isfinite(hessian).all() else np.nan,
        }


PROBLEM = Problem(prepare=Minimizer)
