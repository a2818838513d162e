"""The exact transition of linear equations with constant noise: dX = (A X + c) dt + B dW.

After a time h, X is normal with mean E X + m and covariance Q, where E = exp(A h), m = int_0^h exp(A s) c ds and
Q = int_0^h exp(A s) B B' exp(A s)' ds, all from two matrix exponentials.

Source: Van Loan (1978), Computing integrals involving the matrix exponential, IEEE Trans. Autom. Control 23, 395-404.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

Array = NDArray[np.float64]


class Transition(NamedTuple):
    """E and F of shape (dimension, dimension) and m of shape (dimension,): X becomes E X + m + F z with z standard normal."""

    matrix: Array
    shift: Array
    factor: Array


def find_transition(slopes: Array, constants: Array, diffusions: Array, duration: float) -> Transition:
    """Return the transition over a duration; not finite where a number of it overflows.

    Parameters
    ----------
    slopes, constants, diffusions : A of shape (dimension, dimension), c and B of shape (dimension, n_processes).
    """
    n = len(constants)
    norm = float(np.abs(slopes).sum(axis=0).max()) * duration
    if not np.isfinite([norm, *constants, *diffusions.ravel()]).all():
        return Transition(np.full((n, n), np.nan), np.full(n, np.nan), np.full((n, n), np.nan))
    # Careful: over a long time exp(-A h) in Van Loan's block overflows, so it is used over a short one, which is then doubled.
    doublings = max(0, int(np.ceil(np.log2(norm)))) if norm > 0 else 0
    with np.errstate(all="ignore"):
        matrix, shift, covariance = _start(slopes, constants, diffusions @ diffusions.T, duration / 2.0**doublings)
        for _ in range(doublings):
            shift = shift + matrix @ shift
            covariance = covariance + matrix @ covariance @ matrix.T
            matrix = matrix @ matrix
    return Transition(matrix, shift, _find_root(covariance))


def _start(slopes: Array, constants: Array, power: Array, duration: float) -> tuple[Array, Array, Array]:
    """Return mean and covariance by two exponentials of block matrices; `power` is B B'."""
    n = len(constants)
    extended = np.zeros((n + 1, n + 1))
    extended[:n, :n], extended[:n, n] = slopes, constants
    mean = expm(extended * duration)
    block = np.zeros((2 * n, 2 * n))
    block[:n, :n], block[:n, n:], block[n:, n:] = -slopes, power, slopes.T
    found = expm(block * duration)
    return mean[:n, :n], mean[:n, n], found[n:, n:].T @ found[:n, n:]


def _find_root(covariance: Array) -> Array:
    """Return the symmetric square root, which a singular covariance has too; eigenvalues below 0 are rounding."""
    if not np.isfinite(covariance).all():
        return np.full_like(covariance, np.nan)
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    root: Array = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root
