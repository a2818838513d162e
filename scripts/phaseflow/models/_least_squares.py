"""Linear least squares, and the table of terms that follows from it.

y = X b + e with independent errors of one size: b = R^-1 Q' y from X = QR, its covariance s^2 (R'R)^-1.

Source: Seber and Lee (2003), Linear Regression Analysis, 2nd ed., ch. 3, 4 and 11.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.stats import t as student_t

from phaseflow.errors import DataError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LeastSquares:
    """The solution of a linear least-squares problem.

    Attributes
    ----------
    spreads : shape (n_terms,), the standard errors for a residual standard deviation of 1.
    inverse : shape (n_terms, n_terms): inverse @ inverse.T is the covariance for a residual standard deviation of 1.
    condition : the condition number of the design with columns scaled to length 1.
    basis : shape (n_rows, n_terms), orthonormal columns that span the design's: design = basis @ inverse^-1.
    """

    estimates: Array
    spreads: Array
    residuals: Array
    inverse: Array
    condition: float
    basis: Array

    @property
    def leverages(self) -> Array:
        """Shape (n_rows,), the diagonal of the projection onto the design's columns."""
        return np.asarray((self.basis**2).sum(axis=1))

    @property
    def residual_sum(self) -> float:
        """The sum of squared residuals."""
        return float(self.residuals @ self.residuals)

    @property
    def freedom(self) -> int:
        """The rows beyond those that the terms take up."""
        return len(self.residuals) - len(self.estimates)

    @property
    def residual_std(self) -> float:
        """The unbiased estimate of the errors' standard deviation."""
        return float(np.sqrt(self.residual_sum / self.freedom))


def solve_least_squares(design: Array, response: Array) -> LeastSquares:
    """Solve by QR of the scaled design, with one step of refinement; errors from the inverse of R itself.

    Careful: the inverse of X'X, from which errors are often taken, loses twice as many digits.
    """
    norms = np.linalg.norm(design, axis=0)
    scaled = design / norms
    orthogonal, triangle = np.linalg.qr(scaled)
    estimates = solve_triangular(triangle, orthogonal.T @ response)
    estimates = estimates + solve_triangular(triangle, orthogonal.T @ (response - scaled @ estimates))
    inverse = solve_triangular(triangle, np.eye(len(norms))) / norms[:, None]
    return LeastSquares(
        estimates / norms,
        np.linalg.norm(inverse, axis=1),
        response - scaled @ estimates,
        inverse,
        float(np.linalg.cond(scaled)),
        orthogonal,
    )


def check_rows(names: Sequence[str], n_rows: int, source: str, what: str = "terms") -> None:
    """Check that rows are left for the errors.

    Raises
    ------
    DataError : there are not more rows than terms.
    """
    if n_rows <= len(names):
        rows = "1 row" if n_rows == 1 else f"{n_rows} rows"
        raise DataError(f"{source}: {rows} cannot determine {len(names)} {what} and their errors")


def check_design(names: Sequence[str], design: Array, source: str, advice: str = "leave one out") -> None:
    """Check that least squares has one solution.

    Raises
    ------
    DataError : there are not more rows than terms, or the columns named are linearly dependent.
    """
    check_rows(names, len(design), source)
    norms = np.linalg.norm(design, axis=0)
    if (norms == 0).any():
        raise DataError(f"{source}: the term {names[int((norms == 0).argmax())]!r} is zero in every row")
    scaled = design / norms
    _, singular, right = np.linalg.svd(scaled, full_matrices=False)
    if singular[-1] < singular[0] * max(design.shape) * np.finfo(float).eps:
        involved = [name for name, weight in zip(names, np.abs(right[-1]), strict=True) if weight > 1e-3 * np.abs(right[-1]).max()]
        raise DataError(f"{source}: the terms {', '.join(map(repr, involved))} are linearly dependent; {advice}")


def tabulate_terms(names: Sequence[str], estimates: Array, errors: Array, freedom: float, confidence: float) -> pd.DataFrame:
    """Return a row a term: estimate, standard error, interval and test against zero by Student's t.

    Parameters
    ----------
    freedom : the degrees of freedom; infinite for the normal distribution.
    """
    reach = student_t.ppf(0.5 + confidence / 2, freedom) * errors
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = estimates / errors
    return pd.DataFrame(
        {
            "term": list(names),
            "estimate": estimates,
            "std_error": errors,
            "ci_low": estimates - reach,
            "ci_high": estimates + reach,
            "certified_digits": pd.array([None] * len(names), dtype="Int64"),
            "t": ratios,
            "p": 2 * student_t.sf(np.abs(ratios), freedom),
        }
    )
