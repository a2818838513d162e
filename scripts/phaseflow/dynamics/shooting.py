"""Multiple shooting with a node at every sample: a trajectory, and the coefficients of the equations that it obeys.

y_k = x_k + noise and x_{k+1} = F(x_k, c), where F integrates x' = sum_j c_j f_j(x) over one step. All x_k and c are sought together by
Gauss and Newton's method with the steps as constraints, so no error grows along a chaotic record; each iteration solves one banded
system. The noise has a size of its own in each state, which is that of the residuals.

Source: Bock (1983), Recent advances in parameter identification techniques for O.D.E., in Numerical Treatment of Inverse Problems in
Differential and Integral Equations, Birkhaeuser, 95-121; Albersmeyer and Diehl (2010), SIAM J. Optim. 20, 1655-1684 (why many nodes help).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import DOP853
from scipy.linalg import solve_banded

from phaseflow.dynamics.libraries import Features

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Dormand and Prince's method of order 8 (Hairer, Norsett and Wanner 1993, sec. II.10).
_STAGES, _WEIGHTS = DOP853.A[:12, :12], DOP853.B[:12]
# Residuals are not taken for smaller than this share of a state's spread: the integrator is right to less.
SMALLEST = 1e-8
MOST_ITERATIONS = 40
_STEP_ERROR, _MOST_HALVINGS = 1e-9, 6
_TOLERANCE, _MOST_GROWTH, _MOST_SHRINKAGE = 1e-2, 10.0, 100.0
_SCORED_AT_ONCE = 60
# A candidate that the terms already there explain up to this share says nothing new.
_RANK = 1e-10
# How many samples are stepped at once, so that derivatives fit into memory.
_SLAB_ENTRIES = 2_000_000


@dataclass(frozen=True)
class Record:
    """Evenly spaced observations of all states, members one after the other.

    Attributes
    ----------
    values : shape (n_samples, n_states).
    is_last : shape (n_samples,), the last sample of each member.
    """

    values: Array
    is_last: Mask
    dt: float

    @classmethod
    def join(cls, samples: Sequence[Array], dt: float) -> Record:
        """Join the samples of members."""
        ends = np.cumsum([len(sample) for sample in samples]) - 1
        is_last = np.zeros(int(ends[-1]) + 1, dtype=bool)
        is_last[ends] = True
        return cls(np.concatenate(samples), is_last, dt)

    @property
    def spread(self) -> Array:
        """The standard deviation of each state."""
        return np.asarray(self.values.std(axis=0))


@dataclass(frozen=True)
class Shot:
    """A trajectory and the coefficients of the equations that it obeys.

    Attributes
    ----------
    coefficients : shape (n_features, n_states), 0 outside the support.
    states : shape (n_samples, n_states).
    sizes : shape (n_states,), the standard deviation of the residuals of each state, as far as the integrator can tell.
    information : shape (n_free, n_free), on the coefficients that are free, the trajectory profiled out; in the order of the support's
        rows and columns.
    """

    coefficients: Array
    states: Array
    sizes: Array
    information: Array
    is_converged: bool

    @property
    def covariance(self) -> Array:
        """The covariance of the free coefficients."""
        return invert(self.information)

    def find_deviance(self, record: Record) -> float:
        """Return minus twice the logarithm of the likelihood."""
        squares = ((record.values - self.states) ** 2).sum(axis=0)
        return float((len(self.states) * np.log(2 * np.pi * self.sizes**2) + squares / self.sizes**2).sum())


def advance(features: Features, states: Array, coefficients: Array, dt: float, parts: int) -> Array:
    """Return the states one step later, by some equal parts."""
    is_used = (coefficients != 0).any(axis=1)
    features, coefficients = features.select(is_used), coefficients[is_used]
    moved, h = states, dt / parts
    for _ in range(parts):
        slopes = np.empty((len(_WEIGHTS), *states.shape))
        for stage in range(len(_WEIGHTS)):
            inner = moved + h * np.tensordot(_STAGES[stage, :stage], slopes[:stage], axes=1)
            slopes[stage] = features.evaluate(inner) @ coefficients
        moved = moved + h * np.tensordot(_WEIGHTS, slopes, axes=1)
    return moved


def count_parts(features: Features, record: Record, coefficients: Array) -> int:
    """Return into how many parts the time between two samples is divided, so that twice as many move no state noticeably."""
    parts = 1
    with np.errstate(all="ignore"):
        coarse = advance(features, record.values, coefficients, record.dt, parts)
        for _ in range(_MOST_HALVINGS):
            fine = advance(features, record.values, coefficients, record.dt, 2 * parts)
            if (np.abs(fine - coarse) <= _STEP_ERROR * record.spread).all():
                break
            parts, coarse = 2 * parts, fine
    return parts


@dataclass(frozen=True)
class Step:
    """One step from each sample, with its derivatives.

    Attributes
    ----------
    gaps : shape (n_samples, n_states), from the next sample's state to the end of the step; 0 after the last of a member.
    by_state : shape (n_samples, n_states, n_states).
    by_coefficient : shape (n_samples, n_states, n_free).
    """

    gaps: Array
    by_state: Array
    by_coefficient: Array

    @property
    def is_finite(self) -> bool:
        """Tell whether the integration failed nowhere."""
        return bool(np.isfinite(self.gaps).all() and np.isfinite(self.by_state).all() and np.isfinite(self.by_coefficient).all())


def shoot(
    features: Features, record: Record, start: Shot, support: Mask, parts: int, fixed: Array | float = 0.0, most: int = MOST_ITERATIONS
) -> Shot:
    """Find the trajectory and the free coefficients of the greatest likelihood.

    Parameters
    ----------
    start : where the search begins.
    support : shape (n_features, n_states), which coefficients are free.
    fixed : the others, of the same shape; by default 0.
    most : the iterations that are allowed.
    """
    current = replace(start, coefficients=np.where(support, start.coefficients, fixed), is_converged=False)
    step = _linearise(features, record, current, support, parts)
    for _ in range(most):
        if not step.is_finite:
            break
        move, length, information = _solve(record, current, step, support)
        gap = _measure_gap(step, current)
        for halving in range(_MOST_HALVINGS):
            following = _follow(record, current, move, 0.5**halving, information)
            ahead = _linearise(features, record, following, support, parts)
            if ahead.is_finite and _measure_gap(ahead, current) <= _MOST_GROWTH * max(gap, 1.0):
                break
        is_settled = (np.abs(following.sizes - current.sizes) <= _TOLERANCE * current.sizes).all()
        current, step = following, ahead
        if is_settled and length < _TOLERANCE and _measure_gap(step, current) < _TOLERANCE:
            return replace(current, is_converged=True)
    return current


def begin(record: Record, coefficients: Array) -> Shot:
    """Return where a search begins: at the observations, with noise of a tenth of each state's spread."""
    return Shot(coefficients, record.values, record.spread / 10, np.zeros((0, 0)), is_converged=False)


