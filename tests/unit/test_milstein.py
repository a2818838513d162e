"""Milstein's method: strong order 1 where noise commutes, and where it does not it is refused."""

import sys

import numpy as np
import pytest

from phaseflow.expressions.arrays import evaluate
from phaseflow.settings.diffusions import explain_no_commutation, find_corrections
from phaseflow.settings.systems import System
from tests.unit.tasks import integrate, make_task

# Two linear equations driven by the same two processes: x dW and x dV are multiples of each other, so the noise commutes.
COMMUTING = {
    "equations": {"x": "a*x", "y": "-b*y"},
    "noise": {"x": {"V": "0.4*x", "W": "0.5*x"}, "y": {"V": "-0.6*y", "W": "0.3*y"}},
    "parameters": {"a": 0.3, "b": 0.5},
    "initial": {"x": 1, "y": 1},
}


def make_system(noise, initial=("x", "y"), **parameters):
    states = dict.fromkeys(initial, "0")
    return System.model_validate({"equations": states, "noise": noise, "parameters": parameters, "initial": dict.fromkeys(initial, 1)})


@pytest.mark.parametrize("system", ["geometric_brownian_motion", COMMUTING])
def test_the_strong_order_is_one(system):
    task = {"system": system, "times": [0, 1], "members": 2_000}
    exact = integrate(make_task(**task, method="exact")).samples[:, -1]
    errors = []
    for step in (2.0**-5, 2.0**-6, 2.0**-7, 2.0**-8):
        ends = integrate(make_task(**task, method="milstein", step=step)).samples[:, -1]
        errors.append(np.abs(ends - exact).mean(axis=0))
    # On the same 2,000 paths each mean error is known to 2 %; the next term of the error is smaller by the square root of the step.
    assert -np.diff(np.log2(errors), axis=0) == pytest.approx(np.ones((3, len(exact[0]))), abs=0.12)


def test_nonlinear_noise_follows_its_closed_form():
    """dX = -sin(X) cos(X)**3 dt + cos(X)**2 dW has the solution X = atan(W + tan(X_0)) (Kloeden and Platen, eq. 4.4.40)."""
    system = {"equations": {"x": "-sin(x)*cos(x)**3"}, "noise": {"x": {"W": "cos(x)**2"}}, "initial": {"x": 0.5}}
    wiener = {"equations": {"w": "0"}, "noise": {"w": {"W": "1"}}, "initial": {"w": 0}}
    path = integrate(make_task(wiener, [0, 1], members=1_000, method="euler_maruyama")).samples[:, -1, 0]
    exact = np.arctan(path + np.tan(0.5))
    errors = [
        np.abs(integrate(make_task(system, [0, 1], members=1_000, method="milstein", step=h)).samples[:, -1, 0] - exact).mean()
        for h in (2.0**-6, 2.0**-7, 2.0**-8)
    ]
    assert -np.diff(np.log2(errors)) == pytest.approx([1, 1], abs=0.15)


def test_the_coefficients_are_those_of_the_literature():
    found = find_corrections(make_system({"x": {"W": "sigma*x"}, "y": {"V": "1"}}, sigma=2))
    ((j, k, tree),) = found["x"]
    assert (j, k) == ("W", "W")
    assert found["y"] == []
    assert evaluate(tree, {"sigma": 2.0, "x": 3.0}) == 12.0


@pytest.mark.parametrize(
    "noise",
    [
        {"x": {"W": "x"}},
        {"x": {"V": "sin(x)"}, "y": {"W": "sqrt(y)"}},
        {"x": {"V": "x", "W": "2*x"}, "y": {"V": "y**2", "W": "2*y**2"}},
        {"x": {"V": "1", "W": "t"}, "y": {"V": "cos(t)"}},
        {"x": {"V": "y"}, "y": {"V": "x"}},
        # Multiples of one vector field, written in two ways.
        {"x": {"V": "(x + y)**2", "W": "s*(x**2 + 2*x*y + y**2)"}, "y": {"V": "exp(x)", "W": "s*exp(x)"}},
        {"x": {"W": "sqrt(max(x, 0))"}, "y": {"V": "sqrt(1 - s**2)*y"}},
    ],
)
def test_noise_that_commutes_is_seen_to(noise):
    assert explain_no_commutation(make_system(noise, s=0.5)) is None


@pytest.mark.parametrize(
    "noise",
    [
        {"x": {"V": "1"}, "y": {"W": "x"}},
        {"x": {"V": "y"}, "y": {"W": "y"}},
        {"x": {"V": "x", "W": "1"}},
        {"x": {"V": "1 + 1e-3*y"}, "y": {"W": "1"}},
        {"x": {"V": "sqrt(y)*x"}, "y": {"V": "s*sqrt(y)", "W": "sqrt(1 - s**2)*sqrt(y)"}},  # Heston
    ],
)
def test_noise_that_does_not_commute_is_seen_not_to(noise):
    assert "in the equation of" in explain_no_commutation(make_system(noise, s=0.5))


def test_noise_that_is_switched_off_has_no_correction():
    """Below zero sqrt(max(v, 0)) and its slope are zero, so the path is that of the drift alone."""
    system = {"equations": {"v": "0"}, "noise": {"v": {"W": "sqrt(max(v, 0))"}}, "initial": {"v": -0.5}}
    assert integrate(make_task(system, [0, 1], method="milstein")).samples[0, -1, 0] == -0.5


def test_formulas_nested_too_deeply_are_refused_and_do_not_crash():
    """The derivative of 390 factors is 780 deep: more than Python allows where a program has begun deep in its stack."""
    deep, limit = "*".join(["x"] * 390), sys.getrecursionlimit()
    systems = [make_system({"x": {"V": deep, "W": "1"}}), make_system({"x": {"V": deep}})]
    sys.setrecursionlimit(700)
    try:
        reasons = [explain_no_commutation(system) for system in systems]
    finally:
        sys.setrecursionlimit(limit)
    assert all("nested too deeply" in reason for reason in reasons)
