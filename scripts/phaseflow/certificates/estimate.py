"""Estimate: compare with two more runs in double precision at much smaller tolerances, and take the earlier horizon.

Another batch or a nudge of one bit would not do: the runs would share the errors of their steps. So that the rounding of constants
counts too, those that no double holds exactly are moved to the double on the other side of their exact value. Now and then a better
run errs in the same way as the run itself, and the two stay together for too long; that two of them do so is much rarer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np

from phaseflow.certificates import Certificate, Horizon, judge
from phaseflow.engines import Array, Engine, Task, Trajectories
from phaseflow.engines.taylor import integrate
from phaseflow.expressions.quantity import Quantity

_TOLERANCES = (1e-14, 1e-15)


def find(task: Task, main: Trajectories, _engine: Engine, allowed: float) -> Horizon:
    """Find horizons by two more runs, each of which takes its own steps."""
    moved = replace(task, initial=_move(task.initial, task.system.initial), parameters=_move(task.parameters, task.system.parameters))
    horizons = [_find_one(moved, main, tolerance, allowed) for tolerance in _TOLERANCES]
    return Horizon(np.minimum(*(horizon.until for horizon in horizons)), np.logical_and(*(horizon.is_censored for horizon in horizons)))


def _find_one(task: Task, main: Trajectories, tolerance: float, allowed: float) -> Horizon:
    other = integrate(replace(task, solver=task.solver.with_values({"tolerance": tolerance})))
    judged = [judge(*runs, task.times, allowed) for runs in zip(main.samples, other.samples, strict=True)]
    return Horizon(np.array([until for until, _ in judged]), np.array([is_censored for _, is_censored in judged]))


def _move(values: Array, stated: Mapping[str, Quantity]) -> Array:
    """Return values with the rounded constants among them moved across their exact value by one bit."""
    moved = values.copy()
    for place, quantity in enumerate(stated.values()):
        if quantity.exact is not None and Fraction(quantity.value) != quantity.exact:
            towards = math.inf if quantity.exact > Fraction(quantity.value) else -math.inf
            is_nominal = values[:, place] == quantity.value
            moved[is_nominal, place] = math.nextafter(quantity.value, towards)
    return moved


CERTIFICATE = Certificate(find)
