"""Milstein's method for Ito equations with commutative noise: strong order 1, weak order 1.

Beside the step of Euler and Maruyama it has 1/2 sum_jk L^j b^k (dW_j dW_k - h [j = k]) with L^j = sum_l b^lj d/dx_l. That is right where
L^j b^k = L^k b^j; else the iterated integrals of pairs of processes would be needed, which their increments do not determine.

Source: Milstein (1974), Theory Probab. Appl. 19, 557-562; Kloeden and Platen (1992), sec. 10.3, eq. 3.16.
"""

from __future__ import annotations

import numpy as np

from phaseflow.engines import Array, Engine, Task, Trajectories
from phaseflow.engines._paths import Advance, bind_values, integrate_by_steps
from phaseflow.engines.euler_maruyama import make_advance
from phaseflow.expressions.arrays import evaluate
from phaseflow.settings.diffusions import find_corrections


def integrate(task: Task) -> Trajectories:
    """Integrate the members of a task with a fixed step that halves the time between samples often enough."""
    return integrate_by_steps(task, _make_corrected)


def _make_corrected(task: Task) -> Advance:
    bind, plain = bind_values(task), make_advance(task)
    places = {process: place for place, process in enumerate(task.system.list_processes())}
    corrections = [
        (place, places[j], places[k], tree) for place, found in enumerate(find_corrections(task.system).values()) for j, k, tree in found
    ]

    def advance(state: Array, time: float, step: float, increments: Array) -> Array:
        values, after = bind(state, time), plain(state, time, step, increments)
        with np.errstate(all="ignore"):
            for place, j, k, tree in corrections:
                product = increments[j] * increments[k]
                after[place] += evaluate(tree, values) * ((product - step) / 2 if j == k else product)
        return after

    return advance


ENGINE = Engine(integrate)
