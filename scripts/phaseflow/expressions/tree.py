"""The syntax tree of an expression, and the one way to walk it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Number:
    """An exact rational: 0.1 is one tenth and 8/3 eight thirds, not the doubles next to them."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Symbol:
    """A variable, a parameter, the time t, or one of the constants pi and e."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """An operator or a function with its arguments."""

    operator: str
    arguments: tuple[Node, ...]


Node = Number | Symbol | Apply

CONSTANTS = frozenset({"pi", "e"})
TIME = "t"
ARITHMETIC = frozenset({"+", "-", "*", "/", "**", "neg"})
COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
# The number of arguments; None means two or more.
FUNCTIONS: dict[str, int | None] = {
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"), 1),
    **dict.fromkeys(("exp", "log", "sqrt", "abs", "sign", "sigmoid", "erf"), 1),
    "atan2": 2,
    "min": None,
    "max": None,
    "where": 3,
}
# Not smooth: a Taylor step across the place where they switch is wrong.
SWITCHES = frozenset({"where", "sign", "abs", "min", "max"})
RESERVED = CONSTANTS | frozenset(FUNCTIONS) | {TIME}
MAX_DEPTH = 400


def walk(
    node: Node,
    number: Callable[[Fraction], T],
    symbol: Callable[[str], T],
    apply: Callable[[str, list[T]], T],
) -> T:
    """Fold a tree from its leaves upwards into whatever the three functions make of it."""
    if isinstance(node, Number):
        return number(node.value)
    if isinstance(node, Symbol):
        return symbol(node.name)
    arguments = []
    for argument in node.arguments:
        arguments.append(walk(argument, number, symbol, apply))  # noqa: PERF401 - a comprehension doubles the depth
    return apply(node.operator, arguments)


def find_names(node: Node) -> frozenset[str]:
    """Return the names that an expression needs values for."""
    found: set[str] = set()
    walk(node, lambda _: None, lambda name: found.add(name), lambda _operator, _arguments: None)
    return frozenset(found - CONSTANTS)


def find_operators(node: Node) -> frozenset[str]:
    """Return the operators and functions that an expression uses."""
    found: set[str] = set()
    walk(node, lambda _: None, lambda _: None, lambda operator, _arguments: found.add(operator))
    return frozenset(found)
