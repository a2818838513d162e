"""The drift of conserved quantities."""

import numpy as np
import pytest

from phaseflow.measures.energy import MEASURE
from phaseflow.settings.measures import Measure
from tests.unit.tasks import integrate, make_task

FORCE = "-{}/(x**2 + y**2)**(3/2)"
KEPLER = {
    "equations": {"x": "u", "y": "v", "u": FORCE.format("x"), "v": FORCE.format("y")},
    "initial": {"x": 1, "y": 0, "u": 0, "v": 1.2},
}
PARABOLA = KEPLER | {"initial": {"x": 1, "y": 0, "u": 0, "v": "sqrt(2)"}}
HENON_HEILES = {
    "equations": {"x": "u", "y": "v", "u": "-x - 2*x*y", "v": "-y - x**2 + y**2"},
    "initial": {"x": 0, "y": 0.1, "u": 0.5, "v": 0},
}
ENERGY = "(u**2 + v**2)/2 - 1/sqrt(x**2 + y**2)"


def drift(system, energy, times=(0, 100), **options):
    asked = Measure.model_validate({"energy": energy}).energy
    task = make_task(system, times, **options)
    return MEASURE.measure(asked, task, integrate(task))


def test_conserved_quantities_drift_by_the_tolerance_of_the_steps():
    found = drift(KEPLER, {"energy": ENERGY, "momentum": "x*v - y*u"})
    # A tolerance of 1e-12 a step and some hundred steps; Taylor's method is below it by its last term's ratio.
    assert 0 < found["energy_drift"][0] < 1e-11
    assert 0 < found["momentum_drift"][0] < 1e-11
    assert drift(HENON_HEILES, "(u**2 + v**2 + x**2 + y**2)/2 + x**2*y - y**3/3")["energy_drift"][0] < 1e-11


def test_a_looser_tolerance_drifts_more():
    loose, tight = (drift(KEPLER, ENERGY, tolerance=tolerance)["energy_drift"][0] for tolerance in (1e-4, 1e-12))
    assert loose > 1e3 * tight


def test_an_energy_of_zero_has_a_drift():
    found = drift(PARABOLA, ENERGY)["energy_drift"][0]
    # Relative to its terms, which are both one at the start: (1 + 1)/2 - ... = 1 - 1.
    assert 0 < found < 1e-11


def test_what_is_not_conserved_is_seen():
    # q = cos t: q**2 falls from 1 to 0 and its only term is itself.
    oscillator = {"equations": {"q": "p", "p": "-k*q"}, "parameters": {"k": 1}, "initial": {"q": 1, "p": 0}}
    assert drift(oscillator, "q**2")["energy_drift"][0] == pytest.approx(1, abs=1e-4)
    assert drift(oscillator, "q**2 + p**2", members=2, parameters={"k": [1, 4]})["energy_drift"] == pytest.approx([0, 3 / 4], abs=1e-4)
    assert drift(oscillator, "p*0")["energy_drift"][0] == 0


def test_the_drift_does_not_depend_on_what_is_sampled_and_not_on_company():
    few, many = (drift(KEPLER, ENERGY, np.linspace(0, 100, n))["energy_drift"][0] for n in (2, 777))
    assert few == many
    speeds = make_task(KEPLER, [0, 50], members=9)
    speeds.initial[:, 3] = np.linspace(1.0, 1.3, 9)
    alone = make_task(KEPLER, [0, 50])
    alone.initial[0] = speeds.initial[7]
    asked = Measure.model_validate({"energy": ENERGY}).energy
    together, single = (MEASURE.measure(asked, task, integrate(task))["energy_drift"] for task in (speeds, alone))
    assert together[7] == single[0]


def test_a_member_that_did_not_reach_the_end_has_none():
    assert np.isnan(drift({"equations": {"x": "x**2"}, "initial": {"x": 1}}, "x", (0, 5))["energy_drift"][0])
