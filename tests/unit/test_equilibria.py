"""Equilibria against roots in closed form."""

import numpy as np
import pytest

from phaseflow.dynamics.equilibria import find_equilibria, find_equilibrium
from phaseflow.dynamics.fields import CompiledField, make_field
from tests.unit.tasks import make_task

BOX = np.array([40.0, 50.0, 50.0])


def compile_system(system, **parameters):
    task = make_task(system, [0, 1], parameters=parameters)
    return CompiledField(make_field(task.system)), task.parameters[0]


def make_plane(x, y, **parameters):
    return {"equations": {"x": x, "y": y}, "parameters": parameters, "initial": {"x": 1, "y": 1}}


def list_starts(count, dimension):
    return np.random.default_rng(1).uniform(-1, 1, (count, dimension))


def test_the_equilibria_of_lorenz63_are_those_of_theory():
    field, parameters = compile_system("lorenz63")
    found = find_equilibria(field, 25 * list_starts(40, 3), parameters, BOX)
    side = np.sqrt(8 / 3 * 27)
    assert [e.state for e in found] == [pytest.approx(x, abs=1e-13) for x in ([-side, -side, 27], [0, 0, 0], [side, side, 27])]
    # At the origin -beta and the roots of a square; beside it those of l**3 + 41/3 l**2 + 8/3 (10 + 28) l + 16/3 * 10 * 27.
    root = np.sqrt(121 + 1080)
    assert found[1].eigenvalues == pytest.approx([(-11 + root) / 2, -8 / 3, (-11 - root) / 2], abs=1e-12)
    cubic = np.roots([1, 41 / 3, 8 / 3 * 38, 2 * 10 * 8 / 3 * 27])
    for equilibrium in (found[0], found[2]):
        assert sorted(equilibrium.eigenvalues, key=str) == pytest.approx(sorted(cubic, key=str), abs=1e-12)
        # Rounding in the field, whose terms are about 250.
        assert equilibrium.residual < 1e-12
    assert [e.stability for e in found] == ["saddle"] * 3
    assert (np.diff(found[0].eigenvalues.real) <= 0).all()


def test_the_eigenvalues_errors_hold():
    field, parameters = compile_system("lorenz63")
    found = find_equilibrium(field, np.array([1e-3, 0, 1e-3]), parameters, BOX)
    root = np.sqrt(1201)
    off = np.abs(found.eigenvalues - [(-11 + root) / 2, -8 / 3, (-11 - root) / 2])
    # And are not idle: a thousand times smaller than what anyone would want.
    assert (off <= found.spectrum.errors).all()
    assert (found.spectrum.errors < 1e-12).all()


@pytest.mark.parametrize(
    ("x", "y", "stability"),
    [
        ("-x", "-2*y", "stable"),
        ("x - y", "x + y", "unstable"),
        ("x", "-y", "saddle"),
        ("y", "-x", "undecided"),
        ("y - x**3", "-x", "undecided"),
        ("x**2", "-y", "undecided"),
    ],
)
def test_stability_is_undecided_where_the_leading_real_part_is_zero(x, y, stability):
    field, parameters = compile_system(make_plane(x, y))
    found = find_equilibrium(field, np.array([0.3, 0.2]), parameters)
    assert found.state == pytest.approx([0, 0], abs=1e-7)
    assert found.stability == stability


def test_a_valley_without_a_zero_is_not_an_equilibrium():
    field, parameters = compile_system(make_plane("x**2 + 1", "-y"))
    found = find_equilibrium(field, np.array([1.0, 2.0]), parameters)
    assert (found.is_found, found.reason) == (False, "not_converged")


def test_a_driven_system_has_none_and_a_pole_is_told():
    field, parameters = compile_system(make_plane("y", "cos(t) - x"))
    assert find_equilibrium(field, np.array([0.0, 0.0]), parameters).reason == "driven"
    field, parameters = compile_system(make_plane("1/x", "-y"))
    assert find_equilibrium(field, np.array([0.0, 1.0]), parameters).reason == "not_finite"


def test_the_units_of_a_state_do_not_matter():
    # The same logistic growth, counted in units of 1e-8 and of 1e8: K = 2 of either.
    for unit in (1e-8, 1.0, 1e8):
        field, parameters = compile_system(make_plane("x*(1 - x/k)", "-y", k=2 * unit))
        found = find_equilibria(field, np.array([[1.5, 0.1], [3.0, 0.1]]) * unit, parameters, np.array([unit, unit]))
        assert [e.state[0] for e in found] == pytest.approx([2 * unit], rel=1e-14)
        assert found[0].eigenvalues == pytest.approx([-1, -1], abs=1e-14)
