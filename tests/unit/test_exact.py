"""Exact schemes against closed forms: laws that do not depend on the samples, and paths on the same Brownian motion."""

import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_lyapunov

from phaseflow.dynamics.transitions import find_transition
from phaseflow.settings.diffusions import find_closed_form, has_closed_form
from phaseflow.settings.systems import System
from tests.unit.tasks import integrate, make_task

GBM, OU = "geometric_brownian_motion", "ornstein_uhlenbeck"
# A damped oscillator whose velocity alone is kicked: the covariance of a short time is nearly singular.
OSCILLATOR = {
    "equations": {"q": "p", "p": "-w**2*q - g*p + f"},
    "noise": {"p": {"W": "s"}},
    "parameters": {"w": 2, "g": 0.5, "f": 1, "s": 0.7},
    "initial": {"q": 1, "p": 0},
}


@pytest.mark.parametrize("times", [[0, 2], np.linspace(0, 2, 41), [0, 0.1, 0.7, 2]])
def test_the_law_of_an_ornstein_uhlenbeck_process_does_not_depend_on_the_samples(times):
    n, (kappa, theta, sigma) = 20_000, (3.0, 0.4, 0.5)
    columns = {"kappa": np.full(n, kappa), "theta": np.full(n, theta)}
    result = integrate(make_task(OU, times, members=n, method="exact", parameters=columns))
    ends = result.samples[:, -1, 0]
    decay = np.exp(-kappa * 2)
    variance = sigma**2 / (2 * kappa) * (1 - decay**2)
    # Four standard errors.
    assert abs(ends.mean() - (theta + (1 - theta) * decay)) < 4 * np.sqrt(variance / n)
    assert ends.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / n))
    assert result.steps[0] == len(times) - 1


def test_the_autocovariance_of_an_ornstein_uhlenbeck_process():
    n = 20_000
    samples = integrate(make_task(OU, [0, 0.5, 1.0], members=n, method="exact", transient=20.0)).samples[..., 0]
    found = np.cov(samples.T)
    wanted = 0.125 * np.exp(-np.abs(np.subtract.outer([0, 0.5, 1.0], [0, 0.5, 1.0])))
    # The standard error of a covariance is at most sqrt(2/n) of the variance.
    assert found == pytest.approx(wanted, abs=4 * np.sqrt(2 / n) * 0.125)


def test_an_oscillator_kicked_by_noise_has_the_moments_of_its_equations():
    n, (w, g, f, s) = 20_000, (2.0, 0.5, 1.0, 0.7)
    samples = integrate(make_task(OSCILLATOR, np.linspace(0, 1.5, 16), members=n, method="exact")).samples[:, -1]
    matrix = np.array([[0, 1], [-(w**2), -g]])
    rest = np.array([f / w**2, 0])
    mean = rest + expm(matrix * 1.5) @ (np.array([1, 0]) - rest)
    stationary = solve_continuous_lyapunov(matrix, -np.diag([0, s**2]))
    covariance = stationary - expm(matrix * 1.5) @ stationary @ expm(matrix * 1.5).T
    spread = np.sqrt(np.diag(covariance))
    assert np.abs(samples.mean(axis=0) - mean).max() < 4 * spread.max() / np.sqrt(n)
    assert np.cov(samples.T) == pytest.approx(covariance, abs=4 * np.sqrt(2 / n) * spread.max() ** 2)


@pytest.mark.parametrize("duration", [1e-6, 0.01, 1.0, 50.0, 2_000.0])
def test_a_transition_is_its_closed_form(duration):
    """One dimension: E = exp(-k h), m = theta (1 - E), Q = s**2 (1 - E**2)/(2 k), however long the time."""
    matrix, shift, factor = find_transition(np.array([[-3.0]]), np.array([1.2]), np.array([[0.5, 0.2]]), duration)
    decay = np.exp(-3 * duration)
    assert matrix[0, 0] == pytest.approx(decay, rel=1e-12, abs=1e-300)
    # One part in 1e12: about ten doublings from a norm of 1, each of which may double the rounding.
    assert shift[0] == pytest.approx(-0.4 * np.expm1(-3 * duration), rel=1e-12)
    assert factor[0, 0] ** 2 == pytest.approx(-0.29 / 6 * np.expm1(-6 * duration), rel=1e-12)


def test_a_singular_covariance_is_no_hindrance():
    """Two states that share one process and nothing else: their difference is certain."""
    system = {
        "equations": {"x": "0", "y": "1"},
        "noise": {"x": {"W": "s"}, "y": {"W": "s"}},
        "parameters": {"s": 2},
        "initial": {"x": 0, "y": 0},
    }
    samples = integrate(make_task(system, [0, 1, 3], members=1_000, method="exact")).samples
    # The square root of the covariance's rounding, 1e-16, is 1e-8.
    assert samples[..., 1] - samples[..., 0] == pytest.approx(np.tile([0, 1, 3], (1_000, 1)), abs=1e-6)
    assert samples[:, 1, 0].var() == pytest.approx(4, rel=4 * np.sqrt(2 / 1_000))


