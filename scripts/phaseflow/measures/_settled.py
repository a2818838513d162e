"""Trajectories that have settled: Lyapunov exponents from what they have settled on.

At a stable fixed point the exponents are the real parts of the Jacobian's eigenvalues, on a stable cycle the logarithms of the
Floquet multipliers' moduli over the period. A member counts as settled where Newton's method from its last state moves by next to
nothing, where what it finds is stable, and where the averages along the trajectory agree within their errors.

Source: Guckenheimer and Holmes (1983), Nonlinear Oscillations, sec. 1.5, for multipliers; Haken (1983), Phys. Lett. A 94, 71-72, for
the exponent along the flow.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from phaseflow.dynamics.cycles import Cycle, polish_cycle
from phaseflow.dynamics.equilibria import find_equilibrium
from phaseflow.dynamics.fields import Array, CompiledField, Field
from phaseflow.dynamics.variational import Flow, Returns

# How far Newton's method may move the last state, relative to the size of the trajectory or the orbit.
_NEAR = 1e-6
# How far the averages may differ from the exponents found, in their errors and relative to the largest exponent.
_ERRORS, _ALLOWED = 4.0, 1e-6
# A multiplier that is not known this well is lost in the rounding of the largest; an exponent that is known this well is not left to
# the divergence.
_RESOLVED, _WELL_KNOWN = 1e-3, 1e-10


class Exponents(NamedTuple):
    """Lyapunov exponents of one member.

    Attributes
    ----------
    rates, errors : shape (count,), in falling order, each rate with its error.
    trace_error : by how much the sum of all misses the mean divergence; NaN where it is not known.
    origin : average, fixed_point or cycle.
    """

    rates: Array
    errors: Array
    trace_error: float
    origin: str


class Settling:
    """What trajectories of one system settle on."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._compiled = CompiledField(field)

    @cached_property
    def _flow(self) -> Flow:
        return Flow(self._field)

    @cached_property
    def _returns(self) -> Returns:
        return Returns(self._field)

    def improve(self, average: Exponents, initial: Array, end: Array, parameters: Array, span: float) -> Exponents:
        """Return the exponents of what a member has settled on, or the averages where it has not.

        Parameters
        ----------
        initial, end : shape (dimension,): the member's first and last state.
        span : for how long a cycle is sought.
        """
        if self._compiled.is_driven or average.rates[0] > self._allow(average)[0]:
            return average
        with np.errstate(all="ignore"):
            found = self._find_fixed_point(initial, end, parameters, average) or self._find_cycle(end, parameters, average, span)
        return found if found is not None and self._agree(found, average) else average

    def _allow(self, average: Exponents) -> Array:
        """Return by how much averages may be off."""
        allowed: Array = _ERRORS * average.errors + _ALLOWED * np.abs(average.rates).max()
        return allowed

    def _agree(self, found: Exponents, average: Exponents) -> bool:
        return bool((np.abs(found.rates - average.rates) <= self._allow(average) + found.errors).all())

    def _find_fixed_point(self, initial: Array, end: Array, parameters: Array, average: Exponents) -> Exponents | None:
        """Return the exponents of the stable fixed point that the member has reached, if any."""
        size = np.maximum(np.abs(initial), np.abs(end))
        scale = np.where(size > 0, size, size.max() or 1.0)
        slope, jacobian = self._compiled(end, parameters)
        # Newton's first step is at least as long as the slope over the norm of the Jacobian.
        if np.linalg.norm(slope / scale) > _NEAR * np.sqrt(len(end)) * np.linalg.norm(jacobian * scale[None, :] / scale[:, None]):
            return None
        point = find_equilibrium(self._compiled, end, parameters, scale)
        if not (point.is_found and point.stability == "stable" and (np.abs(point.state - end) <= _NEAR * scale).all()):
            return None
        real, n = point.eigenvalues.real, len(average.rates)
        trace = float(np.trace(self._compiled(point.state, parameters)[1]))
        return Exponents(real[:n], point.spectrum.errors[:n], abs(float(real.sum()) - trace), "fixed_point")

    def _find_cycle(self, end: Array, parameters: Array, average: Exponents, span: float) -> Exponents | None:
        """Return the exponents of the stable cycle that the member has reached, if any."""
        allowed = self._allow(average)
        if abs(average.rates[0]) > allowed[0] or (len(allowed) > 1 and average.rates[1] >= -allowed[1]):
            return None
        slope = self._compiled(end, parameters)[0]
        period = self._returns.find(end, slope, parameters, span, _NEAR) if slope.any() else None
        if period is None:
            return None
        cycle = polish_cycle(self._flow, end, period, parameters)
        is_near = cycle.is_found and np.abs(cycle.state - end).max() <= _NEAR * cycle.size
        return _read_multipliers(cycle, average) if is_near and cycle.stability == "stable" else None


def _read_multipliers(cycle: Cycle, average: Exponents) -> Exponents:
    """Return a cycle's exponents; where multipliers are lost in rounding, what the others leave of the divergence, or averages."""
    moduli, uncertain, n = np.abs(cycle.multipliers), cycle.spectrum.errors, len(average.rates)
    rates, errors = np.log(moduli) / cycle.period, uncertain / moduli / cycle.period
    unit = int(np.abs(cycle.multipliers - 1).argmin())
    rates[unit], errors[unit] = 0.0, cycle.unit_error / cycle.period
    if n < len(rates):
        return Exponents(rates[:n], errors[:n], np.nan, "cycle")
    lost, worst = np.flatnonzero(~(uncertain <= _RESOLVED * moduli)), int(errors.argmax())
    if len(lost) > 1:
        rates[lost], errors[lost] = average.rates[lost], average.errors[lost]
    elif not errors[worst] <= _WELL_KNOWN:
        kept = np.delete(np.arange(n), worst)
        doubt = (cycle.residual + np.finfo(float).eps) * abs(cycle.divergence)
        rates[worst], errors[worst] = cycle.divergence - rates[kept].sum(), errors[kept].sum() + doubt
        return Exponents(rates, errors, average.trace_error, "cycle")
    trace_error = abs(float(rates.sum()) - cycle.divergence)
    errors[worst] = max(float(errors[worst]), trace_error)
    return Exponents(rates, errors, trace_error, "cycle")
