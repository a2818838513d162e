"""A system as a function from parameters and initial values to its states, with exact derivatives.

The derivatives of the states obey the variational equations, which are integrated with the system.
Source: Dickinson and Gelinas (1976), J. Comput. Phys. 21, 123-143, eq. 3.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import heyoka as hy
import numpy as np
from numpy.typing import NDArray
from scipy.integrate import BDF, Radau, odeint

from phaseflow.dynamics.fields import make_field
from phaseflow.settings.systems import System

Array = NDArray[np.float64]

_COMPACT_DIMENSION = 30
_IMPLICIT: dict[str, Any] = {"BDF": BDF, "Radau": Radau}


@dataclass(frozen=True)
class Accuracy:
    """How a system is integrated: taylor, or for stiff systems LSODA, BDF or Radau.

    Attributes
    ----------
    tolerance, absolute : the error allowed in one step, relative to the state and besides; taylor has the first only.
    max_steps : a run that needs more has failed.
    """

    method: str
    tolerance: float
    absolute: float
    max_steps: int


class Flow:
    """The states of a system at given times, and their derivatives.

    Parameters
    ----------
    active : the parameters by which the states are differentiated.
    seeds : the states by whose initial values they are, after the parameters.
    """

    def __init__(self, system: System, active: Sequence[str], seeds: Sequence[str], accuracy: Accuracy) -> None:
        self.field = make_field(system)
        self.accuracy = accuracy
        self.dimension = len(self.field.states)
        self.active = [self.field.parameters.index(name) for name in active]
        self.seeds = [self.field.states.index(state) for state in seeds]
        self.n_arguments = len(self.active) + len(self.seeds)
        self._integrate = self._integrate_taylor if accuracy.method == "taylor" else self._integrate_stiff

    def predict(self, values: Array, initial: Array, times: Array) -> Array:
        """Return the states, shape (n_times, dimension), NaN throughout where the integration fails.

        Parameters
        ----------
        values : the value of every parameter; initial : the state at times[0]; times : increasing.
        """
        return self._integrate(self._start(initial, 0), values, times)

    def differentiate(self, values: Array, initial: Array, times: Array) -> tuple[Array, Array]:
        """Return the states and their derivatives, shape (n_times, dimension, n_arguments)."""
        if not self.n_arguments:
            return self.predict(values, initial, times), np.zeros((len(times), self.dimension, 0))
        samples = self._integrate(self._start(initial, self.n_arguments), values, times)
        n = self.dimension
        return samples[:, :n], samples[:, n:].reshape(len(times), n, self.n_arguments)

    def _start(self, initial: Array, n_arguments: int) -> Array:
        """Return the states and their derivatives at the start: by its own initial value each state's is 1."""
        slopes = np.zeros((self.dimension, n_arguments))
        if n_arguments:
            slopes[self.seeds, np.arange(len(self.active), n_arguments)] = 1
        return np.concatenate([initial, slopes.ravel()])

    @cached_property
    def _variational(self) -> Any:
        arguments = [*(hy.par[place] for place in self.active), *(self.field.equations[place][0] for place in self.seeds)]
        return hy.var_ode_sys(self.field.equations, args=arguments, order=1)

    # -- Taylor's method

    @cached_property
    def _plain_taylor(self) -> Any:
        return self._compile_taylor(self.field.equations, self.dimension)

    @cached_property
    def _variational_taylor(self) -> Any:
        return self._compile_taylor(self._variational, self.dimension * (1 + self.n_arguments))

    def _compile_taylor(self, equations: Any, size: int) -> Any:
        options = {"tol": self.accuracy.tolerance, "compact_mode": size > _COMPACT_DIMENSION}
        return hy.taylor_adaptive(equations, state=np.zeros(self.dimension), **options)

    def _integrate_taylor(self, start: Array, values: Array, times: Array) -> Array:
        integrator = self._plain_taylor if len(start) == self.dimension else self._variational_taylor
        failed = np.full((len(times), len(start)), np.nan)
        if not np.isfinite(start).all() or not np.isfinite(values).all():
            return failed
        integrator.time = times[0]
        integrator.pars[:] = values[: len(integrator.pars)]
        integrator.state[:] = start
        if len(times) == 1:
            return start[None].copy()
        outcome, *_, found = integrator.propagate_grid(times, max_steps=self.accuracy.max_steps)
        return np.array(found) if outcome == hy.taylor_outcome.time_limit else failed

    # -- scipy's methods for stiff systems

    @cached_property
    def _plain_stiff(self) -> _StiffField:
        return _StiffField(self.field.equations, self.field.equations, 0)

    @cached_property
    def _variational_stiff(self) -> _StiffField:
        return _StiffField(self.field.equations, list(self._variational.sys), self.n_arguments)

    def _integrate_stiff(self, start: Array, values: Array, times: Array) -> Array:
        n, n_arguments = self.dimension, len(start) // self.dimension - 1
        field = self._variational_stiff if n_arguments else self._plain_stiff
        failed = np.full((len(times), len(start)), np.nan)
        if not np.isfinite(start).all() or not np.isfinite(values).all():
            return failed
        if len(times) == 1:
            return start[None].copy()
        # The absolute error of a derivative by a parameter is that of the state for a relative change of the parameter.
        units = np.abs(np.concatenate([values[self.active], start[self.seeds]]))[:n_arguments]
        absolute = self.accuracy.absolute / np.concatenate([np.ones(n), np.repeat(np.where(units > 0, units, 1.0), n)])
        run = _run_lsoda if self.accuracy.method == "LSODA" else _run_steps
        with np.errstate(all="ignore"):
            found: Array | None = run(field.bind(values), field.sort(start), times, self.accuracy, absolute)
        return failed if found is None else field.restore(found)


