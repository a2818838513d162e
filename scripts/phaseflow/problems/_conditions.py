"""The conditions of a problem, compiled with exact Jacobians, and how nearly a point satisfies the KKT conditions under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import heyoka as hy
import numpy as np
import optimagic
import scipy.optimize
from numpy.typing import NDArray

from phaseflow.expressions.compiled import to_heyoka
from phaseflow.expressions.condition import Condition

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Multipliers:
    """The multipliers that satisfy the KKT conditions at a point most nearly, in the sense of least squares.

    Attributes
    ----------
    conditions : shape (n_conditions,); those of inequalities are zero or more.
    slopes : shape (n_variables,), the slopes of the Lagrangian: what bounds on variables have to hold.
    residual : the largest part of what is left: of slopes that no bound holds, and of multipliers times slack.
    """

    conditions: Array
    slopes: Array
    residual: float


class Conditions:
    """Slacks with their Jacobian: zero or more where a condition holds, zero where it is an equation."""

    def __init__(self, stated: Sequence[Condition], variables: Mapping[str, Any], tolerance: float) -> None:
        self.tolerance = tolerance
        self._variables = list(variables.values())
        self._slacks = [to_heyoka(condition.slack, variables) for condition in stated]
        self.is_equation = np.array([condition.is_equation for condition in stated], dtype=bool)

    def __len__(self) -> int:
        return len(self._slacks)

    @cached_property
    def _compiled(self) -> tuple[Any, Any]:
        slopes = [hy.diff(slack, variable) for slack in self._slacks for variable in self._variables]
        return hy.cfunc(self._slacks, vars=self._variables), hy.cfunc(slopes, vars=self._variables)

    def find_slacks(self, point: Array) -> Array:
        """Return the slacks at a point, shape (n_conditions,)."""
        return np.array(self._compiled[0](np.asarray(point, dtype=np.float64))) if self._slacks else np.empty(0)

    def find_jacobian(self, point: Array) -> Array:
        """Return the exact derivatives of the slacks, shape (n_conditions, n_variables)."""
        shape = (len(self._slacks), len(self._variables))
        return np.array(self._compiled[1](np.asarray(point, dtype=np.float64))).reshape(shape) if self._slacks else np.empty(shape)

    def list_for_optimagic(self) -> list[Any]:
        """Return the conditions as optimagic takes them: the inequalities together, and the equations."""
        groups = {"lower_bound": np.flatnonzero(~self.is_equation), "value": np.flatnonzero(self.is_equation)}
        return [self._state_group(side, chosen) for side, chosen in groups.items() if len(chosen)]

    def _state_group(self, side: str, chosen: NDArray[np.intp]) -> Any:
        return optimagic.NonlinearConstraint(
            func=lambda point: self.find_slacks(point)[chosen],
            derivative=lambda point: self.find_jacobian(point)[chosen],
            tol=self.tolerance,
            **{side: np.zeros(len(chosen))},
        )

    def measure_violation(self, point: Array) -> float:
        """Return by how much the worst condition is violated; 0 where all hold."""
        slacks = self.find_slacks(point)
        broken = np.where(self.is_equation, np.abs(slacks), np.maximum(-slacks, 0))
        return float(broken.max(initial=0.0))

    def find_multipliers(self, point: Array, gradient: Array, lower: Array, upper: Array) -> Multipliers:
        """Return the multipliers of conditions and bounds that satisfy the KKT conditions most nearly.

        Source: Nocedal and Wright (2006), Numerical Optimization, eq. 12.34; Lawson and Hanson (1974), Solving Least Squares Problems,
        ch. 23, for the signs.
        """
        slacks, jacobian = self.find_slacks(point), self.find_jacobian(point)
        if not all(np.isfinite(part).all() for part in (gradient, jacobian, slacks)):
            return Multipliers(np.zeros(len(slacks)), gradient, np.nan)
        bounds, left = _list_bounds(point, lower, upper)
        # An equation's multiplier has either sign: it is the difference of two. Multipliers times what is left to go are to be zero.
        columns = np.hstack([jacobian.T, -jacobian[self.is_equation].T, bounds])
        idle = np.concatenate([np.where(self.is_equation, 0.0, slacks), np.zeros(int(self.is_equation.sum())), left])
        stacked, wanted = np.vstack([columns, np.diag(idle)]), np.concatenate([gradient, np.zeros(len(idle))])
        # Careful: nnls ends the process where there are no columns.
        found = scipy.optimize.nnls(stacked, wanted)[0] if len(idle) else idle
        multipliers = found[: len(slacks)].copy()
        multipliers[self.is_equation] -= found[len(slacks) : len(slacks) + int(self.is_equation.sum())]
        residual = float(np.abs(stacked @ found - wanted).max())
        return Multipliers(multipliers, gradient - jacobian.T @ multipliers, residual)


def _list_bounds(point: Array, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Return the slopes of what is left to each finite bound, as columns, and what is left."""
    identity = np.eye(len(point))
    columns = [identity[:, np.isfinite(lower)], -identity[:, np.isfinite(upper)]]
    left = [(point - lower)[np.isfinite(lower)], (upper - point)[np.isfinite(upper)]]
    return np.hstack(columns), np.concatenate(left)
