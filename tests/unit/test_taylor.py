"""The adaptive Taylor engine against closed forms, published digits and conserved quantities."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from phaseflow.catalogues import Catalogue
from phaseflow.engines import Task, taylor
from phaseflow.engines.taylor import BATCH
from phaseflow.engines.taylor import integrate as run
from phaseflow.settings.methods import Solver
from phaseflow.settings.systems import System

MANY_STEPS = 1_000_000


def start(system, n_members=1):
    initial = np.array([[quantity.value for quantity in system.initial.values()]] * n_members)
    parameters = np.array([[quantity.value for quantity in system.parameters.values()]] * n_members)
    return system, initial, parameters


def integrate(system, initial, parameters, times, transient, tolerance, max_steps):
    solver = Solver.model_validate({"tolerance": tolerance, "max_steps": max_steps})
    streams = np.zeros(len(initial), dtype=np.uint64)
    return run(Task(system, initial, parameters, times, transient, solver, 0, streams))


@pytest.fixture(params=[1_000_000, 3])
def rows_held(request, monkeypatch):
    """How many rows a part of the samples of one state has: all of them, or few."""
    monkeypatch.setattr(taylor, "_SAMPLES_HELD", request.param)


def test_lorenz63_agrees_with_the_published_digits():
    field, initial, parameters = start(Catalogue()["lorenz63"])
    result = integrate(field, initial, parameters, np.array([0.0, 10.0, 20.0]), 0.0, 1e-12, MANY_STEPS)
    # Digits from two runs at 100 and 120 digits that agree.
    at_10 = [-4.9026875411346457, -3.7438729218029196, 24.6908581027905554]
    at_20 = [13.7931995951286188, 12.9518039361898985, 34.9016086811351429]
    assert np.abs(result.samples[0, 1] - at_10).max() < 1e-11
    assert np.abs(result.samples[0, 2] - at_20).max() < 1e-8


@pytest.mark.usefixtures("rows_held")
def test_the_harmonic_oscillator_returns_to_its_start():
    system = System.model_validate({"equations": {"q": "p", "p": "-q"}, "initial": {"q": 1, "p": 0}})
    times = np.linspace(0, 2 * np.pi * 10, 101)
    field, initial, parameters = start(system)
    result = integrate(field, initial, parameters, times, 0.0, 1e-15, MANY_STEPS)
    # Ten turns at an error of 1e-15 a step and about ten steps a turn.
    assert np.abs(result.samples[0, :, 0] - np.cos(times)).max() < 1e-13


def test_lotka_volterra_conserves_its_integral():
    system = Catalogue()["lotka_volterra"]
    field, initial, parameters = start(system)
    result = integrate(field, initial, parameters, np.linspace(0, 100, 201), 0.0, 1e-14, MANY_STEPS)
    u, v = result.samples[0].T
    alpha, beta, gamma, delta = (system.parameters[name].value for name in ("alpha", "beta", "gamma", "delta"))
    conserved = gamma * np.log(u) - delta * u + alpha * np.log(v) - beta * v
    assert np.ptp(conserved) < 1e-12


def test_an_explicit_time_is_the_clock_of_the_trajectory():
    system = System.model_validate({"equations": {"x": "cos(t)"}, "initial": {"x": 0}})
    field, initial, parameters = start(system)
    times = np.linspace(3, 9, 13)
    plain = integrate(field, initial, parameters, times, 0.0, 1e-15, MANY_STEPS).samples[0, :, 0]
    assert np.abs(plain - (np.sin(times) - np.sin(3))).max() < 1e-14
    after = integrate(field, initial, parameters, times, 2.0, 1e-15, MANY_STEPS).samples[0, :, 0]
    assert np.abs(after - (np.sin(times) - np.sin(1))).max() < 1e-14


def test_a_tolerance_is_kept():
    """The error at a fixed time falls with the tolerance, down to rounding."""
    field, initial, parameters = start(Catalogue()["rossler"])
    times = np.array([0.0, 20.0])
    truth = integrate(field, initial, parameters, times, 0.0, 1e-16, MANY_STEPS).samples[0, 1]
    errors = [
        np.abs(integrate(field, initial, parameters, times, 0.0, tolerance, MANY_STEPS).samples[0, 1] - truth).max()
        for tolerance in (1e-4, 1e-6, 1e-8, 1e-10)
    ]
    assert all(later < earlier / 10 for earlier, later in pairwise(errors))


@pytest.mark.parametrize("n_members", [1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH])
def test_a_member_is_the_same_in_any_company(n_members):
    system = Catalogue()["lorenz63"]
    field, initial, parameters = start(system, n_members)
    rho = list(system.parameters).index("rho")
    parameters[1:, rho] = np.linspace(0, 200, n_members - 1)
    times = np.linspace(0, 15, 4)
    alone = integrate(field, initial[:1], parameters[:1], times, 1.0, 1e-12, MANY_STEPS)
    together = integrate(field, initial, parameters, times, 1.0, 1e-12, MANY_STEPS)
    assert np.array_equal(together.samples[0], alone.samples[0])
    assert together.steps[0] == alone.steps[0]


@pytest.mark.usefixtures("rows_held")
def test_a_member_that_blows_up_harms_no_other():
    system = System.model_validate({"equations": {"x": "a*x**2"}, "parameters": {"a": 1}, "initial": {"x": 1}})
    field = system
    rates = np.array([-1.0, 4.0, 0.2, 1.0, 0.1, -3.0, 2.0, 0.3, 0.4, 5.0, -2.0])
    initial, times = np.ones((len(rates), 1)), np.linspace(0, 2, 9)
    result = integrate(field, initial, rates[:, None], times, 0.0, 1e-13, MANY_STEPS)
    fails = rates > 0.5
    assert result.status.tolist() == ["not_finite" if failed else "ok" for failed in fails]
    # x = 1/(1 - a t) is infinite at t = 1/a.
    assert np.abs(result.status_time[fails] * rates[fails] - 1).max() < 1e-9
    exact = 1 / (1 - np.outer(rates[~fails], times))
    # The error of a step, 1e-13, grows by at most (1 - a t)**-2 = 25 over few steps.
    assert np.abs(result.samples[~fails, :, 0] / exact - 1).max() < 1e-11
    assert np.isnan(result.samples[fails][:, -1]).all()


def test_a_member_that_blows_up_in_the_transient_has_no_samples():
    system = System.model_validate({"equations": {"x": "x**2"}, "initial": {"x": 1}})
    field, _, _ = start(system)
    initial = np.array([[1.0], [-1.0]])
    result = integrate(field, initial, np.empty((2, 0)), np.array([10.0, 11.0]), 5.0, 1e-12, MANY_STEPS)
    assert result.status.tolist() == ["not_finite", "ok"]
    assert result.status_time[0] == pytest.approx(6.0, abs=1e-6)  # the clock reads 10 - 5 + 1
    assert np.isnan(result.samples[0]).all()
    assert result.samples[1, :, 0] == pytest.approx([-1 / 6, -1 / 7], rel=1e-11)


@pytest.mark.usefixtures("rows_held")
def test_a_member_that_needs_more_steps_than_allowed_says_so():
    field, initial, parameters = start(Catalogue()["lorenz63"], 3)
    initial[1] = 0  # the origin is an equilibrium: one step is enough
    result = integrate(field, initial, parameters, np.linspace(0, 40, 5), 0.0, 1e-12, 100)
    assert result.status.tolist() == ["step_limit", "ok", "step_limit"]
    assert result.steps.tolist()[0] == 100
    assert 0 < result.status_time[0] < 40
    reached = np.isfinite(result.samples[0]).all(axis=1)
    assert np.array_equal(reached, np.linspace(0, 40, 5) <= result.status_time[0])


def test_eight_thirds_as_a_parameter_is_the_nearest_double():
    assert Catalogue()["lorenz63"].parameters["beta"].value == float(Fraction(8, 3))


@pytest.mark.parametrize("power", [2, 3, 4, 5, 7, 10])
def test_a_whole_power_is_right_where_its_base_is_zero(power):
    stated = {"equations": {"x": "1", "y": f"x**{power}"}, "initial": {"x": 0, "y": 0}}
    result = integrate(*start(System.model_validate(stated)), np.array([0.0, 1.0]), 0.0, 1e-15, MANY_STEPS)
    assert result.status[0] == "ok"
    # Few products and a step or two: their rounding is far below 64 units of the last place.
    assert result.samples[0, 1, 1] == pytest.approx(1 / (power + 1), rel=64 * np.finfo(float).eps)
