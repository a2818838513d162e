"""One contract for every system of the catalogue."""

import numpy as np
import pytest

from phaseflow.catalogues import Catalogue
from phaseflow.engines import Task
from phaseflow.expressions.arrays import evaluate
from phaseflow.plugins import load_plugin
from phaseflow.settings.methods import Solver

CATALOGUE = Catalogue()


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_system_says_what_it_is_and_where_it_comes_from(name):
    system = CATALOGUE[name]
    assert system.description
    assert any(character.isdigit() for character in system.source), "a source has a year"
    assert system.check(()) == []


def integrate(system, times):
    initial = np.array([[quantity.value for quantity in system.initial.values()]])
    parameters = np.array([[quantity.value for quantity in system.parameters.values()]])
    method = "euler_maruyama" if system.noise else "taylor"
    solver = Solver.model_validate({"tolerance": 1e-12, "method": method})
    task = Task(system, initial, parameters, times, 0.0, solver, 0, np.zeros(1, dtype=np.uint64))
    return load_plugin("engines", method).integrate(task)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_system_runs_from_its_own_initial_state(name):
    result = integrate(CATALOGUE[name], np.linspace(0, 1, 3))
    assert result.status[0] == "ok"
    assert np.isfinite(result.samples).all()


@pytest.mark.parametrize("name", [name for name in CATALOGUE if not CATALOGUE[name].noise])
def test_a_trajectory_begins_with_the_slope_that_the_equations_say(name):
    system = CATALOGUE[name]
    initial = np.array([quantity.value for quantity in system.initial.values()])
    # So short a step that the change of the slope during it is below the comparison's tolerance, stiff systems too.
    step = 1e-9
    short = integrate(system, np.array([0.0, step]))
    values = {state: q.value for state, q in system.initial.items()} | {n: q.value for n, q in system.parameters.items()} | {"t": 0.0}
    slopes = np.array([float(evaluate(formula.tree, values)) for formula in system.equations.values()])
    measured = (short.samples[0, 1] - initial) / step
    assert np.allclose(measured, slopes, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(slopes).max()))
