"""A system as a function from parameters and initial values to what is observed of it, with exact derivatives.

The derivatives of the states obey the variational equations, which are integrated with the system.
Source: Dickinson and Gelinas (1976), J. Comput. Phys. 21, 123-143, eq. 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import heyoka as hy
import numpy as np
from numpy.typing import NDArray

from phaseflow.dynamics.fields import make_field
from phaseflow.expressions.quantity import Expression
from phaseflow.settings.systems import System

Array = NDArray[np.float64]

_COMPACT_DIMENSION = 30


class Forward:
    """What is observed of a system, as a function of the values sought.

    Parameters
    ----------
    parameters, initial : the names of the parameters and of the states whose initial values are sought; a point lists
        the first, then the second. The others have the system's own values.
    observe : expressions of the states.
    start : the time at which the initial values hold.
    """

    def __init__(
        self,
        system: System,
        parameters: Sequence[str],
        initial: Sequence[str],
        observe: Mapping[str, Expression],
        start: float,
        tolerance: float,
        max_steps: int,
    ) -> None:
        self.field = make_field(system)
        self.start, self.tolerance, self.max_steps = start, tolerance, max_steps
        self._values = np.array([system.parameters[name].value for name in self.field.parameters])
        self._initial = np.array([system.initial[state].value for state in self.field.states])
        self._sought = [self.field.parameters.index(name) for name in parameters]
        self._sought_states = [self.field.states.index(state) for state in initial]
        self.n_sought = len(self._sought) + len(self._sought_states)
        states = [variable for variable, _ in self.field.equations]
        observed = [self.field.translate(formula) for formula in observe.values()]
        slopes = [hy.diff(expression, state) for expression in observed for state in states]
        self.n_observed = len(observed)
        self._observe = hy.cfunc([*observed, *slopes], vars=states)

    def predict(self, point: Array, times: Array) -> Array:
        """Return what is observed at increasing times, shape (n_times, n_observed); NaN where the integration failed."""
        return self._look(self._integrate(self._plain, point, times))[0]

    def differentiate(self, point: Array, times: Array) -> tuple[Array, Array]:
        """Return what is observed and its derivatives by the values sought, shape (n_times, n_observed, n_sought)."""
        n = len(self._initial)
        samples = self._integrate(self._variational, point, times)
        observed, slopes = self._look(samples[:, :n])
        return observed, slopes @ samples[:, n:].reshape(len(times), n, self.n_sought)

    @cached_property
    def _plain(self) -> Any:
        return self._compile(self.field.equations)

    @cached_property
    def _variational(self) -> Any:
        by_parameters = [hy.par[place] for place in self._sought]
        by_states = [self.field.equations[place][0] for place in self._sought_states]
        return self._compile(hy.var_ode_sys(self.field.equations, args=[*by_parameters, *by_states], order=1))

    def _compile(self, equations: Any) -> Any:
        size = len(self._initial) * (1 + self.n_sought)
        return hy.taylor_adaptive(equations, state=self._initial, tol=self.tolerance, compact_mode=size > _COMPACT_DIMENSION)

    def _integrate(self, integrator: Any, point: Array, times: Array) -> Array:
        """Return the integrator's state at each time, NaN throughout where it did not reach the last one."""
        n, n_parameters = len(self._initial), len(self._sought)
        values, initial = self._values.copy(), self._initial.copy()
        values[self._sought], initial[self._sought_states] = point[:n_parameters], point[n_parameters:]
        integrator.time = self.start
        integrator.pars[:] = values
        integrator.state[:n] = initial
        integrator.state[n:] = 0
        for place, state in enumerate(self._sought_states):
            if len(integrator.state) > n:
                integrator.state[n + state * self.n_sought + n_parameters + place] = 1
        samples = np.full((len(times), len(integrator.state)), np.nan)
        is_first = times[0] == self.start
        grid = times if is_first else np.concatenate([[self.start], times])
        if not np.isfinite(integrator.state).all() or not np.isfinite(values).all():
            return samples
        outcome, *_, found = integrator.propagate_grid(grid, max_steps=self.max_steps)
        return np.array(found)[len(grid) - len(times) :] if outcome == hy.taylor_outcome.time_limit else samples

    def _look(self, states: Array) -> tuple[Array, Array]:
        """Return what is observed of states, and its derivatives by them, shape (n_times, n_observed, n_states)."""
        found = np.array(self._observe(np.ascontiguousarray(states.T)))
        slopes = found[self.n_observed :].reshape(self.n_observed, states.shape[1], len(states))
        return found[: self.n_observed].T, np.moveaxis(slopes, 2, 0)
