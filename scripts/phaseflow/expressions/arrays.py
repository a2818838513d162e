"""Tree to numbers: evaluate an expression over numpy arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phaseflow.expressions.tree import Node, walk

_CONSTANTS = {"pi": math.pi, "e": math.e}
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "**": np.power, "neg": np.negative,
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "exp": np.exp, "log": np.log, "sqrt": np.sqrt,
    "abs": np.abs, "sign": np.sign, "atan2": np.arctan2, "where": np.where,
    "min": lambda *arguments: reduce(np.minimum, arguments),
    "max": lambda *arguments: reduce(np.maximum, arguments),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "erf": np.vectorize(math.erf, otypes=[float]),
}  # fmt: skip


def evaluate(node: Node, values: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """Evaluate an expression in double precision; where it is not a real number the answer is NaN or infinite.

    Parameters
    ----------
    values : an array for each name, of shapes that broadcast.

    Raises
    ------
    KeyError : a name without a value.
    """

    def symbol(name: str) -> NDArray[np.float64]:
        return np.float64(_CONSTANTS[name]) if name in _CONSTANTS else np.asarray(values[name], dtype=np.float64)  # type: ignore[return-value]

    with np.errstate(all="ignore"):
        result = walk(node, _round_to_double, symbol, lambda operator, arguments: _OPERATIONS[operator](*arguments))
    return np.asarray(result, dtype=np.float64)


def _round_to_double(value: Fraction) -> Any:
    try:
        return np.float64(value.numerator / value.denominator)
    except OverflowError:
        return np.float64(math.copysign(math.inf, value))
