"""From an answer in floating point to a basis: what lies between its bounds is basic first, then what costs nothing to move."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import nmod_mat
from numpy.typing import NDArray

from phaseflow.expressions.rationals import Rational
from phaseflow.problems._linear_program import LinearProgram, to_double
from phaseflow.problems._simplex import Basis, Place

Array = NDArray[np.float64]

# Columns that are independent modulo a prime are so over the rationals; that dependent ones are not has a chance of about 1e-18.
_PRIME = 2**61 - 1
# Nearer to a bound than this, relative to the larger of 1 and the bound, counts as at it: HiGHS's own tolerance.
_NEAR = 1e-7


def choose_basis(
    program: LinearProgram, point: Array, prices: Array, lower: Sequence[Rational | None], upper: Sequence[Rational | None]
) -> Basis:
    """Return a basis near an answer.

    Parameters
    ----------
    point, prices : shapes (n_variables,) and (n_constraints,), in floating point.
    lower, upper : the bounds of variables and constraints.
    """
    n, m = len(program.unknowns), len(program.constraints)
    activity = np.array([sum(to_double(c) * point[j] for j, c in row.terms.items()) for row in program.constraints])
    values = np.concatenate([point, activity.reshape(m)])
    reduced = np.concatenate([np.array([to_double(c) for c in program.cost]), prices])
    for j, column in enumerate(program.columns):
        reduced[j] -= sum(to_double(a) * prices[i] for i, a in column)
    places, distance = _rest(values, lower, upper)
    slack = [v for v in range(n, n + m) if distance[v] > 0]
    rows = [i for i in range(m) if distance[n + i] == 0]
    idle = [v for v in (*range(n), *(n + i for i in rows)) if distance[v] == 0 and abs(reduced[v]) <= _NEAR]
    between = sorted((v for v in range(n) if distance[v] > 0), key=lambda v: (-distance[v], v))
    # The variables of the constraints make a basis by themselves, so that there always is one.
    order = list(dict.fromkeys([*between, *idle, *(n + i for i in rows)]))
    for v in [*slack, *_pick_independent(program, rows, order)]:
        places[v] = Place.BASIC
    return Basis(program, places, lower, upper)


def _rest(values: Array, lower: Sequence[Rational | None], upper: Sequence[Rational | None]) -> tuple[list[Place], Array]:
    """Return where each variable would rest, and how far it is from there, relative to the bound; 0 for what is at it."""
    low, high = to_doubles(lower, -np.inf), to_doubles(upper, np.inf)
    with np.errstate(invalid="ignore"):
        below = (values - low) / np.maximum(1, np.where(np.isfinite(low), np.abs(low), 1))
        above = (high - values) / np.maximum(1, np.where(np.isfinite(high), np.abs(high), 1))
    distance = np.minimum(below, above)
    names = [
        Place.FREE if np.isinf(gap) else Place.LOWER if a <= b else Place.UPPER for gap, a, b in zip(distance, below, above, strict=True)
    ]
    return names, np.where(distance <= _NEAR, 0.0, distance)


def to_doubles(bounds: Sequence[Rational | None], missing: float) -> Array:
    """Return bounds as doubles, with a number in the place of those that are missing."""
    return np.array([missing if bound is None else to_double(bound) for bound in bounds], dtype=np.float64)


def _pick_independent(program: LinearProgram, rows: Sequence[int], order: Sequence[int]) -> list[int]:
    """Return the first variables, in an order, whose columns over some constraints make a basis."""
    if not rows:
        return []
    n, at = len(program.unknowns), {row: place for place, row in enumerate(rows)}
    entries = [0] * (len(rows) * len(order))
    for place, v in enumerate(order):
        for row, coefficient in program.columns[v] if v < n else [(v - n, None)]:
            if row in at:
                residue = -1 if coefficient is None else int(coefficient.p) * pow(int(coefficient.q), -1, _PRIME)
                entries[at[row] * len(order) + place] = residue % _PRIME
    reduced, rank = nmod_mat(len(rows), len(order), entries, _PRIME).rref()
    pivots, place = [], 0
    for row in range(rank):
        while reduced[row, place] == 0:
            place += 1
        pivots.append(order[place])
    return pivots
