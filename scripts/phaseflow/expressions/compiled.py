"""Tree to heyoka: vector fields, derivatives and compiled functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce
from pathlib import Path
from typing import Any

import heyoka as hy

from phaseflow.expressions.tree import Node, walk

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "neg": lambda a: -a,
    "<": hy.lt, "<=": hy.lte, ">": hy.gt, ">=": hy.gte, "==": hy.eq, "!=": hy.neq,
    "sin": hy.sin, "cos": hy.cos, "tan": hy.tan, "asin": hy.asin, "acos": hy.acos, "atan": hy.atan,
    "sinh": hy.sinh, "cosh": hy.cosh, "tanh": hy.tanh, "exp": hy.exp, "log": hy.log, "sqrt": hy.sqrt,
    "sigmoid": hy.sigmoid, "erf": hy.erf, "atan2": hy.atan2, "where": hy.select,
    "abs": lambda a: hy.select(hy.lt(a, _number(0)), -a, a),
    "sign": lambda a: hy.select(hy.lt(a, _number(0)), _number(-1), hy.select(hy.gt(a, _number(0)), _number(1), _number(0))),
    "min": lambda *arguments: reduce(lambda a, b: hy.select(hy.lt(b, a), b, a), arguments),
    "max": lambda *arguments: reduce(lambda a, b: hy.select(hy.gt(b, a), b, a), arguments),
}  # fmt: skip


def _number(value: Fraction | int) -> Any:
    return hy.expression(float(value))


# The base of natural logarithms to 1,400 digits, as a partial sum of its series.
_E = Fraction(sum(math.perm(600, k) for k in range(601)), math.factorial(600))


def to_heyoka(node: Node, names: Mapping[str, Any], number: Callable[[Fraction], Any] = _number) -> Any:
    """Return an expression as a heyoka expression.

    Parameters
    ----------
    names : a heyoka expression for each name: a variable, a parameter or the time.
    number : makes heyoka's constant of an exact rational; by default the nearest double.
    """
    symbols = {"pi": hy.pi, "e": number(_E), **names}
    return walk(node, number, symbols.__getitem__, lambda operator, arguments: _FUNCTIONS[operator](*arguments))


def use_cache(folder: Path) -> None:
    """Keep compiled code in a folder of the run, which its jobs share, instead of the user's home."""
    folder.mkdir(parents=True, exist_ok=True)
    hy.llvm_state.set_diskcache_path(str(folder.resolve()))