@dataclass(frozen=True)
class _Bound:
    """The equations with their parameters' values; `dimension` is that of the system without its derivatives."""

    slope: Callable[[float, Array], Array]
    block: Callable[[float, Array], Array]
    dimension: int


class _StiffField:
    """The equations of a system and of its derivatives, argument by argument, so that their Jacobian is made of equal blocks.

    Careful: what is left out, the derivatives of the variational equations by the states, slows the methods' own Newton
    iteration at worst; what they converge to does not change.
    """

    def __init__(self, plain: Any, equations: Any, n_arguments: int) -> None:
        n = len(plain)
        self.dimension, self.n_arguments = n, n_arguments
        self._order = np.array([*range(n), *(n + state * n_arguments + k for k in range(n_arguments) for state in range(n))])
        chosen = [equations[place] for place in self._order]
        entries = [hy.diff(slope, variable) for _, slope in plain for variable, _ in plain]
        is_large = n * (1 + n_arguments) > _COMPACT_DIMENSION
        self._slope = hy.cfunc([slope for _, slope in chosen], vars=[variable for variable, _ in chosen], compact_mode=is_large)
        self._entries = hy.cfunc(entries, vars=[variable for variable, _ in plain], compact_mode=n > _COMPACT_DIMENSION // 3)

    def sort(self, start: Array) -> Array:
        """Return a state in the order of the equations here."""
        ordered: Array = start[self._order]
        return ordered

    def restore(self, samples: Array) -> Array:
        """Return samples in the order that they came in."""
        restored = np.empty_like(samples)
        restored[:, self._order] = samples
        return restored

    def bind(self, values: Array) -> _Bound:
        """Return the equations of one set of parameters."""

        def bind_one(function: Any) -> Callable[[float, Array], Array]:
            fixed = {"pars": np.ascontiguousarray(values[: function.nparams])} if function.nparams else {}
            if function.is_time_dependent:
                return lambda time, state: function(np.ascontiguousarray(state), **fixed, time=time)
            return lambda _time, state: function(np.ascontiguousarray(state), **fixed)

        n, entries = self.dimension, bind_one(self._entries)
        return _Bound(bind_one(self._slope), lambda time, state: entries(time, state[:n]).reshape(n, n), n)


def _run_lsoda(field: _Bound, start: Array, times: Array, accuracy: Accuracy, absolute: Array) -> Array | None:
    """Integrate by LSODA, with a banded Jacobian; None where it fails.

    Source: Petzold (1983), SIAM J. Sci. Stat. Comput. 4, 136-148.
    """
    n = field.dimension
    rows, columns = np.indices((n, n))
    repeats = len(start) // n

    def find_bands(time: float, state: Array) -> Array:
        bands = np.zeros((2 * n - 1, n))
        bands[rows - columns + n - 1, columns] = field.block(time, state)
        return np.tile(bands, (1, repeats))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # A step beyond the last time could meet what is not asked for, such as the end of a solution.
        options = {"rtol": accuracy.tolerance, "atol": absolute, "tcrit": [times[-1]], "mxstep": accuracy.max_steps, "full_output": True}
        bands = {"ml": n - 1, "mu": n - 1}
        found, report = odeint(field.slope, start, times, Dfun=find_bands, tfirst=True, **bands, **options)
    is_whole = report["message"] == "Integration successful." and np.isfinite(found).all()
    return np.asarray(found) if is_whole else None


def _run_steps(field: _Bound, start: Array, times: Array, accuracy: Accuracy, absolute: Array) -> Array | None:
    """Integrate by an implicit method of scipy, sampled by its own interpolation; None where it fails.

    Source: Hairer and Wanner (1996), Solving Ordinary Differential Equations II, sec. IV.8, V.3.
    """
    n_repeats = len(start) // field.dimension
    options = {"rtol": max(accuracy.tolerance, 2.3e-14), "atol": absolute}
    solver = _IMPLICIT[accuracy.method](
        lambda time, state: np.array(field.slope(time, state)), times[0], start, times[-1],
        jac=lambda time, state: np.kron(np.eye(n_repeats), field.block(time, state)), **options,
    )  # fmt: skip
    samples, place = np.empty((len(times), len(start))), 1
    samples[0] = start
    for _ in range(accuracy.max_steps):
        if solver.status != "running":
            break
        solver.step()
        reached = int(np.searchsorted(times, solver.t, side="right"))
        if reached > place and solver.status != "failed":
            samples[place:reached] = solver.dense_output()(times[place:reached]).T
            place = reached
    is_whole = solver.status == "finished" and np.isfinite(samples).all()
    return samples if is_whole else None
