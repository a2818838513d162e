"""A system's equations as a vector field that heyoka compiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import heyoka as hy
import numpy as np
from numpy.typing import NDArray

from phaseflow.expressions.compiled import to_heyoka
from phaseflow.expressions.quantity import Expression
from phaseflow.expressions.tree import TIME
from phaseflow.settings.systems import System

Array = NDArray[np.float64]
Function = Callable[[float, Array], Array]


@dataclass(frozen=True)
class Field:
    """A vector field.

    Attributes
    ----------
    states, parameters : their names, in the order of the system's definition.
    equations : for each state heyoka's variable and its time derivative; parameter k is `par[k]`.
    names : heyoka's expression for each name.
    """

    states: tuple[str, ...]
    parameters: tuple[str, ...]
    equations: list[tuple[Any, Any]]
    names: dict[str, Any]

    @property
    def jacobian(self) -> list[list[Any]]:
        """The derivatives of each state's time derivative by the states, row by row."""
        variables = [variable for variable, _ in self.equations]
        return [[hy.diff(slope, variable) for variable in variables] for _, slope in self.equations]

    def translate(self, expression: Expression) -> Any:
        """Return an expression of states, parameters and time as heyoka's."""
        return to_heyoka(expression.tree, self.names)


def make_field(system: System, number: Callable[[Fraction], Any] | None = None) -> Field:
    """Translate a system; every parameter stays a run-time value, so that members differ in values alone.

    Parameters
    ----------
    number : makes heyoka's constant of an exact rational; by default the nearest double.
    """
    options = {} if number is None else {"number": number}
    states, parameters = tuple(system.equations), tuple(system.parameters)
    variables = dict(zip(states, hy.make_vars(*states) if len(states) > 1 else [hy.make_vars(*states)], strict=True))
    names = {**variables, **{name: hy.par[place] for place, name in enumerate(parameters)}, TIME: hy.time}
    equations = [(variables[state], to_heyoka(formula.tree, names, **options)) for state, formula in system.equations.items()]
    return Field(states, parameters, equations, names)


class CompiledField:
    """A vector field and its exact Jacobian, compiled once for all members."""

    def __init__(self, field: Field) -> None:
        self.dimension = len(field.states)
        variables = [variable for variable, _ in field.equations]
        slopes, entries = [slope for _, slope in field.equations], [entry for row in field.jacobian for entry in row]
        self._slope, self._entries = (hy.cfunc(outputs, vars=variables) for outputs in (slopes, entries))
        self.is_driven: bool = self._slope.is_time_dependent

    def __call__(self, state: Array, parameters: Array, time: float = 0.0) -> tuple[Array, Array]:
        """Return the time derivative and the Jacobian, of shapes (dimension,) and (dimension, dimension)."""
        slope, jacobian = self.bind(parameters)
        return slope(time, state), jacobian(time, state)

    def bind(self, parameters: Array) -> tuple[Function, Function]:
        """Return the right-hand side and the Jacobian of one member as functions of time and state."""
        slope, entries = _bind_one(self._slope, parameters), _bind_one(self._entries, parameters)
        return slope, lambda time, state: entries(time, state).reshape(self.dimension, self.dimension)


def _bind_one(function: Any, parameters: Array) -> Function:
    """Return a compiled function of one member as a function of time and state."""
    constants = {"pars": np.ascontiguousarray(parameters[: function.nparams])} if function.nparams else {}

    def call(time: float, state: Array) -> Array:
        clock = {"time": float(time)} if function.is_time_dependent else {}
        return np.array(function(np.ascontiguousarray(state, dtype=np.float64), **constants, **clock))

    return call
