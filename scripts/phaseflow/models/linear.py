"""Linear regression by ordinary least squares.

y = X b + e with independent errors of one size: b = R^-1 Q' y from X = QR, its covariance s^2 (R'R)^-1,
intervals from Student's t with n - p degrees of freedom.

Source: Seber and Lee (2003), Linear Regression Analysis, 2nd ed., ch. 3, 4 and 11.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.stats import t as student_t

from phaseflow.errors import DataError, shorten
from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.formula import Formula, Term, parse_formula
from phaseflow.models import Fitted, Model
from phaseflow.settings.fits import Fit

Array = NDArray[np.float64]
INTERCEPT = "Intercept"


def fit_linear(fit: Fit, table: pd.DataFrame, source: str) -> Fitted:
    """Fit a formula to a table.

    Raises
    ------
    DataError : a column is missing, is no number or has no value somewhere, the terms are linearly
        dependent, or there are not more rows than terms.
    """
    formula = parse_formula(fit.linear or "")
    check_columns(formula, table, source)
    response = build_column(formula.response, table, source)
    names, design = build_design(formula, table, source)
    check_design(names, design, source)
    solution = solve_least_squares(design, response)
    freedom = len(response) - len(names)
    residual_std = float(np.sqrt(solution.residual_sum / freedom))
    errors = residual_std * solution.spreads
    reach = student_t.ppf(0.5 + fit.confidence.value / 2, freedom) * errors
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = solution.estimates / errors
    terms = pd.DataFrame(
        {
            "term": names,
            "estimate": solution.estimates,
            "std_error": errors,
            "ci_low": solution.estimates - reach,
            "ci_high": solution.estimates + reach,
            "certified_digits": pd.array([None] * len(names), dtype="Int64"),
            "t": ratios,
            "p": 2 * student_t.sf(np.abs(ratios), freedom),
        }
    )
    centre = response.mean() if formula.has_intercept else 0.0
    total = float(((response - centre) ** 2).sum())
    statistics = {
        "model": "linear",
        "formula": fit.linear,
        "table": fit.to,
        "response": formula.response.name,
        "observations": len(response),
        "degrees_of_freedom": freedom,
        "residual_sum_of_squares": solution.residual_sum,
        "residual_std": residual_std,
        "r_squared": 1 - solution.residual_sum / total if total > 0 else None,
        "r_squared_is_centred": formula.has_intercept,
        "confidence": fit.confidence.value,
        "condition_number": solution.condition,
    }
    fitted = response - solution.residuals
    rows = pd.DataFrame({"row": np.arange(len(response)), "response": response, "fitted": fitted, "residual": solution.residuals})
    return Fitted(terms, statistics, rows)


@dataclass(frozen=True)
class LeastSquares:
    """The solution of a linear least-squares problem.

    Attributes
    ----------
    spreads : shape (n_terms,), the standard errors for a residual standard deviation of 1.
    condition : the condition number of the design with columns scaled to length 1.
    """

    estimates: Array
    spreads: Array
    residuals: Array
    residual_sum: float
    condition: float


def solve_least_squares(design: Array, response: Array) -> LeastSquares:
    """Solve by QR of the scaled design, with one step of refinement; errors from the inverse of R itself.

    Careful: the inverse of X'X, from which errors are often taken, loses twice as many digits.
    """
    norms = np.linalg.norm(design, axis=0)
    scaled = design / norms
    orthogonal, triangle = np.linalg.qr(scaled)
    estimates = solve_triangular(triangle, orthogonal.T @ response)
    estimates = estimates + solve_triangular(triangle, orthogonal.T @ (response - scaled @ estimates))
    residuals = response - scaled @ estimates
    inverse = solve_triangular(triangle, np.eye(len(norms)))
    spreads = np.linalg.norm(inverse, axis=1) / norms
    return LeastSquares(estimates / norms, spreads, residuals, float(residuals @ residuals), float(np.linalg.cond(scaled)))


def check_columns(formula: Formula, table: pd.DataFrame, source: str) -> None:
    """Check that the columns a formula needs are there and hold numbers everywhere.

    Raises
    ------
    DataError : names the table and every column that cannot be used.
    """
    problems = []
    for name in sorted(formula.columns):
        if name not in table.columns:
            problems.append(f"{source} has no column {name!r} (it has {', '.join(map(repr, table.columns))})")
        elif not pd.api.types.is_numeric_dtype(table[name]) or pd.api.types.is_bool_dtype(table[name]):
            is_text = pd.to_numeric(table[name], errors="coerce").isna() & table[name].notna()
            example = f": row {int(is_text.idxmax()) + 1} has {shorten(table[name][is_text.idxmax()])}" if is_text.any() else ""
            problems.append(f"{source}, column {name!r} does not hold numbers{example}")
        elif not np.isfinite(table[name].to_numpy(dtype=float)).all():
            missing = ~np.isfinite(table[name].to_numpy(dtype=float))
            problems.append(f"{source}, column {name!r} has no finite value in {missing.sum()} rows, first in row {missing.argmax() + 1}")
    if problems:
        raise DataError("\n".join(problems))


def build_column(term: Term, table: pd.DataFrame, source: str) -> Array:
    """Return a term's column: the product of its factors.

    Raises
    ------
    DataError : the term has no finite value in some row.
    """
    values = {name: table[name].to_numpy(dtype=float) for factor in term.factors for name in factor.names}
    column = np.prod([evaluate(factor.tree, values) for factor in term.factors], axis=0)
    if not np.isfinite(column).all():
        row = int((~np.isfinite(column)).argmax())
        raise DataError(f"{source}: the term {term.name!r} has no finite value in row {row + 1}")
    return np.asarray(column)


def build_design(formula: Formula, table: pd.DataFrame, source: str) -> tuple[list[str], Array]:
    """Return the names of the columns and the design matrix, of shape (n_rows, n_terms)."""
    names = [INTERCEPT] * formula.has_intercept + [term.name for term in formula.terms]
    columns = [np.ones(len(table))] * formula.has_intercept + [build_column(term, table, source) for term in formula.terms]
    return names, np.stack(columns, axis=1)


def check_design(names: list[str], design: Array, source: str) -> None:
    """Check that least squares has one solution.

    Raises
    ------
    DataError : there are not more rows than terms, or the columns named are linearly dependent.
    """
    if len(design) <= len(names):
        raise DataError(f"{source}: {len(design)} rows cannot determine {len(names)} terms and their errors")
    norms = np.linalg.norm(design, axis=0)
    if (norms == 0).any():
        raise DataError(f"{source}: the term {names[int((norms == 0).argmax())]!r} is zero in every row")
    scaled = design / norms
    _, singular, right = np.linalg.svd(scaled, full_matrices=False)
    if singular[-1] < singular[0] * max(design.shape) * np.finfo(float).eps:
        involved = [name for name, weight in zip(names, np.abs(right[-1]), strict=True) if weight > 1e-3 * np.abs(right[-1]).max()]
        raise DataError(f"{source}: the terms {', '.join(map(repr, involved))} are linearly dependent; leave one out")


MODEL = Model(fit=fit_linear)
