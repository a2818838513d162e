"""Sampling from the exact transition law: no step, no error but the rounding of doubles.

Linear equations with constant noise (Ornstein-Uhlenbeck processes of any dimension) go from sample to sample by their normal transition.
Geometric ones, dX_i = X_i (c_i dt + sum_j d_ij dW_j), by X_i exp((c_i - sum_j d_ij**2 / 2) h + sum_j d_ij dW_j) on the increments of the
same Brownian path as every other method sees, so that the strong errors of those can be measured.

Source: Doob (1942), Ann. Math. 43, 351-369; Kloeden and Platen (1992), sec. 4.4.
"""

from __future__ import annotations

import numpy as np

from phaseflow.dynamics.transitions import find_transition
from phaseflow.engines import Array, Engine, Task, Trajectories
from phaseflow.engines._paths import integrate_in_blocks, list_parts, note_failures, open_paths, record
from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.tree import Node
from phaseflow.settings.diffusions import ClosedForm, find_closed_form

# Durations that differ by less than this of the longest are one: the gaps of numpy.linspace differ by rounding.
_SAME_DIGITS = 9


def integrate(task: Task) -> Trajectories:
    """Sample the members of a task; a step is the time between two samples, or the transient.

    Raises
    ------
    ValueError : the law has no closed form.
    """
    form = find_closed_form(task.system)
    follow = _follow_linear if form.kind == "linear" else _follow_geometric
    return integrate_in_blocks(task, lambda part, result: follow(form, part, result))


def _follow_geometric(form: ClosedForm, task: Task, result: Trajectories) -> None:
    states, processes = list(task.system.equations), task.system.list_processes()
    rates = np.stack([_evaluate(task, tree) for tree in form.constants])
    noise = [
        [(place, _evaluate(task, form.diffusions[s, j])) for place, j in enumerate(processes) if (s, j) in form.diffusions] for s in states
    ]
    drifts = np.stack([rate - sum((d * d for _, d in row), start=np.zeros_like(rate)) / 2 for rate, row in zip(rates, noise, strict=True)])
    state = np.ascontiguousarray(task.initial.T)
    for part, times in list_parts(task):
        durations = np.diff(times)
        if part == "samples":
            record(result, 0, state)
        for place, increments in enumerate(open_paths(task, part).walk(durations, 0)):
            growth = drifts * durations[place]
            for row, pairs in zip(growth, noise, strict=True):
                for process, diffusion in pairs:
                    row += diffusion * increments[process]
            with np.errstate(all="ignore"):
                state = state * np.exp(growth)
            _note_step(result, part, place, state, times)


def _follow_linear(form: ClosedForm, task: Task, result: Trajectories) -> None:
    state = np.ascontiguousarray(task.initial.T)
    for part, times in list_parts(task):
        durations = np.diff(times)
        kinds, kind_of = np.unique(np.round(durations / durations.max(), _SAME_DIGITS), return_inverse=True)
        transitions = [_find_transitions(form, task, float(durations[kind_of == kind].mean())) for kind in range(len(kinds))]
        if part == "samples":
            record(result, 0, state)
        for place, normals in enumerate(open_paths(task, part).draw_apart(len(durations), len(state))):
            matrices, shifts, factors = transitions[kind_of[place]]
            with np.errstate(all="ignore"):
                # Careful: sums member by member in a fixed order; a product of matrices would round as its size says.
                moved = np.broadcast_to(shifts, state.shape).copy()
                for other in range(len(state)):
                    moved += matrices[:, other] * state[other] + factors[:, other] * normals[other]
                state = moved
            _note_step(result, part, place, state, times)


def _note_step(result: Trajectories, part: str, place: int, state: Array, times: Array) -> None:
    note_failures(result, state, float(times[place + 1]))
    result.steps[:] += 1
    if part == "samples":
        record(result, place + 1, state)


def _find_transitions(form: ClosedForm, task: Task, duration: float) -> tuple[Array, Array, Array]:
    """Return every member's transition, members last, or one for all; members with the same parameters share the computation."""
    rows, row_of = np.unique(task.parameters, axis=0, return_inverse=True)
    found = [find_transition(*_evaluate_form(form, task, row), duration) for row in rows]
    matrices, shifts, factors = (np.stack(parts, axis=-1) for parts in zip(*found, strict=True))
    if len(rows) == 1:
        return matrices, shifts, factors
    members = row_of.ravel()
    return matrices[..., members], shifts[..., members], factors[..., members]


def _evaluate_form(form: ClosedForm, task: Task, row: Array) -> tuple[Array, Array, Array]:
    """Return A, c and B of one set of parameters."""
    values = dict(zip(task.system.parameters, row, strict=True))
    states, processes = list(task.system.equations), task.system.list_processes()
    diffusions = np.zeros((len(states), len(processes)))
    for (state, process), tree in form.diffusions.items():
        diffusions[states.index(state), processes.index(process)] = evaluate(tree, values)
    slopes = np.zeros((len(states), len(states)))
    for (state, other), tree in form.slopes.items():
        slopes[states.index(state), states.index(other)] = evaluate(tree, values)
    return slopes, np.array([float(evaluate(tree, values)) for tree in form.constants]), diffusions


def _evaluate(task: Task, tree: Node) -> Array:
    """Return an expression of the parameters for every member."""
    values = dict(zip(task.system.parameters, np.ascontiguousarray(task.parameters.T), strict=True))
    return np.broadcast_to(evaluate(tree, values), len(task.initial)).copy()


ENGINE = Engine(integrate)
