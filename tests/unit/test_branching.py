"""Bounds on the least value of all: never above it, close where boxes are few, and the proof that nothing is feasible."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.parser import parse
from phaseflow.problems._branching import bound_least_value
from phaseflow.problems._statement import Statement
from phaseflow.settings.studies import Study
from tests.unit.optima import BRANIN, CAMEL6, DEGENERATE, GOLDSTEIN, HIMMELBLAU, griewank, rastrigin

FIXED = settings(deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def bound(text, bounds, budget=2_000, constraints=None):
    variables = {f"x{i}": {"start": low, "lower": low, "upper": high} for i, (low, high) in enumerate(bounds)}
    study = Study.model_validate({"minimize": text, "variables": variables, "constraints": constraints})
    return bound_least_value(Statement.of(study), budget)


# Least values as published; that of McCormick's function in its usual box.
CLOSED = {
    "rosenbrock": ("100*(x1 - x0**2)**2 + (1 - x0)**2", [(-5, 10)] * 2, 0.0, 1e-9),
    "himmelblau, with four minima": (HIMMELBLAU, [(-5, 5)] * 2, 0.0, 1e-9),
    "rastrigin": (rastrigin(2), [(-5.12, 5.12)] * 2, 0.0, 1e-9),
    "griewank": (griewank(2), [(-100, 100)] * 2, 0.0, 1e-9),
    "six-hump camel": (CAMEL6, [(-3, 3), (-2, 2)], -1.03162845, 1e-8),
    "branin": (BRANIN, [(-5, 10), (0, 15)], 0.397887358, 1e-9),
    "mccormick": ("sin(x0 + x1) + (x0 - x1)**2 - 1.5*x0 + 2.5*x1 + 1", [(-1.5, 4), (-3, 4)], -1.913222955, 1e-9),
    "ackley, not smooth": (DEGENERATE["ackley"][0], [(-32, 32)] * 2, 0.0, 1e-9),
    "a kink": ("abs(x0 - 0.3) + max(x1, -2*x1)", [(-1, 1)] * 2, 0.0, 1e-9),
    "a jump": ("where(x0 < 0.5, 1 + x0**2, x0 - 1)", [(-2, 2)], -0.5, 1e-9),
    "at a corner": ("x0 - x1**3", [(1, 2), (0, 2)], -7.0, 1e-12),
    "one variable": ("x0**2 + 10*x0 + 5", [(-10, 10)], -20.0, 1e-12),
    "a bound that is no double": ("x0", [("1/3", 1)], 1 / 3, 1e-15),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOSED)
def test_the_least_value_is_enclosed_closely(name):
    text, bounds, least, off = CLOSED[name]
    found = bound(text, bounds)
    assert found.is_closed
    # The published least value is rounded.
    assert found.lower <= least + off
    assert found.upper >= least - off
    # As close as two values that the findings tell apart: 1e-8, relative or absolute.
    assert found.upper - found.lower <= 1e-8 * max(1, abs(least))


def test_where_the_budget_is_too_small_the_bound_is_wide_and_still_one():
    found = bound(GOLDSTEIN, [(-2, 2)] * 2, budget=200)
    assert not found.is_closed
    assert found.lower <= 3 <= found.upper
    assert found.boxes <= 202
    wider = bound(GOLDSTEIN, [(-2, 2)] * 2, budget=50)
    assert wider.lower <= found.lower


def test_conditions_cut_boxes_off():
    disc = bound("x0 + x1", [(-3, 3)] * 2, constraints=["x0**2 + x1**2 <= 4"])
    assert disc.lower <= -2 * math.sqrt(2) <= disc.upper
    # 2,000 boxes of a square of 36 units that meet its edge are about 6*2/1000 wide.
    assert disc.upper - disc.lower < 0.02
    circle = bound("x0 + x1", [(-3, 3)] * 2, constraints=["x0**2 + x1**2 == 4"])
    assert -2.84 < circle.lower <= -2 * math.sqrt(2)
    # No point is proven to lie on the circle, so no value is known to be attained.
    assert circle.upper == math.inf
    assert not circle.is_closed
    inside = bound("x0**2 + x1**2", [(-3, 3)] * 2, constraints=["x0 + x1 >= -1"])
    assert inside.is_closed


@pytest.mark.parametrize(
    ("text", "bounds", "attained"),
    [
        ("x0**(-0.5)", [(-1, 4)], 0.5),
        ("1/(1/x0)", [(-1, 1)], -0.75),
        ("log((1/x0)**2) + x0**4 - 2*x0**2", [(-3, 2)], -0.8),
        # Where the base is below zero there are values at whole exponents.
        ("(x0 - 1)**(x1 + 1)*x1 + 4*x0", [(-1, 3), (1, 2)], 1.0),
    ],
)
def test_a_part_of_a_box_outside_the_domain_takes_nothing_from_what_is_inside(text, bounds, attained):
    assert bound(text, bounds, budget=100).lower <= attained


def test_that_nothing_is_feasible_is_proven():
    found = bound("x0 + x1", [(-3, 3)] * 2, constraints=["x0**2 + x1**2 <= 4", "x0 >= 2.5"])
    assert found.lower == math.inf
    outside = bound("log(x0)", [(-3, -1)])
    assert outside.lower == math.inf


@settings(FIXED, max_examples=25)
@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=5),
    st.sampled_from(["{}", "sin({})", "abs({})", "exp(-({})**2)", "max({}, x0)"]), st.integers(20, 200),
)  # fmt: skip
def test_no_value_lies_below_the_bound(terms, outer, budget):
    text = outer.format(" + ".join(f"({c})*x0**{i}*x1**{j}" for c, i, j in terms)) + " + 0*x0*x1"
    found = bound(text, [(-2, 1), (-1, 2)], budget)
    x, y = np.meshgrid(np.linspace(-2, 1, 31), np.linspace(-1, 2, 31))
    values = evaluate(parse(text), {"x0": x, "x1": y})
    # Sums of up to five terms of at most 9 * 2**6 are off by a few units of 1e-13.
    assert found.lower <= values.min() + 1e-11
    assert found.upper >= found.lower
