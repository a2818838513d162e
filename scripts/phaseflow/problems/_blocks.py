"""One step of multiple shooting: least squares whose unknowns are joined interval by interval, by a banded system.

The step minimises |r + A ds + B dp|**2/2 + damping with every gap closed to first order, c_j + G_j ds_j - ds_j+1 + P_j dp = slack l_j,
where l is the multiplier: without slack the gaps are closed, with slack 1/w they have the weight w. Ordered interval by interval the
states and multipliers have a banded matrix, and the parameters are eliminated last (condensing).
Source: Bock (1981), in Modelling of Chemical Reaction Systems, Springer, 102-125, sec. 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    """The linearised problem, in units in which every unknown is of the order of one.

    Attributes
    ----------
    by_nodes : shape (n_joins, n, n): the products of the residuals' derivatives by each free node.
    pull : shape (n_joins, n): their products with the residuals; mixed : shape (n_joins, n, n_sought): with those by the parameters.
    by_sought, slope : shapes (n_sought, n_sought) and (n_sought,): the same of the parameters alone.
    gaps, forward, steer : shapes (n_joins, n), (n_joins, n, n), (n_joins, n, n_sought): each gap, and its derivatives by the node
        that it begins with (0 for the first of a record, which the parameters determine) and by the parameters.
    is_inner : shape (n_joins,): whether the join before it is of the same record.
    """

    by_nodes: Array
    pull: Array
    mixed: Array
    by_sought: Array
    slope: Array
    gaps: Array
    forward: Array
    steer: Array
    is_inner: NDArray[np.bool_]


@dataclass(frozen=True)
class Condensed:
    """The system with the states eliminated: matrix @ parameters = right, and states = offset - slope @ parameters."""

    matrix: Array
    right: Array
    offset: Array
    slope: Array

    def solve(self, fixed: Array) -> tuple[Array, Array]:
        """Return the steps of the parameters and of the free nodes; those that are not NaN in `fixed` are kept.

        Raises
        ------
        numpy.linalg.LinAlgError : the system is singular.
        """
        free, parameters = np.isnan(fixed), np.nan_to_num(fixed)
        if free.any():
            right = self.right[free] - self.matrix[np.ix_(free, ~free)] @ parameters[~free]
            parameters[free] = np.linalg.solve(self.matrix[np.ix_(free, free)], right)
        return parameters, self.offset - self.slope @ parameters


def condense(linear: Linear, slack: float, damping: float) -> Condensed:
    """Eliminate the states.

    Raises
    ------
    numpy.linalg.LinAlgError : the system is singular.
    """
    n_joins, n = linear.gaps.shape
    n_sought = len(linear.slope)
    by_sought = linear.by_sought + damping * np.eye(n_sought)
    if n_joins == 0:
        return Condensed(by_sought, -linear.slope, np.zeros((0, n)), np.zeros((0, n, n_sought)))
    blocks = np.empty((n_joins, 2, n, 1 + n_sought))
    blocks[:, 0, :, 0], blocks[:, 0, :, 1:] = -linear.gaps, linear.steer
    blocks[:, 1, :, 0], blocks[:, 1, :, 1:] = -linear.pull, linear.mixed
    right = blocks.reshape(2 * n_joins * n, 1 + n_sought)
    width = 2 * n - 1
    solved = scipy.linalg.solve_banded((width, width), _lay_out(linear, slack, damping), right)
    border = right[:, 1:]
    states = solved.reshape(n_joins, 2, n, 1 + n_sought)[:, 1]
    return Condensed(by_sought - border.T @ solved[:, 1:], -linear.slope - border.T @ solved[:, 0], states[..., 0], states[..., 1:])


def _lay_out(linear: Linear, slack: float, damping: float) -> Array:
    """Return the banded matrix: for each join its multipliers, then the node that it ends at."""
    n_joins, n = linear.gaps.shape
    width = 2 * n - 1
    bands = np.zeros((2 * width + 1, 2 * n_joins * n))
    first = 2 * n * np.arange(n_joins)
    eye = np.eye(n)
    _put(bands, first, first, np.repeat(-slack * eye[None], n_joins, 0))
    _put(bands, first, first + n, np.repeat(-eye[None], n_joins, 0))
    _put(bands, first + n, first, np.repeat(-eye[None], n_joins, 0))
    _put(bands, first + n, first + n, linear.by_nodes + damping * eye)
    inner = np.flatnonzero(linear.is_inner)
    _put(bands, first[inner], first[inner] - n, linear.forward[inner])
    _put(bands, first[inner] - n, first[inner], linear.forward[inner].transpose(0, 2, 1))
    return bands


def _put(bands: Array, rows: NDArray[np.int64], columns: NDArray[np.int64], blocks: Array) -> None:
    """Write square blocks into a banded matrix, each at its first row and column."""
    n = blocks.shape[1]
    i = rows[:, None, None] + np.arange(n)[:, None]
    j = columns[:, None, None] + np.arange(n)
    bands[(len(bands) // 2) + i - j, np.broadcast_to(j, blocks.shape)] = blocks
