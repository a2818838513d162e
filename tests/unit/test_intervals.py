"""Enclosures of expressions: values, gradients and Hessians over boxes, and what has none."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.derivative import differentiate
from phaseflow.expressions.intervals import NotSmoothError, OutsideDomainError, evaluate_jet, make_variable, to_ball
from phaseflow.expressions.parser import parse

FIXED = settings(deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

# Every function and operator, with a box of x and y within its domain.
SMOOTH = {
    "x + y": (-1, 2), "x - y": (-1, 2), "x*y": (-1, 2), "x/y": (1, 2), "-x*y": (-1, 2), "x**2 + y": (-1, 1), "x**3*y": (-1, 1),
    "x**(-2)*y": (0.5, 2), "x**2.5 + y": (0.5, 2), "x**y": (0.5, 2), "2**x*y": (-1, 1), "sin(x*y)": (-1, 2), "cos(x*y)": (-1, 2),
    "tan(x*y)": (0.1, 0.9), "asin(x*y)": (-0.9, 0.9), "acos(x*y)": (-0.9, 0.9), "atan(x*y)": (-2, 2), "sinh(x*y)": (-1, 2),
    "cosh(x*y)": (-1, 2), "tanh(x*y)": (-1, 2), "exp(x*y)": (-1, 2), "log(x*y)": (0.5, 2), "sqrt(x*y)": (0.5, 2),
    "sigmoid(x*y)": (-2, 2), "erf(x*y)": (-1, 1), "abs(x + y)": (0.5, 2), "abs(-x - y)": (0.5, 2), "sign(x)*y": (0.5, 2),
    "atan2(y, x)": (0.5, 2), "atan2(y, -x)": (0.5, 2), "atan2(-y, -x)": (0.5, 2), "min(x, y + 9)*y": (0, 1), "max(x, y + 9, 1)*x": (0, 1),
    "where(x > y - 9, x*y, x)": (0, 1), "where(x >= y + 9, x, x*y**2)": (0, 1), "pi*x + e*y": (0, 1), "x*x*y - 8/3*x": (-1, 1),
}  # fmt: skip


def enclose(text, box, order=2, bits=64):
    with ctx.workprec(bits):
        balls = [arb(low).union(arb(high)) for low, high in box]
        values = {name: make_variable(ball, place) for place, (name, ball) in enumerate(zip("xy", balls, strict=False))}
        return evaluate_jet(parse(text), values, order)


def find_entries(text, point):
    """Return value, gradient and Hessian of the exact derivatives, in doubles."""
    tree, values = parse(text), dict(zip("xy", point, strict=True))
    slopes = [differentiate(tree, name) for name in "xy"]
    bends = {(i, j): differentiate(slopes[i], "xy"[j]) for i in range(2) for j in range(i, 2)}
    return (
        float(evaluate(tree, values)),
        [float(evaluate(slope, values)) for slope in slopes],
        {key: float(evaluate(bend, values)) for key, bend in bends.items()},
    )


def check_inside(ball, number, scale=1.0):
    # The doubles come with rounding errors of their own, a few units in the last place of what they are made of.
    assert (ball + arb(0, 1e-13 * max(scale, abs(number)))).contains(arb(number)), (ball, number)


@pytest.mark.parametrize("text", SMOOTH)
def test_a_box_encloses_value_slopes_and_bends_at_all_of_its_points(text):
    low, high = SMOOTH[text]
    jet = enclose(text, [(low, high)] * 2)
    for point in itertools.product(np.linspace(low, high, 5), repeat=2):
        value, slopes, bends = find_entries(text, point)
        check_inside(jet.value, value)
        for place, slope in enumerate(slopes):
            check_inside(jet.slopes.get(place, arb(0)), slope)
        for key, bend in bends.items():
            check_inside(jet.bends.get(key, arb(0)), bend, scale=10)


@pytest.mark.parametrize("text", SMOOTH)
def test_at_a_point_enclosures_are_as_narrow_as_the_precision(text):
    low, high = SMOOTH[text]
    x = low + 0.6180339887498949 * (high - low)
    jet = enclose(text, [(x, x), (x, x)], bits=240)
    for ball in (jet.value, *jet.slopes.values(), *jet.bends.values()):
        # 240 bits are 72 digits; the operations here lose no more than a few.
        assert float(ball.rad()) <= 1e-66 * max(1, abs(float(ball.mid())))


def test_values_over_a_box_are_those_of_arrays_for_functions_that_switch():
    for text in (
        "abs(x)*y",
        "sign(x) + y",
        "min(x, y)",
        "max(x, y, 0)",
        "where(x > y, x, 2*y)",
        "sqrt(x**2 + y**2)",
        "atan2(y, x)",
        "x**2*y",
    ):
        jet = enclose(text, [(-1, 2), (-2, 1)], order=0)
        for point in itertools.product(np.linspace(-1, 2, 7), np.linspace(-2, 1, 7)):
            check_inside(jet.value, float(evaluate(parse(text), dict(zip("xy", point, strict=True)))))


@pytest.mark.parametrize(
    "text",
    ["abs(x)", "sign(x)", "min(x, y)", "max(x, -x)", "where(x > y, x, y)", "sqrt(x**2 + y**2)", "atan2(y, x)", "where(x == 0, 1, y)"],
)
def test_where_an_expression_may_switch_there_are_no_derivatives(text):
    with pytest.raises(NotSmoothError):
        enclose(text, [(-1, 1), (-1, 1)])


@pytest.mark.parametrize("text", ["log(x)", "1/x", "x**(-3)", "asin(2*x)", "acos(2*x)", "x**0.5*y", "x**y", "tan(2*x)", "sqrt(x - 3)"])
def test_outside_the_domain_there_are_no_derivatives(text):
    with pytest.raises((OutsideDomainError, NotSmoothError)):
        enclose(text, [(-1, 1), (-1, 1)])


@pytest.mark.parametrize("text", ["log(x)", "sqrt(x)", "asin(x + 5)", "x**0.5", "acos(x)"])
def test_a_box_without_a_real_value_has_no_enclosure(text):
    with pytest.raises(OutsideDomainError):
        enclose(text, [(-3, -2), (0, 1)], order=0)


def test_a_part_of_a_box_within_the_domain_is_enclosed():
    for text, point in (("sqrt(x)", 0.5), ("log(x)", 0.01), ("x**1.5", 0.9), ("acos(x*2)", 0.4), ("1/x", -0.3), ("tan(2*x)", 0.7)):
        assert enclose(text, [(-1, 1), (0, 1)], order=0).value.contains(arb(float(evaluate(parse(text), {"x": point}))))


def test_constants_are_exact():
    with ctx.workprec(240):
        third = evaluate_jet(parse("1/3"), {}, 0).value
        # The double next to a third is off by 1.9e-17.
        assert abs(third * 3 - 1) < arb(10) ** -70
        assert not third.contains(arb(1 / 3))
        assert to_ball(Fraction(1, 10)).contains(arb(1) / 10)


def test_an_even_power_over_a_box_has_no_values_below_zero():
    assert enclose("x**2", [(-3, 2), (0, 0)]).value >= 0
    assert enclose("x**2", [(-3, 2), (0, 0)]).value.upper() < 9.001
    assert enclose("x**3", [(-3, 2), (0, 0)]).value.lower() > -27.001


def test_what_is_zero_for_certain_is_left_out():
    jet = enclose("x**2 + y", [(-1, 1), (-1, 1)])
    assert set(jet.slopes) == {0, 1}
    assert set(jet.bends) == {(0, 0)}
    # Exact even where the box has no end.
    with ctx.workprec(64):
        free = {name: make_variable(arb(0, "inf"), place) for place, name in enumerate("xy")}
        bends = evaluate_jet(parse("x**2 + 10*y**2 + x*y"), free, 2).bends
    assert {key: float(ball) for key, ball in bends.items()} == {(0, 0): 2, (0, 1): 1, (1, 1): 20}


@settings(FIXED, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=5),
    st.floats(-2, 2), st.floats(-2, 2), st.floats(0, 1),
)  # fmt: skip
def test_polynomials_are_enclosed_around_any_point(terms, x, y, radius):
    text = " + ".join(f"({c})*x**{i}*y**{j}" for c, i, j in terms)
    jet = enclose(text, [(x - radius, x + radius), (y - radius, y + radius)])
    value, slopes, bends = find_entries(text, (x, y))
    # Terms reach 9 * 2**8 each, their second derivatives 12 times that.
    check_inside(jet.value, value, scale=1e4)
    for place, slope in enumerate(slopes):
        check_inside(jet.slopes.get(place, arb(0)), slope, scale=1e5)
    for key, bend in bends.items():
        check_inside(jet.bends.get(key, arb(0)), bend, scale=1e6)
    assert not math.isnan(value)
