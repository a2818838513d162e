"""Periodic orbits: Newton's method for a state and a period, with the variational equations.

What is sought is a state x and a period T with flow(x, T) = x. A step also keeps to the plane through x across the flow, since
every point of the orbit would do; the eigenvalues of the derivative of flow(x, T) are the Floquet multipliers, one of them 1.

Source: Lust (2001), Int. J. Bifurcation Chaos 11, 2389-2410, sec. 2, for the bordered system by single shooting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from phaseflow.dynamics.fields import Array
from phaseflow.dynamics.spectra import Complex, Spectrum, Stability, find_spectrum, judge_stability
from phaseflow.dynamics.variational import Flow, Passage

_MOST_STEPS = 60
_MOST_HALVINGS = 12
# Where the orbit misses its start by less than this, relative to its size, rounding decides whether a step helps: it is not halved.
_ROUNDED = 1e-13
# No step moves the state by more than the orbit's size, nor the period by more than this part of it.
_LARGEST_CHANGE = 0.3
# An orbit that closes because its period vanishes is none.
_SHORTEST = 0.01
# An orbit that is this small, relative to the first one or to the state itself, has shrunk to an equilibrium.
_POINT = 1e-7
# How many samples measure an orbit's size.
_SAMPLES = 257
# Which parts of a period are tried as the minimal one, and how near the orbit must return there, relative to its size.
_MOST_TURNS = 30
_RETURN = 1e-6
# Directions in which an orbit has neighbours of its own kind, relative to the largest: there no step is taken.
_SINGULAR = 1e-10
# How closely a driven field must repeat itself.
_REPEAT = 1e-9
# The first guess of the period is improved by zooming in on the closest return, on so many points at a time.
_MOST_ZOOMS = 30
_ZOOM = 9

Reason = Literal["found", "equilibrium", "not_converged", "not_finite", "other_period"]


@dataclass(frozen=True)
class Cycle:
    """A periodic orbit, or why none was found.

    Attributes
    ----------
    state : shape (dimension,): a point of the orbit; where the search ended if nothing was found.
    period : the minimal one, of its fractions up to a thirtieth.
    size : the largest range of a state along the orbit.
    divergence : the mean divergence of the field along the orbit.
    residual : by how much the orbit misses its start after a period, relative to its size.
    spectrum : the Floquet multipliers by falling modulus; without any if nothing was found.
    unit_error : by how much one of them misses 1; NaN for driven systems, where none must be 1.
    reason : found, equilibrium (the search fell on one), not_converged, not_finite, other_period (of a driven system: the
        field itself has not the period given).
    """

    state: Array
    period: float
    size: float
    divergence: float
    residual: float
    spectrum: Spectrum
    unit_error: float
    reason: Reason

    @property
    def is_found(self) -> bool:
        """Whether this is a periodic orbit."""
        return self.reason == "found"

    @property
    def multipliers(self) -> Complex:
        """The Floquet multipliers by falling modulus, the unit one among them."""
        return self.spectrum.values

    @property
    def others(self) -> Spectrum:
        """The multipliers beside the unit one."""
        if np.isnan(self.unit_error):
            return self.spectrum
        unit = int(np.abs(self.spectrum.values - 1).argmin())
        return Spectrum(np.delete(self.spectrum.values, unit), np.delete(self.spectrum.errors, unit))

    @property
    def stability(self) -> Stability:
        """What the multipliers say of neighbours, the unit one aside."""
        return judge_stability(np.abs(self.others.values) - 1, self.others.errors)


def find_cycle(flow: Flow, start: Array, period: float, parameters: Array, tolerance: float = 1e-10, time: float = 0.0) -> Cycle:
    """Find the periodic orbit near a state and a guess of its period.

    Where the field depends on time the period is that of the drive, or a multiple of it: it is kept as given.

    Parameters
    ----------
    start : shape (dimension,).
    tolerance : by how much the orbit may miss its start after a period, relative to its size.
    time : the time at which the start holds; it matters to driven systems alone.
    """
    search = _Search(flow, parameters, tolerance, time)
    found = search.run(np.array(start, dtype=np.float64), float(period))
    if not found.is_found:
        return found
    for turns in range(_MOST_TURNS, 1, -1):
        shorter = search.shorten(found, turns)
        if shorter is not None:
            return shorter
    return found


def polish_cycle(flow: Flow, start: Array, period: float, parameters: Array, tolerance: float = 1e-10) -> Cycle:
    """Find the periodic orbit of an autonomous field through a state that lies on it as near as can be told, of a known minimal period."""
    return _Search(flow, parameters, tolerance, 0.0).run(start, period, is_known=True)


class _Search:
    """Newton's method for one member."""

    def __init__(self, flow: Flow, parameters: Array, tolerance: float, time: float) -> None:
        self.flow, self.parameters, self.tolerance, self.time = flow, parameters, tolerance, time

    def run(self, state: Array, period: float, is_known: bool = False) -> Cycle:
        """Take Newton steps until they no longer make the orbit miss its start by less; first improve a period that is not known."""
        if not period > 0:
            return self._give_up(state, period, "not_converged")
        ranges = self._measure(state, period)
        if ranges is None:
            return self._give_up(state, period, "not_finite")
        scale, first = _find_scale(ranges), float(ranges.max())
        if self.flow.is_driven and not self._is_drive(state, period):
            return self._give_up(state, period, "other_period")
        if not (self.flow.is_driven or is_known):
            period = self._find_return(state, period, scale)
        reached = self.flow.run(state, self.parameters, period, self.time)
        shortest = _SHORTEST * period
        for _ in range(_MOST_STEPS):
            if reached is None:
                return self._give_up(state, period, "not_finite")
            if period < shortest:
                return self._give_up(state, period, "not_converged")
            if self._is_point(state, period, first):
                return self._give_up(state, period, "equilibrium")
            step = self._solve(state, period, reached, scale)
            better = self._try_steps(state, period, reached.state - state, step, scale)
            if better is None:
                break
            state, period, reached = better
        return self._judge(state, period, first)

    def shorten(self, found: Cycle, turns: int) -> Cycle | None:
        """Return the cycle with a whole part of the period, if the orbit returns there already."""
        part = found.period / turns
        samples = self.flow.sample(found.state, self.parameters, self.time + np.array([0.0, part]))
        if samples is None or np.abs(samples[1] - found.state).max() > _RETURN * found.size:
            return None
        shorter = self.run(found.state, part)
        is_same = shorter.is_found and np.abs(shorter.state - found.state).max() <= _RETURN * found.size
        return shorter if is_same and abs(shorter.period - part) <= _RETURN * part else None

    def _measure(self, state: Array, period: float) -> Array | None:
        """Return the range of each state along the orbit."""
        samples = self.flow.sample(state, self.parameters, self.time + np.linspace(0, period, _SAMPLES))
        return None if samples is None else np.ptp(samples, axis=0)

    def _is_point(self, state: Array, period: float, first: float) -> bool:
        """Tell whether the orbit has shrunk to an equilibrium."""
        ranges = self._measure(state, period)
        return ranges is not None and float(ranges.max()) <= _POINT * max(first, float(np.abs(state).max()))

    def _is_drive(self, state: Array, period: float) -> bool:
        """Tell whether the field and its Jacobian at the state repeat themselves after the period."""
        times = self.time + period * np.linspace(0, 1, _SAMPLES)
        now, then = (
            np.array([np.hstack([part.ravel() for part in self._find_field(state, time + lag)]) for time in times]) for lag in (0.0, period)
        )
        return bool(np.abs(now - then).max() <= _REPEAT * np.abs(now).max())

    def _find_field(self, state: Array, time: float) -> tuple[Array, Array]:
        return self.flow.field(state, self.parameters, time)

    def _find_return(self, state: Array, period: float, scale: Array) -> float:
        """Return the time near a period at which the orbit comes nearest to its start."""
        times = np.concatenate([[0.0], period * np.linspace(1 - _LARGEST_CHANGE, 1 + _LARGEST_CHANGE, _SAMPLES)])
        for _ in range(_MOST_ZOOMS):
            samples = self.flow.sample(state, self.parameters, self.time + times)
            if samples is None:
                return period
            distances = np.linalg.norm((samples[1:] - state) / scale, axis=1)
            nearest = 1 + int(distances.argmin())
            low, high = times[max(nearest - 1, 1)], times[min(nearest + 1, len(times) - 1)]
            if high - low <= 32 * np.finfo(float).eps * times[nearest]:
                break
            times = np.concatenate([[0.0], np.linspace(low, high, _ZOOM)])
        return float(times[nearest])

    def _solve(self, state: Array, period: float, reached: Passage, scale: Array) -> tuple[Array, float]:
        """Return the Newton step of the state and of the period; the shortest where orbits come in families."""
        d = self.flow.dimension
        matrix = (reached.derivative - np.eye(d)) * scale[None, :] / scale[:, None]
        target = -(reached.state - state) / scale
        if not self.flow.is_driven:
            here, there = (self._find_field(point, self.time)[0] / scale for point in (state, reached.state))
            size = float(np.linalg.norm(here)) or 1.0
            matrix = np.block([[matrix, period * there[:, None]], [here[None, :] / size, np.zeros((1, 1))]])
            target = np.append(target, 0.0)
        step = np.linalg.lstsq(matrix, target, rcond=_SINGULAR)[0]
        step *= min(1.0, _LARGEST_CHANGE / max(float(np.abs(step).max()), np.finfo(float).tiny))
        return scale * step[:d], 0.0 if self.flow.is_driven else period * float(step[d])

    def _try_steps(
        self, state: Array, period: float, missed: Array, step: tuple[Array, float], scale: Array
    ) -> tuple[Array, float, Passage] | None:
        """Return the state, the period and what is reached after the longest step that helps, halved again and again."""
        change, lengthening = step
        miss = float(np.linalg.norm(missed / scale))
        for _ in range(_MOST_HALVINGS if miss > _ROUNDED else 1):
            trial = state + change, period + lengthening
            reached = self.flow.run(trial[0], self.parameters, trial[1], self.time)
            if reached is not None and np.linalg.norm((reached.state - trial[0]) / scale) < miss:
                return *trial, reached
            change, lengthening = change / 2, lengthening / 2
        return None

    def _judge(self, state: Array, period: float, first: float) -> Cycle:
        """Describe what the search ended at."""
        ranges, reached = self._measure(state, period), self.flow.run(state, self.parameters, period, self.time)
        if ranges is None or reached is None:
            return self._give_up(state, period, "not_finite")
        size = float(ranges.max())
        if self._is_point(state, period, first):
            return self._give_up(state, period, "equilibrium")
        residual = float(np.abs(reached.state - state).max()) / size
        if not residual <= self.tolerance:
            return Cycle(state, period, size, np.nan, residual, _NOTHING, np.nan, "not_converged")
        spectrum, unit_error = self._find_multipliers(reached.derivative, residual)
        return Cycle(state, period, size, reached.divergence / period, residual, spectrum, unit_error, "found")

    def _find_multipliers(self, monodromy: Array, residual: float) -> tuple[Spectrum, float]:
        """Return the multipliers; the one that must be 1 shows by how much the matrix may be off."""
        norm = float(np.linalg.norm(monodromy, 2))
        spectrum = find_spectrum(monodromy, residual * norm, "modulus")
        if self.flow.is_driven:
            return spectrum, np.nan
        distances = np.abs(spectrum.values - 1)
        unit = int(distances.argmin())
        expected = max(float(spectrum.errors[unit]), np.finfo(float).tiny)
        excess = max(1.0, float(distances[unit]) / expected)
        return Spectrum(spectrum.values, spectrum.errors * excess), float(distances[unit])

    def _give_up(self, state: Array, period: float, reason: Reason) -> Cycle:
        return Cycle(state, period, np.nan, np.nan, np.nan, _NOTHING, np.nan, reason)


_NOTHING = Spectrum(np.empty(0, dtype=np.complex128), np.empty(0))


def _find_scale(ranges: Array) -> Array:
    """Return a typical size of each state; one that stands still gets a thousandth of the largest."""
    largest = float(ranges.max())
    return np.maximum(ranges, 1e-3 * largest) if largest > 0 else np.ones_like(ranges)