def score_terms(features: Features, record: Record, shot: Shot, support: Mask, candidates: Mask, parts: int) -> Array:
    """Return by how much each candidate term would lower the deviance, to first order: the score statistic.

    Source: Rao (1948), Proc. Cambridge Phil. Soc. 44, 50-57.

    Returns
    -------
    Shape (n_features, n_states), 0 where no candidate is.
    """
    scores = np.zeros(support.shape)
    wanted = np.argwhere(candidates & ~support)
    for first in range(0, len(wanted), _SCORED_AT_ONCE):
        part = np.zeros_like(support)
        part[tuple(wanted[first : first + _SCORED_AT_ONCE].T)] = True
        both = support | part
        step = _linearise(features, record, shot, both, parts)
        if not step.is_finite:
            continue
        gradient, information, _, _ = _reduce(record, shot, step)
        is_in = support[both]
        across = information[~is_in][:, is_in]
        known = information[is_in][:, is_in]
        rest = np.diag(information)[~is_in] - np.einsum("ij,ji->i", across, invert(known) @ across.T)
        slope = gradient[~is_in] - across @ (invert(known) @ gradient[is_in])
        scores[part] = np.where(rest > _RANK * np.diag(information)[~is_in], slope**2 / np.where(rest > 0, rest, 1.0), 0.0)
    return scores


def invert(matrix: Array) -> Array:
    """Return the inverse of a positive definite matrix whose rows may have very different sizes."""
    if not len(matrix):
        return matrix
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
    return np.asarray(np.linalg.pinv(matrix * scale * scale[:, None], hermitian=True) * scale * scale[:, None])


def _solve(record: Record, shot: Shot, step: Step, support: Mask) -> tuple[tuple[Array, Array], float, Array]:
    """Return the Newton step in states and coefficients, its length in units of the noise and of standard errors, and the information."""
    gradient, information, by_noise, by_coefficient = _reduce(record, shot, step)
    covariance = invert(information)
    change = covariance @ gradient
    states = by_noise + by_coefficient @ change
    coefficients = np.zeros(support.shape)
    coefficients[support] = change
    errors = np.sqrt(np.diag(covariance))
    length = max(float(np.abs(states / shot.sizes).max()), float(np.abs(change / errors).max()) if len(change) else 0.0)
    return (states, coefficients), length, information


def _follow(record: Record, shot: Shot, move: tuple[Array, Array], share: float, information: Array) -> Shot:
    """Return the point after a share of a step, with the size of the noise that its residuals show."""
    states = shot.states + share * move[0]
    sizes = np.sqrt(((record.values - states) ** 2).mean(axis=0))
    sizes = np.clip(sizes, np.maximum(SMALLEST * record.spread, shot.sizes / _MOST_SHRINKAGE), record.spread)
    return Shot(shot.coefficients + share * move[1], states, sizes, information, is_converged=False)


def _measure_gap(step: Step, shot: Shot) -> float:
    return float(np.abs(step.gaps / shot.sizes).max())


