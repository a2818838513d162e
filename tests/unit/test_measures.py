"""Measures against what theory says of them."""

from dataclasses import replace

import numpy as np
import pytest

from phaseflow.measures.extrema import MEASURE as EXTREMA
from phaseflow.measures.lyapunov import MEASURE as LYAPUNOV
from phaseflow.measures.lyapunov import find_dimension
from tests.unit.tasks import integrate, make_task


def measure(which, task):
    return LYAPUNOV.measure(which, task, integrate(task))


def test_a_linear_system_has_the_real_parts_of_its_eigenvalues():
    system = {"equations": {"x": "-x + 2*y", "y": "-2*x - y", "z": "-3*z"}, "initial": {"x": 1, "y": 0, "z": 1}}
    found = measure("all", make_task(system, [0, 50]))
    exponents = [found[f"lyapunov_{place}"][0] for place in (1, 2, 3)]
    # A rotation by QR intervals that are no whole turn leaves nothing but rounding here.
    assert exponents == pytest.approx([-1, -1, -3], abs=1e-9)
    assert found["trace_error"][0] < 1e-9
    assert found["kaplan_yorke"][0] == 0


def test_lorenz63_has_the_published_spectrum():
    found = measure("all", make_task("lorenz63", [0, 2000], transient=50))
    # Sprott (2003): 0.9056, 0, -14.5723; a run of T = 2,000 has a standard error of about 0.01.
    for place, truth in enumerate((0.9056, 0.0, -14.5723), 1):
        assert abs(found[f"lyapunov_{place}"][0] - truth) < 4 * max(found[f"lyapunov_{place}_se"][0], 1e-3)
    assert found["lyapunov_1_se"][0] < 0.03
    # The divergence of the field is constant: -(sigma + 1 + beta) = -41/3.
    assert sum(found[f"lyapunov_{place}"][0] for place in (1, 2, 3)) == pytest.approx(-41 / 3, abs=1e-9)
    assert found["kaplan_yorke"][0] == pytest.approx(2.062, abs=0.003)


def test_a_long_run_of_lorenz63_has_three_digits_and_says_so():
    found = measure("all", make_task("lorenz63", [0, 10_000], transient=50))
    errors = [found[f"lyapunov_{place}_se"][0] for place in (1, 2, 3)]
    assert max(errors) <= 0.004
    for place, truth in enumerate((0.9056, 0.0, -14.5723), 1):
        assert abs(found[f"lyapunov_{place}"][0] - truth) < 3 * errors[place - 1]
    assert found["trace_error"][0] < 1e-9


def test_intervals_are_shortened_until_fast_exponents_are_seen():
    """Over a quarter of a time unit exp(-300 t) is lost in rounding; the sum of the exponents gives it away."""
    system = {"equations": {"x": "-50*x + y", "y": "-300*y", "z": "0.1*sin(t) - z"}, "initial": {"x": 1, "y": 1, "z": 1}}
    found = measure("all", make_task(system, [0, 50]))
    exponents = sorted((found[f"lyapunov_{place}"][0] for place in (1, 2, 3)), reverse=True)
    assert exponents == pytest.approx([-1, -50, -300], abs=1e-8)
    assert found["trace_error"][0] < 1e-9 + 351e-11


def test_the_error_on_a_cycle_is_a_constant_over_the_time():
    """On the circle of the Hopf normal form the exponents are 0 and -2 mu; what is left is the phase, at most c/T."""
    system = {
        "equations": {"x": "mu*x - 3*y - x*(x**2 + y**2)", "y": "3*x + mu*y - y*(x**2 + y**2)"},
        "parameters": {"mu": 1},
        "initial": {"x": 1.5, "y": 0},
    }
    errors = []
    for stop in (100, 400):
        found = measure("all", make_task(system, [0, stop]))
        for place, truth in ((1, 0), (2, -2)):
            assert abs(found[f"lyapunov_{place}"][0] - truth) <= found[f"lyapunov_{place}_se"][0] + 1e-12
        errors.append(found["lyapunov_2_se"][0])
    # The approach to the circle, which the halves see, counts once: its error falls as 1/T.
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)


