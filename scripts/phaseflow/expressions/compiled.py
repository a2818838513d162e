"""Tree to heyoka: vector fields, derivatives and compiled functions."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import reduce
from pathlib import Path
from typing import Any

import heyoka as hy

from phaseflow.expressions.tree import Node, walk

FUNCTIONS: dict[str, Callable[..., Any]] = {
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


LARGEST_PRODUCT = 64
# A heyoka expression, and its exact value where it is a number.
_Part = tuple[Any, Fraction | None]

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

    def apply(operator: str, arguments: list[_Part]) -> _Part:
        power = arguments[-1][1]
        if operator == "**" and power is not None and power.denominator == 1 and 2 < power <= LARGEST_PRODUCT:
            return _raise(arguments[0][0], int(power), number(Fraction(2))), None
        return FUNCTIONS[operator](*(translated for translated, _ in arguments)), None

    return walk(node, lambda value: (number(value), value), lambda name: (symbols[name], None), apply)[0]


def _raise(base: Any, power: int, two: Any) -> Any:
    """Return a whole power as squares and products.

    Careful: heyoka's Taylor coefficients of any other power divide by the base, so x**3 would fail where x is zero.
    """
    if power <= 2:
        return base if power == 1 else base**two
    square = _raise(base, power // 2, two) ** two
    return square * base if power % 2 else square


def use_cache(folder: Path) -> None:
    """Keep compiled code in a folder of the run, which its jobs on this machine share, instead of the user's home.

    Careful: the code is that of one processor, and the folder may be seen by nodes that have another.
    """
    own = folder / platform.node()
    own.mkdir(parents=True, exist_ok=True)
    hy.llvm_state.set_diskcache_path(str(own.resolve()))


@contextmanager
def compile_afresh() -> Iterator[None]:
    """Within the context, keep compiled code in no folder at all."""
    was_kept = hy.llvm_state.get_diskcache_enabled()
    hy.llvm_state.set_diskcache_enabled(False)
    try:
        yield
    finally:
        hy.llvm_state.set_diskcache_enabled(was_kept)
