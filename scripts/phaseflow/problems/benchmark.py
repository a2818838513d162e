"""Let one algorithm loose on one test problem, with a budget of evaluations that is counted outside of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from phaseflow.problem_sets import Instance, load_problem_set
from phaseflow.problems import Problem, Solution
from phaseflow.problems._budgets import Meter, Metered
from phaseflow.problems._search import Array, Run, draw_start
from phaseflow.problems.minimize import Derivatives
from phaseflow.settings.studies import Study

# A listed optimum is rounded: only a value that is lower by more than this, relative to it, contradicts it.
_ROUNDING = 1e-7


class Contest:
    """Solves the trials of a study that compares algorithms."""

    def __init__(self, study: Study, _tables: Mapping[str, Path]) -> None:
        self.settings = study.bench
        self._load = cache(load_problem_set(study.bench.problems).load)
        self._derive = cache(lambda name: make_derivatives(self._load(name)))

    def __call__(self, trial: Mapping[str, Any], random: np.random.Generator) -> Solution:
        """Run one algorithm on one problem from one start."""
        instance, number = self._load(trial["problem"]), int(trial["start"])
        key = np.array([random.integers(2**63), number], dtype=np.uint64)
        start = draw_start(random, number, instance.start, instance.lower, instance.upper)
        limit = self.settings.time_limit_s
        meter = Meter(int(trial["budget"]), limit.value if limit else None)
        function = self._make_function(trial["problem"], meter, np.random.Generator(np.random.Philox(key=key)))
        run = Run(function.make_objective(), start, instance.lower, instance.upper, self.settings.tolerance.value, budget=meter.budget)
        outcome = run.run(trial["algorithm"], random)
        status, message = meter.reason or (outcome.status, outcome.message)
        numbers, values = meter.list_steps()
        evidence = weigh(instance, meter.best, function.measure(start))
        return Solution(
            status, meter.best, np.empty(0), message, run.gradients, evidence, values, np.empty((len(values), 0)), numbers=numbers
        )

    def _make_function(self, problem: str, meter: Meter, random: np.random.Generator) -> Metered:
        instance = self._load(problem)
        noise = (instance.noise, random) if instance.noise else (0.0, None)
        if instance.residuals is not None:
            return Metered(meter, instance.residuals, True, instance.upper, None, None, *noise)
        derivatives = self._derive(problem)
        exact = (derivatives.find_gradient, derivatives.find_hessian) if self.settings.derivatives == "exact" else (None, None)
        return Metered(meter, as_terms(derivatives.find_value), False, instance.upper, *exact, *noise)


def make_derivatives(instance: Instance) -> Derivatives:
    """Return a problem's expression with its exact derivatives, compiled."""
    if instance.expression is None:
        raise TypeError("the problem is not stated by an expression")
    variables = {name: {"start": x} for name, x in zip(instance.variables, instance.start.tolist(), strict=True)}
    return Derivatives(Study.model_validate({"minimize": instance.expression, "variables": variables}))


def as_terms(find_value: Callable[[Array], float]) -> Callable[[Array], Array]:
    """Return a function as the array of its one term."""
    return lambda point: np.array([find_value(point)])


def weigh(instance: Instance, value: float, start_value: float) -> dict[str, float]:
    """Return what can be said of the best value that a trial saw.

    `gap_relative` is the share of the way down from the start that is left, f - f* over f(start) - f*, 0 where the value is f* or less.
    """
    gap, way = value - instance.known_value, start_value - instance.known_value
    return {
        "dimension": float(len(instance.start)),
        "start_value": start_value,
        "known_value": instance.known_value,
        "gap_known": gap,
        "gap_relative": max(gap, 0.0) / way if way > 0 else 0.0 if gap <= 0 else np.nan,
        "below_known": float(gap < -_ROUNDING * abs(instance.known_value)),
        "feasibility": 0.0,
    }


PROBLEM = Problem(prepare=Contest)
