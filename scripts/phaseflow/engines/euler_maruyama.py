"""The Euler-Maruyama method for Ito equations dX = a(X, t) dt + b(X, t) dW: strong order 1/2, weak order 1.

Where the noise does not depend on the state the strong order is 1.

Source: Maruyama (1955), Rend. Circ. Mat. Palermo 4, 48-90; Kloeden and Platen (1992), sec. 10.2.
"""

from __future__ import annotations

import numpy as np

from phaseflow.engines import Array, Engine, Task, Trajectories
from phaseflow.engines._paths import Advance, bind_values, integrate_by_steps
from phaseflow.expressions.arrays import evaluate


def integrate(task: Task) -> Trajectories:
    """Integrate the members of a task with a fixed step that halves the time between samples often enough."""
    return integrate_by_steps(task, make_advance)


def make_advance(task: Task) -> Advance:
    """Return the function that takes one step."""
    bind, system = bind_values(task), task.system
    places = {process: place for place, process in enumerate(system.list_processes())}
    noise = {state: [(places[j], formula.tree) for at, j, formula in system.list_noise() if at == state] for state in system.equations}

    def advance(state: Array, time: float, step: float, increments: Array) -> Array:
        values, after = bind(state, time), np.empty_like(state)
        with np.errstate(all="ignore"):
            for place, (name, drift) in enumerate(system.equations.items()):
                moved = state[place] + evaluate(drift.tree, values) * step
                for process, diffusion in noise[name]:
                    moved = moved + evaluate(diffusion, values) * increments[process]
                after[place] = moved
        return after

    return advance


ENGINE = Engine(integrate)
