"""Minimise an expression within bounds, by exact derivatives and any algorithm by name; find its roots."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import heyoka as hy
import numpy as np

from phaseflow.expressions.compiled import to_heyoka
from phaseflow.problems import Problem, Solution
from phaseflow.problems._roots import find_roots
from phaseflow.problems._search import Array, Objective, Run, draw_start, measure_stationarity
from phaseflow.settings.studies import Study

_SMOOTH = 401


class Derivatives:
    """An expression with its exact gradient and Hessian, compiled; the Hessian when it is first asked for."""

    def __init__(self, study: Study) -> None:
        names = list(study.variables)
        self._variables = [hy.expression(name) for name in names]
        tree = to_heyoka(study.objective.tree, dict(zip(names, self._variables, strict=True)))
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
        self.tables = {"roots": find_roots(study, study.roots.points)} if study.roots else {}
        if len(self.start) == 1 and np.isfinite([self.lower, self.upper]).all():
            self.tables["curves"] = self._trace()

    def __call__(self, trial: Mapping[str, Any], random: np.random.Generator) -> Solution:
        """Run one algorithm from one start."""
        start = draw_start(random, int(trial["start"]), self.start, self.lower, self.upper)
        run = Run(self.objective, start, self.lower, self.upper)
        outcome = run.run(trial["algorithm"], random)
        point, status, message = outcome.point, outcome.status, outcome.message
        value = self.derivatives.find_value(point)
        if not np.isfinite(value) and status != "failed":
            status, message = "failed", f"the value at the answer is not finite; {message}"
        points = np.array(run.points).reshape(-1, len(point))
        return Solution(status, value, point, message, run.gradients, self._weigh(point), np.array(run.values), points, self.tables)

    def _trace(self) -> dict[str, list[Any]]:
        """Return the graph of a function of one variable and of its derivative between its bounds, as columns."""
        at = np.linspace(self.lower[0], self.upper[0], _SMOOTH)
        values = [self.derivatives.find_value(np.array([x])) for x in at]
        slopes = [float(self.derivatives.find_gradient(np.array([x]))[0]) for x in at]
        names = ["function"] * len(at) + ["derivative"] * len(at)
        return {"curve": names, "at": [*at.tolist(), *at.tolist()], "observed": [np.nan] * len(names), "value": values + slopes}

    def _weigh(self, point: Array) -> dict[str, float]:
        """Return what can be said of an answer."""
        outside = np.maximum(np.maximum(self.lower - point, point - self.upper), 0)
        hessian = self.derivatives.find_hessian(point)
        return {
            "kkt_residual": measure_stationarity(point, self.derivatives.find_gradient(point), self.lower, self.upper),
            "feasibility": float(outside.max()),
            "least_curvature": float(np.linalg.eigvalsh(hessian)[0]) if np.isfinite(hessian).all() else np.nan,
        }


PROBLEM = Problem(prepare=Minimizer)
