"""Runs in more digits than a double has, against closed forms and published digits."""

import math

import numpy as np
import pytest

from phaseflow.certificates import find_horizon
from phaseflow.dynamics.precise import raise_bits
from phaseflow.plugins import load_plugin
from tests.unit.tasks import make_task

ENGINE = load_plugin("engines", "multiprecision")


def integrate(system, times, initial=None, **solver):
    task = make_task(system, times, **solver)
    if initial is not None:
        task.initial[:] = initial
    return ENGINE.integrate(task)


@pytest.mark.parametrize("precision", ["auto", 60])
def test_lorenz63_at_t_100_has_fifteen_digits_and_more(precision):
    """Published by Liao (2009) and others: the solution for beta = 8/3 exactly; with the double next to 8/3, x is 8.05."""
    result = integrate("lorenz63", [0, 100], [1, 0, 0], precision=precision)
    assert result.status[0] == "ok"
    assert result.samples[0, -1, 0] == pytest.approx(12.2860066770189848088, rel=1e-15)


def test_quadruple_precision_is_right_to_t_60_and_wrong_at_t_100():
    times = [0, 60, 100]
    quadruple = integrate("lorenz63", times, [1, 0, 0], precision="quadruple").samples[0]
    true = integrate("lorenz63", times, [1, 0, 0], precision="auto").samples[0]
    # 34 digits, of which a growth by exp(0.9 t) leaves about ten at t = 60 and none at t = 100.
    assert quadruple[1] == pytest.approx(true[1], rel=1e-8)
    assert abs(quadruple[2] - true[2]).max() > 1


def test_automatic_precision_gives_the_nearest_doubles():
    system = {"equations": {"x": "x", "c": "-s", "s": "c"}, "initial": {"x": 1, "c": 1, "s": 0}}
    result = integrate(system, [0, 1], precision="auto")
    assert result.samples[0, -1].tolist() == [math.e, math.cos(1), math.sin(1)]
    assert result.details["bits"].tolist() == [113]


def test_constants_and_the_transient_are_exact():
    system = {"equations": {"x": "a - third*x"}, "parameters": {"a": "sqrt(2)", "third": "1/3"}, "initial": {"x": "3*sqrt(2)"}}
    # It stands still only where 3 sqrt(2) / 3 is sqrt(2); otherwise it would move by a bit or two.
    result = integrate(system, np.linspace(0, 50, 11), precision=50, transient=7.0)
    assert np.unique(result.samples).tolist() == [math.sqrt(18)]


@pytest.mark.parametrize("precision", ["auto", "quadruple"])
def test_a_blow_up_has_its_time_and_harms_no_neighbour(precision):
    system = {"equations": {"x": "a*x**2"}, "parameters": {"a": 1}, "initial": {"x": 1}}
    task = make_task(system, np.linspace(0, 2, 21), members=3, parameters={"a": [-1.0, 1.0, -1.0]}, precision=precision)
    result = ENGINE.integrate(task)
    assert result.status.tolist() == ["ok", "not_finite", "ok"]
    assert result.status_time[1] == pytest.approx(1, abs=1e-6)
    assert result.samples[2, :, 0] == pytest.approx(1 / (1 + task.times), rel=1e-15)
    assert result.samples[1, :9, 0] == pytest.approx(1 / (1 - task.times[:9]), rel=1e-14)
    assert np.isnan(result.samples[1, 11:]).all()
    horizon = find_horizon(load_plugin("certificates", "reference"), task, ENGINE, 1e-3)
    assert horizon.until[[0, 2]].tolist() == [2, 2]
    assert np.isnan(horizon.until[1])


def test_a_step_limit_is_a_status():
    result = integrate("lorenz63", [0, 100], precision="quadruple", max_steps=50)
    assert result.status.tolist() == ["step_limit"]
    assert 0 < result.status_time[0] < 100


def test_a_member_is_the_same_in_any_company():
    times = np.linspace(0, 60, 31)
    task = make_task("lorenz63", times, members=2, precision="auto")
    task.initial[0] += 1
    alone = integrate("lorenz63", times, precision="auto")
    assert ENGINE.integrate(task).samples[1].tobytes() == alone.samples[0].tobytes()


def test_precision_is_raised_in_proportion_to_the_time_to_go():
    # Of 113 bits 53 are wanted; 44 of the coarser's 97 were lost by t = 40, so 110 and a sixth of that will be by t = 100.
    assert raise_bits(113, 53, 40, 100) == 32 * math.ceil((16 + 53 + 110 * 7 / 6) / 32)
    assert raise_bits(113, 53, 99, 100) > 113
    assert raise_bits(113, 53, 0, 100) < 10_000


def test_the_horizon_of_a_run_in_quadruple_precision_is_later_than_that_of_doubles():
    double, quadruple = (make_task("lorenz63", [0, 100], precision=precision) for precision in ("double", "quadruple"))
    reference = load_plugin("certificates", "reference")
    early = find_horizon(reference, double, load_plugin("engines", "taylor"), 1e-3).until[0]
    late = find_horizon(reference, quadruple, ENGINE, 1e-3).until[0]
    # 60 bits more, at a growth by exp(0.9056 t): 46 units of time, give or take what the growth fluctuates.
    assert late - early == pytest.approx(60 * math.log(2) / 0.9056, abs=8)
