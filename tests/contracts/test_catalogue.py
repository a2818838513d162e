"""One contract for every system of the catalogue."""

import numpy as np
import pytest

from phaseflow.catalogues import Catalogue
from phaseflow.dynamics.fields import make_field
from phaseflow.dynamics.taylor import integrate
from phaseflow.expressions.arrays import evaluate

CATALOGUE = Catalogue()


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_system_says_what_it_is_and_where_it_comes_from(name):
    system = CATALOGUE[name]
    assert system.description
    assert any(character.isdigit() for character in system.source), "a source has a year"
    assert system.check(()) == []


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_system_runs_from_its_own_initial_state(name):
    system = CATALOGUE[name]
    initial = np.array([[quantity.value for quantity in system.initial.values()]])
    parameters = np.array([[quantity.value for quantity in system.parameters.values()]])
    times = np.linspace(0, 1, 3)
    result = integrate(make_field(system), initial, parameters, times, 0.0, 1e-12, 1_000_000)
    assert result.status[0] == "ok"
    # A step so short that its own truncation, of order h**2 times the second derivative, is below the tolerance.
    step = 1e-7
    short = integrate(make_field(system), initial, parameters, np.array([0.0, step]), 0.0, 1e-15, 1_000_000)
    values = {state: q.value for state, q in system.initial.items()} | {n: q.value for n, q in system.parameters.items()} | {"t": 0.0}
    slopes = np.array([float(evaluate(formula.tree, values)) for formula in system.equations.values()])
    measured = (short.samples[0, 1] - initial[0]) / step
    assert np.allclose(measured, slopes, rtol=1e-4, atol=1e-4)