def test_the_largest_alone_agrees_with_the_spectrum():
    # Before rounding has parted the two runs: their errors of 1e-12 grow by exp(0.9 * 12) = 5e4.
    task = make_task("lorenz63", [0, 10], transient=2)
    assert measure("largest", task)["lyapunov_1"][0] == pytest.approx(measure("all", task)["lyapunov_1"][0], abs=1e-6)


def test_below_the_first_bifurcation_the_origin_attracts_at_its_eigenvalue():
    rho = np.array([0.5, 0.2])
    found = measure("largest", make_task("lorenz63", [0, 60], transient=60, members=2, parameters={"rho": rho}))
    # The slower eigenvalue at the origin: (-(s + 1) + sqrt((s + 1)**2 - 4 s (1 - rho))) / 2.
    truth = (-11 + np.sqrt(121 - 40 * (1 - rho))) / 2
    assert found["lyapunov_1"] == pytest.approx(truth, abs=1e-6)


def test_a_member_that_failed_has_no_exponent_and_harms_no_other():
    system = {"equations": {"x": "a*x**2 - x"}, "parameters": {"a": 0}, "initial": {"x": 1}}
    task = make_task(system, [0, 10], members=3, parameters={"a": [0.0, 2.0, 0.0]})
    found = measure("largest", task)["lyapunov_1"]
    assert found[[0, 2]] == pytest.approx([-1, -1], abs=1e-9)
    assert np.isnan(found[1])


def test_an_exponent_does_not_depend_on_company():
    rho = np.linspace(1, 60, 11)
    together = measure("largest", make_task("lorenz63", [0, 20], members=11, parameters={"rho": rho}))
    alone = measure("largest", make_task("lorenz63", [0, 20], parameters={"rho": rho[7]}))
    assert together["lyapunov_1"][7] == alone["lyapunov_1"][0]


def test_the_dimension_of_kaplan_and_yorke():
    assert find_dimension(np.array([0.9056, 0.0, -14.5723])) == pytest.approx(2 + 0.9056 / 14.5723)
    assert find_dimension(np.array([-1.0, -2.0])) == 0
    assert find_dimension(np.array([1.0, 0.5])) == 2
    assert np.isnan(find_dimension(np.array([1.0, np.nan])))


def test_extrema_of_an_oscillator_are_where_they_are():
    task = make_task({"equations": {"q": "p", "p": "-q"}, "initial": {"q": 0, "p": 1}}, [0, 20])
    task = replace(task, events=EXTREMA.locate(["q"], task.system))
    outcome = integrate(task)
    found = EXTREMA.measure(["q"], task, outcome)
    # q = sin t: maxima at pi/2 + 2 pi k, three of them before t = 20; minima at 3 pi/2 + 2 pi k, three of them.
    assert (found["q_max_count"][0], found["q_min_count"][0]) == (3, 3)
    assert found["q_max"][0] == pytest.approx(1, abs=1e-13)
    assert found["q_min"][0] == pytest.approx(-1, abs=1e-13)
    times = [occurrence.time for occurrence in outcome.occurrences if occurrence.event == "q_max"]
    # A maximum is flat: its time is known to the rounding of p = cos t, about 1e-15 relative to the slope of 1.
    assert times == pytest.approx(np.pi / 2 + 2 * np.pi * np.arange(3), abs=1e-12)


def test_extrema_in_a_transient_are_not_counted_and_none_is_not_a_number():
    task = make_task({"equations": {"x": "-x"}, "initial": {"x": 1}}, [0, 1], transient=5)
    task = replace(task, events=EXTREMA.locate(["x"], task.system))
    found = EXTREMA.measure(["x"], task, integrate(task))
    assert np.isnan(found["x_max"][0])
    assert found["x_max_count"][0] == 0
