"""Expressions and exact constants as the values that settings hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from phaseflow.errors import shorten, suggest
from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.parser import MAX_LENGTH, parse, parse_number
from phaseflow.expressions.text import format_expression
from phaseflow.expressions.tree import Node, Number, find_names


class DecimalFloat(float):
    """A number of a config file: a double that remembers the decimals it was written with."""

    text: str

    def __new__(cls, text: str) -> DecimalFloat:
        """Make a number of its text."""
        number = super().__new__(cls, text)
        number.text = text
        return number


@dataclass(frozen=True)
class Expression:
    """A parsed expression; two are equal when their trees are."""

    tree: Node

    @classmethod
    def parse(cls, text: object) -> Expression:
        """Parse a text or a number.

        Raises
        ------
        ValueError : not an expression.
        """
        if isinstance(text, bool) or not isinstance(text, (str, int, float)):
            raise ValueError(f"{shorten(text)} is not an expression")  # noqa: TRY004 - one kind of error for a user's text
        expression = cls(parse(text) if isinstance(text, str) else _parse_plain_number(text))
        if len(expression.text) > MAX_LENGTH:
            raise ValueError(f"{shorten(text)} has more than {MAX_LENGTH} characters when it is written in full")
        return expression

    @cached_property
    def text(self) -> str:
        """The canonical text, which parses back to the same tree."""
        return format_expression(self.tree)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that the expression needs values for."""
        return find_names(self.tree)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Quantity(Expression):
    """An exact real constant: `10`, `8/3`, `sqrt(2)`, `1e-12`."""

    @classmethod
    def parse(cls, text: object) -> Quantity:
        """Parse a constant.

        Raises
        ------
        ValueError : not an expression, one with names in it, or not a finite real number.
        """
        quantity = cls(Expression.parse(text).tree)
        for name in sorted(quantity.names):
            raise ValueError(f"{shorten(text)} is not a number: there is no constant {name!r}{suggest(name, ('pi', 'e'))}")
        if not math.isfinite(quantity.value):
            raise ValueError(f"{shorten(text)} is not a finite real number")
        return quantity

    @property
    def exact(self) -> Fraction | None:
        """The exact value where it is rational."""
        return self.tree.value if isinstance(self.tree, Number) else None

    @cached_property
    def value(self) -> float:
        """The double next to the exact value."""
        return float(evaluate(self.tree, {}))


@dataclass(frozen=True)
class Varying(Quantity):
    """A constant for each value of an index, such as `sin(pi*i/(N + 1))`; it has a value once the index has one.

    Until then its value is a KeyError: write the system out first.
    """

    @classmethod
    def parse(cls, text: object) -> Varying:
        """Parse an expression, whatever names it has.

        Raises
        ------
        ValueError : not an expression.
        """
        return cls(Expression.parse(text).tree)


def _parse_plain_number(number: float) -> Number:
    text = number.text if isinstance(number, DecimalFloat) else repr(number)
    if text[:1] in "+-":
        positive = parse_number(text[1:])
        return Number(-positive.value) if text[0] == "-" else positive
    return parse_number(text)
