"""Exact expansion into monomials, held against evaluation at random points."""

from fractions import Fraction

import numpy as np
import pytest

from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.parser import parse
from phaseflow.expressions.polynomials import collect, expand, format_monomial


def write(text):
    return {format_monomial(monomial): value for monomial, value in expand(parse(text)).items()}


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("x*(rho - z) - y", {"rho*x": 1, "x*z": -1, "y": -1}),
        ("(x + y)**2 - (x - y)**2", {"x*y": 4}),
        ("x/3 + 8/3*x", {"x": 3}),
        ("-(x - 1)*(x + 1)", {"x**2": -1, "1": 1}),
        ("x**0 + pi*x", {"1": 1, "pi*x": 1}),
        ("0.1*x - x/10", {}),
        ("x*(y - y) + 2", {"1": 2}),
        ("x**(2 + 1)/2", {"x**3": Fraction(1, 2)}),
    ],
)
def test_expansion_is_exact(text, terms):
    assert write(text) == terms


@pytest.mark.parametrize("text", ["sin(x)", "1/x", "x**y", "x**(1/2)", "x**21", "x**-1", "(a + b + c + d + f + g)**20", "abs(x)"])
def test_what_is_no_polynomial_of_moderate_size_is_an_error(text):
    with pytest.raises(ValueError, match=r"not a polynomial|not that of a polynomial|above|more than"):
        expand(parse(text))


def test_an_expansion_has_the_values_of_its_expression():
    tree = parse("(a*x - y/7)**3*(x + b) - (y - 2*x)**2/a0 + 4".replace("/a0", "/5"))
    rng = np.random.default_rng(1)
    for _ in range(20):
        values = dict(zip("abxy", rng.normal(size=4), strict=True))
        total = collect(expand(tree), values)
        assert set(total) == {()}
        # Sums of some twenty terms of size 100 at most.
        assert total[()] == pytest.approx(float(evaluate(tree, values)), abs=1e-11)


def test_values_that_cancel_leave_nothing():
    assert collect(expand(parse("(a - b)*x + y")), {"a": Fraction(8, 3), "b": Fraction(8, 3)}) == {(("y", 1),): 1}
