"""Tree to exact rationals: what arithmetic alone can make of rational values, without any rounding."""

from __future__ import annotations

import operator as python
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from flint import fmpq

from phaseflow.expressions.tree import Node, find_names, find_operators, walk

Rational = Any
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": python.lt, "<=": python.le, ">": python.gt, ">=": python.ge, "==": python.eq, "!=": python.ne,
}  # fmt: skip
_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "+": python.add, "-": python.sub, "*": python.mul, "/": python.truediv, "neg": python.neg, "abs": abs, "min": min, "max": max,
    "sign": lambda value: fmpq((value > 0) - (value < 0)),
    "where": lambda condition, a, b: a if condition else b,
}  # fmt: skip
_OPERATIONS = _ARITHMETIC | _COMPARE
# A power beyond this is left to balls, whose cost does not grow with it.
_LARGEST_POWER = 64


def to_rational(value: Fraction) -> Rational:
    """Return a rational of the library that computes with them fast."""
    return fmpq(value.numerator, value.denominator)


def to_fraction(value: Rational) -> Fraction:
    """Return a rational as Python's own."""
    return Fraction(int(value.p), int(value.q))


def evaluate_exactly(node: Node, columns: Mapping[str, Sequence[Rational]], count: int) -> list[Rational] | None:
    """Evaluate an expression row by row without rounding; None where it is more than arithmetic, or divides by zero.

    Parameters
    ----------
    columns : a rational a row for each name.
    count : the number of rows.
    """
    if not find_operators(node) <= {*_OPERATIONS, "**"} or not find_names(node) <= set(columns):
        return None

    def apply(operator: str, arguments: list[list[Any]]) -> list[Any]:
        function = _OPERATIONS[operator] if operator != "**" else _raise
        return [function(*row) for row in zip(*arguments, strict=True)]

    try:
        return walk(node, lambda value: [to_rational(value)] * count, lambda name: list(columns[name]), apply)
    except (ZeroDivisionError, KeyError, _IrrationalError):
        return None


class _IrrationalError(ArithmeticError):
    pass


def _raise(base: Rational, exponent: Rational) -> Rational:
    if exponent.q != 1 or abs(exponent.p) > _LARGEST_POWER:
        raise _IrrationalError
    return base ** int(exponent.p)
