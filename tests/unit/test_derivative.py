"""Derivatives of expressions: against heyoka's, against differences, and the zeros that recognition relies on."""

import heyoka as hy
import numpy as np
import pytest

from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.compiled import to_heyoka
from phaseflow.expressions.derivative import ZERO, differentiate, substitute
from phaseflow.expressions.parser import parse
from phaseflow.expressions.text import format_expression
from phaseflow.expressions.tree import FUNCTIONS

SMOOTH = [
    "x + y", "3*x - x*y", "x/(1 + y**2)", "y/x", "x**3", "x**(8/3)", "x**y", "2**x", "y**(x*y)", "-x**2", "sin(x*y)", "cos(x)", "tan(x)",
    "asin(x*y)", "acos(x)", "atan(x/y)", "sinh(x)", "cosh(x*x)", "tanh(3*x)", "exp(-x**2)", "log(x + y)", "sqrt(x*y)", "sigmoid(2*x)",
    "erf(x - y)", "atan2(x, y)", "atan2(y, x**2)", "pi*x**e", "(x + 1)*(x*y - 2)/(x**2 + y)", "exp(sin(sqrt(x)))*y",
]  # fmt: skip
SWITCHING = ["abs(x - 0.5)", "sign(x - 0.5)*x", "min(x, y, 0.4)", "max(x, y, x*y)", "where(x > y, x**2, 3*x)", "where(x <= 0.5, y, x/2)"]
POINTS = np.random.default_rng(2).uniform(0.05, 0.95, (40, 2))


def evaluate_slope(text):
    return np.broadcast_to(evaluate(differentiate(parse(text), "x"), {"x": POINTS[:, 0], "y": POINTS[:, 1]}), 40)


@pytest.mark.parametrize("text", SMOOTH)
def test_a_derivative_is_heyokas(text):
    x, y = hy.make_vars("x", "y")
    function = hy.cfunc([hy.diff(to_heyoka(parse(text), {"x": x, "y": y}), x)], vars=[x, y])
    wanted = np.array([function(point)[0] for point in POINTS])
    # Both are exact up to rounding; the points keep 0.05 away from every pole, so few digits cancel.
    assert evaluate_slope(text) == pytest.approx(wanted, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("text", SMOOTH + SWITCHING)
def test_a_derivative_is_the_limit_of_differences(text):
    step = 1e-6
    ends = [evaluate(parse(text), {"x": POINTS[:, 0] + side * step, "y": POINTS[:, 1]}) for side in (1, -1)]
    # The differences err by step**2 times a third derivative (below 1e4 here), and by rounding, 1e-16/step; no point is within a step of
    # a switch.
    assert evaluate_slope(text) == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-7, rel=1e-7)


def test_every_operator_of_the_language_has_a_derivative():
    used = " ".join(SMOOTH + SWITCHING)
    assert all(f"{name}(" in used for name in FUNCTIONS)


@pytest.mark.parametrize("text", ["y**2 + 3", "sin(y)*sqrt(y - 1)", "where(y > 0, y, 2)", "max(y, 2)", "x**0*y", "0*x"])
def test_what_is_free_of_a_name_has_the_derivative_zero_itself(text):
    assert differentiate(parse(text), "x") == ZERO


@pytest.mark.parametrize(
    ("text", "slope"),
    [("kappa*(theta - x)", "-kappa"), ("mu*x", "mu"), ("x*(a - b**2/2)", "a - b**2/2"), ("x/3", "1/3"), ("8/3*x**1", "8/3")],
)
def test_the_slope_of_a_line_has_no_trace_of_the_state(text, slope):
    found = differentiate(parse(text), "x")
    assert "x" not in format_expression(found)
    values = {"kappa": 1.5, "theta": 2.0, "mu": 0.3, "a": 0.7, "b": 0.2}
    assert evaluate(found, values) == pytest.approx(float(evaluate(parse(slope), values)), rel=1e-15)


def test_substitution_takes_zeros_out():
    assert substitute(parse("x*(mu - sigma**2/2)"), {"x": ZERO}) == ZERO
    assert format_expression(substitute(parse("kappa*(theta - x)"), {"x": ZERO})) == "kappa*theta"
    assert format_expression(substitute(parse("1/x + x**(-1)"), {"x": ZERO})) == "1/0 + 0**-1"
