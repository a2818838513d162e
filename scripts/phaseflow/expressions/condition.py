"""Conditions that must hold: two expressions with <=, >= or == between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from phaseflow.errors import shorten
from phaseflow.expressions.derivative import subtract
from phaseflow.expressions.parser import parse_condition
from phaseflow.expressions.text import format_expression
from phaseflow.expressions.tree import Apply, Node, find_names

_ALLOWED = (">=", "<=", "==")


@dataclass(frozen=True)
class Condition:
    """A parsed condition; two are equal when their trees are."""

    tree: Apply

    @classmethod
    def parse(cls, text: object) -> Condition:
        """Parse a condition.

        Raises
        ------
        ValueError : not two expressions with one of <=, >= and == between them, or nothing in it can vary.
        """
        if not isinstance(text, str):
            raise ValueError(f"{shorten(text)} is not a condition such as 'x + y >= 1'")  # noqa: TRY004 - one kind of error for a user's text
        condition = cls(parse_condition(text))
        if condition.tree.operator not in _ALLOWED:
            raise ValueError(f"{shorten(text)}: write <=, >= or ==; with {condition.tree.operator} no least value need be attained")
        if not condition.names:
            raise ValueError(f"{shorten(text)} has no variable in it")
        return condition

    @property
    def is_equation(self) -> bool:
        """Whether both sides must be equal."""
        return self.tree.operator == "=="

    @property
    def slack(self) -> Node:
        """What must be zero where the sides must be equal, and zero or more where not."""
        left, right = self.tree.arguments
        return subtract(right, left) if self.tree.operator == "<=" else subtract(left, right)

    @cached_property
    def text(self) -> str:
        """The canonical text, which parses back to the same tree."""
        return format_expression(self.tree)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that the condition needs values for."""
        return find_names(self.tree)

    def __str__(self) -> str:
        return self.text
