"""scipy's integrators with compiled right-hand sides."""

import numpy as np
import pytest

from tests.unit.tasks import integrate, make_task

METHODS = ("LSODA", "Radau", "BDF", "DOP853", "RK45")


@pytest.mark.parametrize("method", METHODS)
def test_a_method_solves_a_driven_linear_equation(method):
    system = {"equations": {"x": "-a*x + sin(t)"}, "parameters": {"a": 2}, "initial": {"x": 1}}
    times = np.linspace(0, 5, 11)
    result = integrate(make_task(system, times, method=method, tolerance=1e-8))
    exact = (2 * np.sin(times) - np.cos(times)) / 5 + 6 / 5 * np.exp(-2 * times)
    # The tolerance is for one step; over the few hundred steps errors add to less than a hundred of it (BDF is the loosest).
    assert np.abs(result.samples[0, :, 0] - exact).max() < 1e-6
    assert result.status[0] == "ok"


@pytest.mark.parametrize("method", ["LSODA", "Radau", "BDF"])
def test_robertson_is_solved_over_ten_decades(method):
    times = [0, 0.4, 40, 4e3, 4e5]
    result = integrate(make_task("robertson", times, method=method, tolerance=1e-8))
    assert result.samples[0].sum(axis=1) == pytest.approx(1, abs=1e-10)  # mass is conserved
    # Reference at t = 40 from Hairer and Wanner (1996), sec. IV.10.
    assert result.samples[0, 2] == pytest.approx([0.7158270688, 9.185534765e-6, 0.2841637457], rel=1e-5)


@pytest.mark.parametrize("absolute", [1e-18, {"y1": 1e-12, "y2": 1e-21, "y3": 1e-12}])
def test_robertson_at_t_1e11_has_eight_digits(absolute):
    """The accuracy lies in the absolute tolerance: y2 ends at 8e-14. The reference is the standard one of the stiff test sets."""
    result = integrate(make_task("robertson", [0, 1e11], method="Radau", tolerance=1e-10, absolute=absolute))
    assert result.samples[0, 1] == pytest.approx([2.083340149701255e-8, 8.333360770334713e-14, 0.999999979166505], rel=1e-8)


def test_each_state_has_its_own_absolute_tolerance():
    """A decoupled state that may err has no say in the steps: they are as many as without it."""
    slow = {"equations": {"x": "-x"}, "initial": {"x": 1}}
    both = {"equations": {"x": "-x", "y": "50*cos(50*t)"}, "initial": {"x": 1, "y": 0}}
    options = {"method": "DOP853", "tolerance": 1e-6}
    alone = integrate(make_task(slow, [0, 5], absolute=1e-9, **options)).steps[0]
    free = integrate(make_task(both, [0, 5], absolute={"x": 1e-9, "y": 1e6}, **options)).steps[0]
    bound = integrate(make_task(both, [0, 5], absolute=1e-9, **options)).steps[0]
    assert free <= alone + 2
    assert bound > 3 * alone


def test_stiff_methods_take_fewer_steps_than_explicit_ones():
    stiff, explicit = (integrate(make_task("robertson", [0, 40], method=method, tolerance=1e-6)) for method in ("Radau", "RK45"))
    assert stiff.steps[0] * 10 < explicit.steps[0]


def test_a_transient_is_thrown_away_and_parameters_are_each_members_own():
    system = {"equations": {"x": "-a*x"}, "parameters": {"a": 1}, "initial": {"x": 1}}
    task = make_task(system, [3, 4], transient=2, members=2, parameters={"a": [1, 2]}, method="DOP853", tolerance=1e-12)
    assert integrate(task).samples[:, :, 0] == pytest.approx(np.exp(-np.outer([1, 2], [2, 3])), rel=1e-10)


def test_a_blow_up_is_a_status_and_a_time():
    result = integrate(make_task({"equations": {"x": "x**2"}, "initial": {"x": 1}}, np.linspace(0, 2, 5), method="LSODA"))
    assert result.status[0] == "step_failed"
    assert result.status_time[0] == pytest.approx(1, abs=1e-3)
    assert np.isnan(result.samples[0, -1]).all()
    assert result.samples[0, 1, 0] == pytest.approx(2, rel=1e-8)


def test_a_step_limit_is_kept():
    result = integrate(make_task("robertson", [0, 40], method="RK45", tolerance=1e-6, max_steps=50))
    assert (result.status[0], result.steps[0]) == ("step_limit", 50)
