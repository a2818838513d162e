"""Horizons against what is known of the true solution."""

from dataclasses import replace

import numpy as np
import pytest

from phaseflow.certificates import find_horizon, judge
from phaseflow.dynamics.precise import PreciseRun, PreciseSolver
from phaseflow.plugins import load_plugin
from tests.unit.tasks import make_task, resolve, simulate


def find(method, task, allowed=1e-3):
    return find_horizon(load_plugin("certificates", method), task, load_plugin("engines", "taylor"), allowed)


def test_a_horizon_is_the_last_time_before_the_first_difference():
    times = np.linspace(0, 10, 11)
    truth = np.stack([times, np.ones(11)], axis=1)
    main = truth.copy()
    main[6, 0] += 0.02  # 0.2 % of the range, which is 10
    assert judge(main, truth, times, 1e-3) == (5.0, False)
    assert judge(main, truth, times, 1e-2) == (10.0, True)
    main[3, 1] += 1e-10  # a state that stands still is held to 1e-12 of the largest range
    assert judge(main, truth, times, 1e-2) == (2.0, False)


def test_a_run_that_ended_early_has_no_horizon():
    times = np.linspace(0, 1, 3)
    until, is_censored = judge(np.array([[0.0], [np.nan], [np.nan]]), np.zeros((3, 1)), times, 1e-3)
    assert np.isnan(until)
    assert not is_censored


@pytest.mark.parametrize("method", ["reference", "estimate"])
def test_a_regular_motion_is_good_to_the_end(method):
    horizon = find(method, make_task("lotka_volterra", [0, 50], members=2))
    assert horizon.until.tolist() == [50, 50]
    assert horizon.is_censored.all()


@pytest.mark.parametrize("method", ["reference", "estimate"])
def test_lorenz63_is_reliable_for_a_while_and_not_to_t_60(method):
    horizon = find(method, make_task("lorenz63", [0, 60]))
    # From the digits to t = 20 the error of the default solver is 4e-9; at a growth of 0.9 a unit of time it reaches
    # a thousandth of the range of 40 after about 18 more, give or take a few times 1/0.9.
    assert 30 < horizon.until[0] < 44
    assert not horizon.is_censored[0]


def test_a_truth_that_escapes_later_makes_no_difference_smaller(monkeypatch):
    task = make_task("lorenz63", [0, 60])
    monkeypatch.setattr(PreciseSolver, "look_ahead", lambda *_: np.full((9, 3), np.inf))
    # As above: the ranges are at most those of the run itself.
    assert 30 < find("reference", task).until[0] < 44


def test_the_reference_has_eight_thirds_exactly():
    """The solution for the double next to 8/3 leaves the one for 8/3 itself, though both runs have 34 digits."""
    equations = {"x": "sigma*(y - x)", "y": "x*(rho - z) - y", "z": "x*y - beta*z"}
    initial, times = {"x": 1, "y": 1, "z": 1}, np.linspace(0, 60, 601)
    truths = []
    for beta in ("8/3", repr(8 / 3)):
        parameters = {"sigma": 10, "rho": 28, "beta": beta}
        task = make_task({"equations": equations, "parameters": parameters, "initial": initial}, times)
        run = PreciseRun(task, times, 128)
        run.start(0)
        truths.append(run.advance(slice(0, len(times)))[0])
    # Beta is off by 1.5e-16; an error that grows by exp(0.9 t) is a thousandth of the range of 40 near t = 40.
    until, is_censored = judge(truths[1], truths[0], times, 1e-3)
    assert not is_censored
    assert 28 < until < 48
    # The reference values of x, y, z at t = 20 have 25 digits.
    assert truths[0][200] == pytest.approx([13.7931995951286188, 12.9518039361898985, 34.9016086811351429], abs=1e-14)


def test_an_estimate_is_within_one_lyapunov_time_of_the_reference():
    random = np.random.default_rng(5)
    task = make_task("lorenz63", [0, 60], members=40)
    task.initial[:] = random.uniform([-10, -10, 15], [10, 10, 35], (40, 3))
    late = (find("estimate", task).until - find("reference", task).until) * 0.9056
    # 97 % of members are within one Lyapunov time, none more than three late; forty starts allow a few outside.
    assert np.mean(np.abs(late) <= 1) >= 0.85
    assert late.max() < 3


def test_a_reference_uses_irrational_constants_and_literals_exactly():
    system = {"equations": {"q": "p", "p": "-w**2*q + 0.1"}, "parameters": {"w": "sqrt(2)"}, "initial": {"q": "1/3", "p": 0}}
    reference, engine = load_plugin("certificates", "reference").find, load_plugin("engines", "taylor")
    task = make_task(system, np.linspace(0, 100, 1001))
    times = task.times
    truth = 0.05 + (1 / 3 - 0.05) * np.cos(np.sqrt(2) * times)
    main = engine.integrate(task)
    assert np.abs(main.samples[0, :, 0] - truth).max() < 1e-10
    horizon = reference(task, main, engine, 1e-9)
    assert horizon.is_censored[0]
    # The double run errs by about 1e-13 by t = 100, so a reference with exact constants sees it leave at 1e-15.
    assert not reference(task, main, engine, 1e-15).is_censored[0]


def test_a_member_that_failed_has_no_claim_and_harms_no_other():
    system = {"equations": {"x": "a*x**2"}, "parameters": {"a": 1}, "initial": {"x": 1}}
    task = make_task(system, [0, 2], members=2, parameters={"a": [1.0, -1.0]})
    for method in ("reference", "estimate"):
        horizon = find(method, task)
        assert np.isnan(horizon.until[0])
        assert horizon.until[1] == 2


def test_averages_are_within_their_errors_as_often_as_errors_promise():
    task = make_task("lorenz63", [0, 100], members=100, transient=20.0)
    random = np.random.default_rng(5)
    horizon = find("estimate", replace(task, initial=task.initial + random.normal(size=task.initial.shape)))
    # By the symmetry of the equations the mean of x is zero. Of 100 members 95 are expected within two errors; the
    # binomial distribution has fewer than 88 once in a thousand times.
    far = np.abs(horizon.details["x_mean"]) / horizon.details["x_mean_se"]
    assert (far < 2).sum() >= 88
    assert (far < 5).all()
    # The errors are no excuse either: no more than twice the scatter between members.
    assert horizon.details["x_mean_se"].mean() < 2 * horizon.details["x_mean"].std()


@pytest.mark.parametrize("method", ["taylor", "taylor_map"])
@pytest.mark.parametrize("certify", ["reference", "estimate"])
def test_a_certified_scenario_has_every_column_that_it_promises(tmp_path, method, certify):
    settings = {"system": "lorenz63", "time": {"stop": 2, "samples": 51}, "solver": {"method": method}, "certify": certify}
    members, _ = simulate(tmp_path, settings)
    promised = resolve(settings).list_measures()
    assert "x_mean_se" in promised
    assert set(promised) <= set(members.columns)
    assert members[promised].notna().all(axis=None)


def test_averages_of_a_regular_motion_are_those_of_its_periods():
    circle = {"equations": {"x": "y", "y": "1 - x"}, "initial": {"x": 3, "y": 0}}
    horizon = find("estimate", make_task(circle, [0, 200]))
    # The integral of 2 cos over a block of ten is at most 4, so its mean is off by at most 0.4, and that of 20 blocks by 0.4/sqrt(20).
    assert abs(horizon.details["x_mean"][0] - 1) < horizon.details["x_mean_se"][0] < 0.09
