"""Minimise an expression within bounds: exact gradient, any algorithm of optimagic by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import heyoka as hy
import nlopt
import numpy as np
import optimagic
from numpy.typing import NDArray
from optimagic.exceptions import OptimagicError

from phaseflow.expressions.compiled import to_heyoka
from phaseflow.problems import Problem, Solution
from phaseflow.settings.studies import Study

Array = NDArray[np.float64]

# What an algorithm may raise on a hard problem; the trial then says so instead of ending the run.
_FAILURES = (OptimagicError, nlopt.RoundoffLimited, ArithmeticError, ValueError, RuntimeError, np.linalg.LinAlgError)


class Objective:
    """An expression and its exact gradient, compiled; every evaluation is counted and kept."""

    def __init__(self, study: Study) -> None:
        self.names = list(study.variables)
        variables = [hy.expression(name) for name in self.names]
        tree = to_heyoka(study.objective.tree, dict(zip(self.names, variables, strict=True)))
        self._value = hy.cfunc([tree], vars=variables)
        self._gradient = hy.cfunc([hy.diff(tree, variable) for variable in variables], vars=variables)
        self.restart()

    def restart(self) -> None:
        """Forget what was counted."""
        self.values: list[float] = []
        self.points: list[Array] = []
        self.gradients = 0

    def find_value(self, point: Array) -> float:
        """Return the value at a point, uncounted."""
        return float(self._value(np.asarray(point, dtype=np.float64))[0])

    def find_gradient(self, point: Array) -> Array:
        """Return the exact gradient at a point, uncounted."""
        return np.array(self._gradient(np.asarray(point, dtype=np.float64)))

    def count_value(self, point: Array) -> float:
        """Return the value at a point, and keep both."""
        value = self.find_value(point)
        self.values.append(value)
        self.points.append(np.array(point))
        return value

    def find_best(self) -> Array:
        """Return the point of the least value seen; NaN where none was finite."""
        values = np.array(self.values)
        if not np.isfinite(values).any():
            return np.full(len(self.names), np.nan)
        return self.points[int(np.nanargmin(np.where(np.isfinite(values), values, np.nan)))]

    def count_gradient(self, point: Array) -> Array:
        """Return the gradient at a point, and count it."""
        self.gradients += 1
        return self.find_gradient(point)


class Minimizer:
    """Solves the trials of a study that minimises an expression."""

    def __init__(self, study: Study, _tables: Mapping[str, Path]) -> None:
        self.objective = Objective(study)
        self.start = np.array([variable.start.value for variable in study.variables.values()])
        self.lower, self.upper = (np.array(side) for side in zip(*(v.bounds for v in study.variables.values()), strict=True))

    def __call__(self, trial: Mapping[str, Any], random: np.random.Generator) -> Solution:
        """Run one algorithm from one start."""
        objective = self.objective
        objective.restart()
        start = self.draw_start(random) if trial["start"] else self.start
        is_bounded = bool(np.isfinite([self.lower, self.upper]).any())
        try:
            result = optimagic.minimize(
                objective.count_value,
                params=start,
                algorithm=trial["algorithm"],
                jac=objective.count_gradient,
                bounds=optimagic.Bounds(lower=self.lower, upper=self.upper) if is_bounded else None,
            )
        except _FAILURES as error:
            message = f"{type(error).__name__}: {str(error).strip().splitlines()[-1] if str(error).strip() else 'no reason given'}"
            return self._finish("failed", objective.find_best(), message)
        point = np.asarray(result.params, dtype=np.float64)
        status = "converged" if result.success else "stopped"
        return self._finish(status, point, " ".join(str(result.message or "").split()))

    def draw_start(self, random: np.random.Generator) -> Array:
        """Return a random start: uniform between finite bounds, else normal about the given start, kept within the bounds."""
        uniform, normal = random.random(len(self.start)), random.standard_normal(len(self.start))
        is_box = np.isfinite(self.lower) & np.isfinite(self.upper)
        width = np.where(is_box, self.upper - np.where(is_box, self.lower, 0), 0)
        inside = np.where(is_box, self.lower, 0) + uniform * width
        about = self.start + normal * np.maximum(1, np.abs(self.start))
        return np.clip(np.where(is_box, inside, about), self.lower, self.upper)

    def _finish(self, status: str, point: Array, message: str) -> Solution:
        objective = self.objective
        value = objective.find_value(point)
        if not np.isfinite(value) and status != "failed":
            status = "failed"
            message = f"the value at the answer is not finite; {message}"
        step = np.clip(point - objective.find_gradient(point), self.lower, self.upper) - point
        outside = np.maximum(np.maximum(self.lower - point, point - self.upper), 0)
        evidence = {"kkt_residual": float(np.abs(step).max()), "feasibility": float(outside.max())}
        points = np.array(objective.points).reshape(-1, len(point))
        return Solution(status, value, point, message, objective.gradients, evidence, np.array(objective.values), points)


PROBLEM = Problem(prepare=Minimizer)
