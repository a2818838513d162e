"""The roots of functions of one variable: every one that there is, enclosed, and nothing else."""

import math
from fractions import Fraction

import mpmath
import pandas as pd
import pytest

from phaseflow.config import load_config
from phaseflow.plan import Plan
from phaseflow.problems._roots import find_roots
from phaseflow.settings.studies import Study
from tests.contracts.small import make_tables


def search(expression, low, high, points=10_001):
    variables = {"x": {"start": (low + high) / 2, "lower": low, "upper": high}}
    return find_roots(Study.model_validate({"minimize": expression, "variables": variables, "roots": True}), points)


def test_the_roots_of_a_parabola_are_right_to_the_last_bit():
    found = search("x**2 + 10*x + 5", -10, 10)
    mpmath.mp.prec = 200
    for sign, root, low, high in zip((-1, 1), found["root"], found["enclosure_low"], found["enclosure_high"], strict=True):
        exact = -5 + sign * mpmath.sqrt(20)
        assert low < exact < high
        assert root == float(exact)
        assert math.nextafter(low, math.inf) == high
    # The slope is 2 x + 10, at the roots the square root of 80.
    assert found["slope"] == pytest.approx([-math.sqrt(80), math.sqrt(80)], rel=1e-15)
    assert all("sign change" in method and "scan of 10001 points" in method for method in found["method"])


def test_the_enclosure_of_a_polynomial_holds_a_sign_change_in_exact_arithmetic():
    found = search("x**3 - 2*x - 5", -4, 4)
    (low,), (high,) = found["enclosure_low"], found["enclosure_high"]
    signs = [x**3 - 2 * x - 5 for x in (Fraction(low), Fraction(high))]
    assert signs[0] < 0 < signs[1]


@pytest.mark.parametrize(
    ("expression", "low", "high", "roots"),
    [
        ("sin(1/x)", 0.01, 1, [1 / (k * math.pi) for k in range(31, 0, -1)]),
        ("x", -1, 2, [0]),
        ("x - 2", -1, 2, [2]),
        ("(x - 1)*(x - 1.0000001)", 0, 3, [1, 1.0000001]),
        ("x**3 - 3*x + 2", -4, 4, [-2, 1]),
        ("(x**2 - 2)**2", -3, 3, [-math.sqrt(2), math.sqrt(2)]),
        ("abs(x)", -1, 2, [0]),
        ("log(x)", 0, 3, [1]),
    ],
)
def test_every_root_is_found(expression, low, high, roots):
    # A root of even order has half the digits of the arithmetic with 113 bits: neighbouring doubles still.
    assert search(expression, low, high)["root"] == pytest.approx(roots, rel=4e-16, abs=1e-300)


@pytest.mark.parametrize(
    "expression", ["1/x", "1/(x - 0.3)", "where(x > 0.3, 2 + x, -2 - x)", "exp(x)", "x**2 + 1e-12", "tan(x)/x + 2", "sqrt(x - 5)"]
)
def test_a_pole_a_jump_and_a_near_miss_are_no_roots(expression):
    assert search(expression, -1, 1)["root"] == []


def test_a_turning_point_says_that_its_value_is_not_shown_to_be_zero():
    assert all(method.startswith("turning point whose value may be zero") for method in search("(x**2 - 2)**2", -3, 3)["method"])


def test_a_study_has_a_table_of_roots_also_where_its_trials_fail(tmp_path):
    variables = "variables: {x: {start: -1, lower: -1, upper: 3}}"
    text = f"optimize:\n  it: {{minimize: log(x), {variables}, roots: true, chunk: 1, sweep: {{starts: 3}}}}\n"
    (tmp_path / "config.yaml").write_text(f"{text}  none: {{minimize: x**2, {variables}}}\n")
    make_tables(Plan(load_config(tmp_path / "config.yaml")), tmp_path)
    columns = ["root", "residual", "slope", "enclosure_low", "enclosure_high", "method"]
    found, empty = (pd.read_parquet(tmp_path / f"results/optimize/{name}/roots.parquet") for name in ("it", "none"))
    assert found.columns.tolist() == empty.columns.tolist() == columns
    assert found["root"].tolist() == [1]
    assert empty.empty
