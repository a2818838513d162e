"""Periodic orbits against closed forms and published periods."""

import numpy as np
import pytest
from scipy.special import ellipk

from phaseflow.dynamics.cycles import find_cycle
from phaseflow.dynamics.fields import make_field
from phaseflow.dynamics.variational import Flow
from tests.unit.tasks import make_task

HOPF = {
    "equations": {"x": "mu*x - w*y - x*(x**2 + y**2)", "y": "w*x + mu*y - y*(x**2 + y**2)", "z": "c*z"},
    "parameters": {"mu": 0.25, "w": 2, "c": -1},
    "initial": {"x": 1, "y": 0, "z": 0},
}
BRUSSELATOR = {"equations": {"x": "1 + x**2*y - 4*x", "y": "3*x - x**2*y"}, "initial": {"x": 1, "y": 1}}
DRIVEN = {"equations": {"q": "p", "p": "-q - p/10 + cos(2*t)"}, "initial": {"q": 1, "p": 0}}
AB_START, AB_PERIOD = (-13.76, -19.58, 27.0), 1.558652210716175


def search(system, start, period, time=0.0, **parameters):
    task = make_task(system, [0, 1], parameters=parameters)
    return find_cycle(Flow(make_field(task.system)), np.array(start, dtype=float), period, task.parameters[0], time=time)


def make_plane(p):
    return {"equations": {"q": "p", "p": p}, "initial": {"q": 1, "p": 0}}


def test_the_shortest_orbit_of_lorenz63_has_its_published_period():
    found = search("lorenz63", AB_START, 1.56)
    # Viswanath (2003), Physica D 190, 115-128: AB, 1.5586522107161747252678702114...
    assert found.period == pytest.approx(AB_PERIOD, abs=1e-12)
    assert found.residual < 1e-13
    assert found.multipliers[0] == pytest.approx(4.71294727, abs=1e-6)
    assert found.unit_error < 1e-12
    # Liouville: the product of the multipliers is exp of the divergence times the period; its error is that of the least of them.
    assert np.prod(found.multipliers) == pytest.approx(np.exp(-41 / 3 * AB_PERIOD), abs=5 * found.spectrum.errors[2])
    assert found.stability == "saddle"


def test_a_multiple_of_the_period_is_recognised():
    assert search("lorenz63", AB_START, 2 * 1.56).period == pytest.approx(AB_PERIOD, abs=1e-12)
    assert search(HOPF, (0.5, 0, 0), 6 * np.pi).period == pytest.approx(np.pi, abs=1e-13)


@pytest.mark.parametrize(("c", "stability"), [(-1, "stable"), (0.5, "saddle"), (0, "undecided")])
def test_a_hopf_normal_form_has_the_multipliers_of_theory(c, stability):
    found = search(HOPF, (0.7, 0.1, 0.05), 3.0, c=c)
    assert found.period == pytest.approx(np.pi, abs=1e-14)
    assert np.hypot(*found.state[:2]) == pytest.approx(0.5, abs=1e-14)
    truth = sorted([1, np.exp(-2 * 0.25 * np.pi), np.exp(c * np.pi)], reverse=True)
    assert found.multipliers == pytest.approx(truth, abs=1e-14)
    assert found.stability == stability
    assert found.size == pytest.approx(1, abs=1e-3)


def test_van_der_pol_and_the_brusselator():
    # Van der Pol at mu = 1: 6.66328685...
    found = search("van_der_pol", (2, 0), 6.6, mu=1)
    assert (found.period, found.stability) == (pytest.approx(6.66328686, abs=6e-9), "stable")
    found = search(BRUSSELATOR, (1, 1), 7.0)
    assert (found.residual < 1e-13, found.unit_error < 1e-12, found.stability) == (True, True, "stable")


def test_orbits_in_families_are_found_and_their_stability_is_left_open():
    found = search(make_plane("-q"), (1, 0), 6.0)
    assert (found.period, found.stability) == (pytest.approx(2 * np.pi, abs=1e-14), "undecided")
    found = search(make_plane("-sin(q)"), (1, 0), 6.0)
    # Four times the complete elliptic integral, which scipy has of sin(q_0/2)**2.
    assert found.period == pytest.approx(4 * ellipk(np.sin(0.5) ** 2), abs=1e-13)
    assert (found.state, found.stability) == (pytest.approx([1, 0], abs=1e-12), "undecided")


def test_a_driven_system_keeps_the_period_of_its_drive():
    found = search(DRIVEN, (1, 0), 2 * np.pi)
    # The response to cos 2t is the real part of exp(2it) / (1 - 4 + i/5).
    response = 1 / (-3 + 0.2j)
    assert found.period == pytest.approx(np.pi, rel=1e-15)
    assert found.state == pytest.approx([response.real, (2j * response).real], abs=1e-13)
    root = np.exp((-0.05 + 1j * np.sqrt(1 - 0.0025)) * np.pi)
    assert found.multipliers == pytest.approx([root, root.conjugate()], abs=1e-13)
    assert (found.stability, np.isnan(found.unit_error)) == ("stable", True)
    later = search(DRIVEN, (1, 0), np.pi, time=np.pi / 2)
    assert later.state == pytest.approx(-found.state, abs=1e-13)
    assert search(DRIVEN, (1, 0), 3.0).reason == "other_period"


def test_an_equilibrium_is_no_cycle():
    assert search(HOPF, (0, 0, 0), 3.0).reason == "equilibrium"
    assert search("lorenz63", (8.4, 8.5, 27), 0.6).reason == "equilibrium"
    assert np.isnan(search(HOPF, (0, 0, 0), 3.0).residual)


def test_what_is_not_found_says_why():
    assert search({"equations": {"x": "x**2"}, "initial": {"x": 1}}, (1,), 7.0).reason == "not_finite"
    assert search({"equations": {"x": "1"}, "initial": {"x": 1}}, (1,), 7.0).reason == "not_converged"
    assert search(HOPF, (1, 0, 0), -1.0).reason == "not_converged"
