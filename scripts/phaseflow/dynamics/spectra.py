"""Eigenvalues with what they may be off by, and what they say of stability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Stability = Literal["stable", "saddle", "unstable", "undecided"]


@dataclass(frozen=True)
class Spectrum:
    """The eigenvalues of a matrix.

    Attributes
    ----------
    values : shape (dimension,).
    errors : shape (dimension,): what each may be off by, in the complex plane.
    """

    values: Complex
    errors: Array


def find_spectrum(matrix: Array, uncertainty: float, by: Literal["real", "modulus"]) -> Spectrum:
    """Return the eigenvalues of a real matrix, sorted by falling real part or modulus.

    An error is the matrix's uncertainty times the eigenvalue's condition number, and never above Elsner's bound, which holds
    for eigenvalues that coincide too.

    Parameters
    ----------
    uncertainty : the 2-norm of what the matrix may be off by; its rounding is added.

    Source: Golub and Van Loan (2013), Matrix Computations, sec. 7.2.2; Elsner (1985), Linear Algebra Appl. 71, 77-80.
    """
    n, norm = len(matrix), float(np.linalg.norm(matrix, 2))
    values, vectors = np.linalg.eig(matrix)
    delta = uncertainty + n * np.finfo(float).eps * norm
    elsner = (2 * norm + delta) ** (1 - 1 / n) * delta ** (1 / n)
    singular = np.linalg.svd(vectors, compute_uv=False)
    inverse = np.linalg.inv(vectors) if singular[-1] > np.finfo(float).tiny else np.full((n, n), np.inf)
    conditions = np.linalg.norm(inverse, axis=1) * np.linalg.norm(vectors, axis=0)
    errors = np.minimum(conditions * delta, elsner)
    leading = values.real if by == "real" else np.abs(values)
    # Of a pair, whose keys are the same bits, the one with the positive imaginary part stands first.
    order = np.lexsort((-values.imag, -leading))
    return Spectrum(values[order] + 0j, errors[order])


def judge_stability(margins: Array, errors: Array) -> Stability:
    """Tell stability from real parts, or from what moduli exceed one by: each with its error, in falling order.

    undecided: the leading one is zero to within its error. A saddle repels in some directions and attracts in others.
    """
    if len(margins) == 0 or not np.isfinite(margins).all():
        return "undecided"
    if (margins < -errors).all():
        return "stable"
    if not (margins > errors).any():
        return "undecided"
    return "saddle" if (margins < -errors).any() else "unstable"
