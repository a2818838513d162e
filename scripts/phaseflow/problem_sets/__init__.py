"""Sets of test problems, one plugin a set: functions whose least value is known, to compare algorithms by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phaseflow.expressions.quantity import Expression
from phaseflow.plugins import load_plugin

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Instance:
    """A test problem. It is stated by its residuals, whose squares are summed, or by an expression of `variables`.

    Attributes
    ----------
    start : shape (n,), the standard start.
    lower, upper : shape (n,), the bounds, infinite where there are none.
    known_value : the least value known.
    known_points : shape (k, n), where it is taken, as far as that is known.
    noise : the standard deviation of the noise of each residual, relative to it.
    """

    start: Array
    lower: Array
    upper: Array
    known_value: float
    known_points: Array
    residuals: Callable[[Array], Array] | None = None
    expression: Expression | None = None
    variables: tuple[str, ...] = ()
    noise: float = 0.0


@dataclass(frozen=True)
class ProblemSet:
    """A set of test problems. Every process that plans reads it, so an engine is imported only when a problem is loaded.

    Attributes
    ----------
    dimensions : the number of variables of each problem, by its name.
    load : makes a problem of its name.
    is_boxed : every variable of every problem has both bounds.
    has_residuals : the problems are sums of squares, and algorithms may see the single residuals.
    has_derivatives : exact gradients and Hessians are to be had.
    """

    description: str
    source: str
    dimensions: Mapping[str, int]
    load: Callable[[str], Instance]
    is_boxed: bool = False
    has_residuals: bool = False
    has_derivatives: bool = False


def load_problem_set(name: str) -> ProblemSet:
    """Return a set of test problems by its name.

    Raises
    ------
    KeyError : there is no such set.
    """
    found: ProblemSet = load_plugin("problem_sets", name)
    return found
