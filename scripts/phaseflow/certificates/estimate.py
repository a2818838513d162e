"""Estimate: compare with a second, independent run in double precision at a much smaller tolerance.

Another batch or a nudge of one bit would not do: the two runs would share the errors of their steps. So that the rounding of
constants counts too, those that no double holds exactly are moved to the double on the other side of their exact value.
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

SECOND_TOLERANCE = 1e-15


def find(task: Task, main: Trajectories, _engine: Engine, allowed: float) -> Horizon:
    """Find horizons by a second run, which takes its own steps."""
    second = integrate(
        replace(
            task,
            initial=_move(task.initial, task.system.initial),
            parameters=_move(task.parameters, task.system.parameters),
            solver=task.solver.with_values({"tolerance": SECOND_TOLERANCE}),
        )
    )
    judged = [judge(*runs, task.times, allowed) for runs in zip(main.samples, second.samples, strict=True)]
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
