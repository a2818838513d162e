"""Equilibria: states where a vector field is zero, by damped Newton steps with the exact Jacobian."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from phaseflow.dynamics.fields import Array, CompiledField
from phaseflow.dynamics.spectra import Complex, Spectrum, Stability, find_spectrum, judge_stability

_MOST_STEPS = 80
_MOST_HALVINGS = 30
# The last Newton step, relative to the scale, of a state that counts as found: a simple root ends at rounding, a double one at
# its square root, 1e-8.
_CLOSE = 1e-7
# Two that are nearer than this, relative to the scale, or than their last steps, are one.
_SAME = 1e-6
# What a state may be off by where the Jacobian is singular: the field's rounding error hides a square of this.
_HIDDEN = 1e-8
_ROUNDING = float(np.finfo(float).eps)
# Farther out than this, relative to the scale or to the start, a field that dies away would pass for zero.
_FAR = 1000.0
# Below this, relative to the scale, a state is zero, unless that makes the field larger.
_ZERO = 1e-20

Reason = Literal["found", "driven", "not_finite", "not_converged"]


@dataclass(frozen=True)
class Equilibrium:
    """A state where the field is zero, or why none was found.

    Attributes
    ----------
    state : shape (dimension,); where the search ended if nothing was found.
    residual : the largest absolute time derivative there.
    error : what the state may be off by, from the last Newton step, relative to the scale.
    spectrum : the Jacobian's eigenvalues, by falling real part; without any if nothing was found.
    reason : found, driven (the field depends on time), not_finite, not_converged.
    """

    state: Array
    residual: float
    error: float
    spectrum: Spectrum
    reason: Reason

    @property
    def is_found(self) -> bool:
        """Whether this is an equilibrium."""
        return self.reason == "found"

    @property
    def eigenvalues(self) -> Complex:
        """The Jacobian's eigenvalues, by falling real part."""
        return self.spectrum.values

    @property
    def is_isolated(self) -> bool:
        """Whether no eigenvalue is zero to within its error; else it may be a point of a line of equilibria."""
        return bool((np.abs(self.spectrum.values) > self.spectrum.errors).all())

    @property
    def stability(self) -> Stability:
        """What the eigenvalues say of neighbours; undecided where the leading real part is zero to within its error."""
        return judge_stability(self.spectrum.values.real, self.spectrum.errors)


def find_equilibrium(field: CompiledField, start: Array, parameters: Array, scale: Array | None = None) -> Equilibrium:
    """Find an equilibrium near a state by Newton's method; a step is halved until the field falls.

    Parameters
    ----------
    start : shape (dimension,).
    parameters : shape (n_parameters,).
    scale : shape (dimension,): a typical size of each state, such as its range; by default that of the start, and one for zero.

    Source: Dennis and Schnabel (1996), Numerical Methods for Unconstrained Optimization and Nonlinear Equations, sec. 6.
    """
    scale = np.where(start != 0, np.abs(start), 1.0) if scale is None else scale
    if field.is_driven:
        return _give_up(field, start, parameters, "driven")
    state, error = np.array(start, dtype=np.float64), np.inf
    with np.errstate(all="ignore"):
        slope, jacobian = field(state, parameters)
        for _ in range(_MOST_STEPS):
            if not (np.isfinite(slope).all() and np.isfinite(jacobian).all()):
                return _give_up(field, state, parameters, "not_finite")
            step, left = _solve(jacobian, slope, scale)
            error = max(_measure(step, state, scale), left, _ROUNDING)
            for _ in range(_MOST_HALVINGS):
                trial = state - step
                new_slope, new_jacobian = field(trial, parameters)
                if _norm(new_slope, scale) < _norm(slope, scale):
                    break
                step = step / 2
            else:
                break
            state, slope, jacobian = trial, new_slope, new_jacobian
    if not (error <= _CLOSE and (np.abs(state) <= _FAR * np.maximum(scale, np.abs(start))).all()):
        return _give_up(field, state, parameters, "not_converged")
    return _describe(field, state, parameters, scale, error)


def find_equilibria(field: CompiledField, starts: Iterable[Array], parameters: Array, scale: Array) -> list[Equilibrium]:
    """Find the equilibria that Newton's method reaches from many starts, each once, in the order of their states.

    There may be others: nothing is proven of those that were not found.
    """
    found: list[Equilibrium] = []
    for start in starts:
        new = find_equilibrium(field, start, parameters, scale)
        if new.is_found and not any(_are_same(new, other, scale) for other in found):
            found.append(new)
    return sorted(found, key=lambda equilibrium: tuple(np.round(equilibrium.state / scale, 6)))


def _solve(jacobian: Array, slope: Array, scale: Array) -> tuple[Array, float]:
    """Return the Newton step, the shortest one where the Jacobian is singular, and what is then hidden, relative to the scale."""
    scaled, target = jacobian * scale[None, :] / scale[:, None], slope / scale
    step, _, rank, singular = np.linalg.lstsq(scaled, target, rcond=None)
    if rank == len(target):
        return scale * step, 0.0
    left = float(np.linalg.norm(target - scaled @ step))
    return scale * step, max(_HIDDEN, left / singular[0]) if singular[0] > 0 else _HIDDEN if left == 0 else np.inf


def _norm(slope: Array, scale: Array) -> float:
    """Return the size of a slope; infinite where it is not a number."""
    size = float(np.linalg.norm(slope / scale))
    return size if np.isfinite(size) else np.inf


def _measure(step: Array, state: Array, scale: Array) -> float:
    """Return the size of a step relative to the scale, or to the state where that is larger."""
    return float((np.abs(step) / np.maximum(scale, np.abs(state))).max())


def _are_same(one: Equilibrium, other: Equilibrium, scale: Array) -> bool:
    near = max(_SAME, 10 * one.error, 10 * other.error)
    return _measure(one.state - other.state, one.state, scale) <= near


def _describe(field: CompiledField, state: Array, parameters: Array, scale: Array, error: float) -> Equilibrium:
    state = _snap(field, state, parameters, scale)
    slope, jacobian = field(state, parameters)
    # What the Jacobian changes by over the last step, in every direction.
    moved = [field(state + sign * error * np.maximum(scale, np.abs(state)), parameters)[1] for sign in (-1.0, 1.0)]
    uncertainty = max(float(np.linalg.norm(there - jacobian, 2)) for there in moved)
    return Equilibrium(state, float(np.abs(slope).max()), error, find_spectrum(jacobian, uncertainty, "real"), "found")


def _snap(field: CompiledField, state: Array, parameters: Array, scale: Array) -> Array:
    """Return the state with what is as good as zero made zero, unless that makes the field larger."""
    snapped: Array = np.where(np.abs(state) < _ZERO * scale, 0.0, state)
    return snapped if _norm(field(snapped, parameters)[0], scale) <= _norm(field(state, parameters)[0], scale) else state


def _give_up(field: CompiledField, state: Array, parameters: Array, reason: Reason) -> Equilibrium:
    slope, _ = field(state, parameters)
    return Equilibrium(state, float(np.abs(slope).max()), np.inf, Spectrum(np.empty(0, dtype=np.complex128), np.empty(0)), reason)