def _linearise(features: Features, record: Record, shot: Shot, support: Mask, parts: int) -> Step:
    """Return one step from each sample with its derivatives, slab by slab."""
    n_samples, n_states = shot.states.shape
    is_used = support.any(axis=1) | (shot.coefficients != 0).any(axis=1)
    features, coefficients, support = features.select(is_used), shot.coefficients[is_used], support[is_used]
    n_free = int(support.sum())
    gaps = np.zeros((n_samples, n_states))
    derivatives = np.zeros((n_samples, n_states, n_states + n_free))
    slab = max(1, _SLAB_ENTRIES // (n_states * (n_states + n_free) * (len(_WEIGHTS) + 1)))
    is_live = ~record.is_last
    with np.errstate(all="ignore"):
        for first in range(0, n_samples, slab):
            part = slice(first, min(first + slab, n_samples))
            ends, derivatives[part] = _advance_tangents(features, shot.states[part], coefficients, support, record.dt, parts)
            following = shot.states[first + 1 : first + 1 + len(ends)]
            gaps[first : first + len(following)] = ends[: len(following)] - following
    gaps[~is_live], derivatives[~is_live] = 0.0, 0.0
    return Step(gaps, derivatives[:, :, :n_states], derivatives[:, :, n_states:])


def _advance_tangents(features: Features, states: Array, coefficients: Array, support: Mask, dt: float, parts: int) -> tuple[Array, Array]:
    """Return the states one step later, and their derivatives by the states before and by the free coefficients.

    Within, the samples are the last axis, so that every operation runs along them.
    """
    (n_samples, n_states), (rows, columns) = states.shape, np.nonzero(support)
    n_columns, h = n_states + len(rows), dt / parts
    moved, tangents = np.ascontiguousarray(states.T), np.zeros((n_states, n_columns, n_samples))
    tangents[range(n_states), range(n_states)] = 1
    slopes, growth = np.empty((len(_WEIGHTS), *moved.shape)), np.empty((len(_WEIGHTS), *tangents.shape))
    for _ in range(parts):
        for stage in range(len(_WEIGHTS)):
            inner = moved + h * np.tensordot(_STAGES[stage, :stage], slopes[:stage], axes=1)
            tangent = tangents + h * np.tensordot(_STAGES[stage, :stage], growth[:stage], axes=1)
            values = features.list_values(inner)
            slopes[stage], growth[stage] = coefficients.T @ values, 0.0
            for (state, by), entry in _list_jacobian(features, coefficients, inner).items():
                growth[stage, state] += entry * tangent[by]
            growth[stage, columns, n_states + np.arange(len(rows))] += values[rows]
        moved = moved + h * np.tensordot(_WEIGHTS, slopes, axes=1)
        tangents = tangents + h * np.tensordot(_WEIGHTS, growth, axes=1)
    return moved.T, tangents.transpose(2, 0, 1)


def _list_jacobian(features: Features, coefficients: Array, columns: Array) -> dict[tuple[int, int], Array]:
    """Return the entries of the field's Jacobian that are not zero everywhere."""
    entries: dict[tuple[int, int], Array] = {}
    for feature, by, values in features.list_slopes(columns):
        for state in np.flatnonzero(coefficients[feature]):
            place = int(state), by
            entries[place] = entries.get(place, 0.0) + coefficients[feature, state] * values
    return entries


def _reduce(record: Record, shot: Shot, step: Step) -> tuple[Array, Array, Array, Array]:
    """Eliminate the states: return gradient and information of the coefficients, and how the states follow from noise and coefficients.

    The conditions for the least squares under the linearised steps, in the order x_0, multiplier_0, x_1, multiplier_1, ..., are banded.
    """
    n_samples, n_states = shot.states.shape
    n_free, reach, block = step.by_coefficient.shape[2], 2 * n_states - 1, 2 * n_states
    band = np.zeros((2 * reach + 1, block * n_samples))
    every, live, ends = np.arange(n_samples), np.flatnonzero(~record.is_last), np.flatnonzero(record.is_last)
    weights = 1 / shot.sizes**2
    identity = np.eye(n_states)

    def put(rows: Array, columns: Array, blocks: Array) -> None:
        for a in range(n_states):
            for b in range(n_states):
                band[reach + rows + a - columns - b, columns + b] += blocks[..., a, b]

    put(block * every, block * every, np.diag(weights))
    put(block * live, block * live + n_states, -step.by_state[live].transpose(0, 2, 1))
    put(block * (live + 1), block * live + n_states, identity)
    put(block * live + n_states, block * live, -step.by_state[live])
    put(block * live + n_states, block * (live + 1), identity)
    put(block * ends + n_states, block * ends + n_states, identity)
    right = np.zeros((n_samples, block, 1 + n_free))
    right[:, :n_states, 0] = weights * (record.values - shot.states)
    right[:, n_states:, 0] = step.gaps
    right[:, n_states:, 1:] = step.by_coefficient
    solution = solve_banded((reach, reach), band, right.reshape(block * n_samples, -1), check_finite=False)
    solution = solution.reshape(n_samples, block, 1 + n_free)
    multipliers = solution[:, n_states:]
    products = np.einsum("kip,kiq->pq", step.by_coefficient, multipliers)
    information = -products[:, 1:]
    return products[:, 0], (information + information.T) / 2, solution[:, :n_states, 0], solution[:, :n_states, 1:]