def test_a_system_without_parameters_or_noise_in_one_state():
    system = {"equations": {"x": "y", "y": "0"}, "noise": {"y": {"W": "1"}}, "initial": {"x": 0, "y": 0}}
    samples = integrate(make_task(system, [0, 1], members=20_000, method="exact")).samples[:, -1]
    # The integral of Brownian motion has variance 1/3, and covariance 1/2 with it.
    assert np.cov(samples.T) == pytest.approx(np.array([[1 / 3, 1 / 2], [1 / 2, 1]]), abs=4 * np.sqrt(2 / 20_000))


def test_geometric_brownian_motion_is_its_closed_form_on_its_own_brownian_path():
    wiener = {"equations": {"w": "0"}, "noise": {"w": {"W": "1"}}, "initial": {"w": 0}}
    times = np.linspace(0, 3, 7)
    paths = integrate(make_task(wiener, times, members=200, method="euler_maruyama", transient=0.5)).samples[..., 0]
    samples = integrate(make_task(GBM, times, members=200, method="exact", transient=0.5)).samples[..., 0]
    exact = 100 * np.exp((0.07 - 0.02) * (times + 0.5) + 0.2 * paths)
    assert samples == pytest.approx(exact, rel=1e-13)


def test_the_lognormal_law_holds_with_one_step_or_many():
    n = 20_000
    for times in ([0, 2], np.linspace(0, 2, 51)):
        logs = np.log(integrate(make_task(GBM, times, members=n, method="exact")).samples[:, -1, 0] / 100)
        assert abs(logs.mean() - 2 * (0.07 - 0.02)) < 4 * np.sqrt(0.08 / n)
        assert logs.var() == pytest.approx(0.08, rel=4 * np.sqrt(2 / n))


def test_members_keep_their_own_parameters():
    kappas = np.array([0.5, 2.0, 0.5, 8.0])
    system = {"equations": {"x": "-k*x"}, "noise": {"x": {"W": "0"}}, "parameters": {"k": 1}, "initial": {"x": 1}}
    samples = integrate(make_task(system, [0, 1], members=4, method="exact", parameters={"k": kappas})).samples[:, -1, 0]
    assert samples == pytest.approx(np.exp(-kappas), rel=1e-14)


def make_system(equations, noise):
    names = ["x", "y"][: len(equations)]
    given = {"equations": dict(zip(names, equations, strict=True)), "noise": noise, "initial": dict.fromkeys(names, 1)}
    return System.model_validate(given | {"parameters": {"a": 1, "b": 2}})


LINEAR = [
    (["a*(b - x)"], {"x": {"W": "a*b"}}),
    (["x + y - 3", "sin(a)*y - (x - y)/b"], {"y": {"W": "where(a > 1, 1, 2)"}}),
    (["0"], {"x": {"V": "1", "W": "2"}}),
    (["x**1 - 2*(x - b)"], {"x": {"W": "1"}}),
]
GEOMETRIC = [
    (["a*x"], {"x": {"W": "b*x"}}),
    (["x*(a - b**2/2)", "-y"], {"x": {"V": "x*sqrt(1 - a**2)", "W": "a*x"}, "y": {"W": "y/b"}}),
]
NEITHER = [
    (["a*x + 1"], {"x": {"W": "x"}}),
    (["a*x*y", "y"], {"x": {"W": "x"}, "y": {"W": "y"}}),
    (["a*x + t"], {"x": {"W": "1"}}),
    (["a*x*t"], {"x": {"W": "x"}}),
    (["a*x"], {"x": {"W": "t"}}),
    (["abs(x)"], {"x": {"W": "1"}}),
    (["sign(x)"], {"x": {"W": "1"}}),
    (["where(x > 0, 1, 2)"], {"x": {"W": "1"}}),
    (["max(x, 0)"], {"x": {"W": "1"}}),
    (["sqrt(x**2)"], {"x": {"W": "x"}}),
    (["x"], {"x": {"W": "sqrt(x)"}}),
    (["y", "x"], {"x": {"W": "x"}, "y": {"W": "y"}}),
    (["x", "y"], {"x": {"W": "y"}}),
    (["x - x**3"], {"x": {"W": "a"}}),
]


@pytest.mark.parametrize(("equations", "noise"), LINEAR)
def test_linear_systems_are_recognised(equations, noise):
    assert find_closed_form(make_system(equations, noise)).kind == "linear"


@pytest.mark.parametrize(("equations", "noise"), GEOMETRIC)
def test_geometric_systems_are_recognised(equations, noise):
    assert find_closed_form(make_system(equations, noise)).kind == "geometric"


@pytest.mark.parametrize(("equations", "noise"), NEITHER)
def test_what_is_neither_has_no_closed_form(equations, noise):
    assert not has_closed_form(make_system(equations, noise))


def test_a_law_that_overflows_is_a_status():
    system = {"equations": {"x": "a*x"}, "noise": {"x": {"W": "1"}}, "parameters": {"a": 1}, "initial": {"x": 1}}
    result = integrate(make_task(system, [0, 1, 2], members=2, method="exact", parameters={"a": [600.0, -1.0]}))
    assert result.status.tolist() == ["not_finite", "ok"]
