"""Linear regression: least squares plain, weighted, with robust errors or a penalty, and generalised linear models.

Plain and weighted least squares are solved exactly for the data as they are written (`_exact`), so that every digit that
is printed is right; a table too large for that is solved by QR in doubles, and has no certified digits.

Source: Seber and Lee (2003), Linear Regression Analysis, 2nd ed., ch. 3, 4 and 11.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import f as fisher_f

from phaseflow.errors import DataError
from phaseflow.expressions.formula import parse_formula
from phaseflow.expressions.quantity import Expression
from phaseflow.models import Fitted, Model
from phaseflow.models._design import INTERCEPT, Column, Rows, list_columns, name_response, read_rows
from phaseflow.models._exact import solve_exactly
from phaseflow.models._least_squares import Array, LeastSquares, check_design, check_rows, solve_least_squares, tabulate_terms
from phaseflow.models._penalised import fit_penalised
from phaseflow.models._residuals import describe_rows, examine_residuals
from phaseflow.models._rounding import check_rounding
from phaseflow.models._sandwich import Sandwich, add_up
from phaseflow.settings.fits import Fit


@dataclass(frozen=True)
class Problem:
    """What a formula makes of a table, in doubles.

    Attributes
    ----------
    roots : shape (n_rows,), the square roots of the weights.
    """

    rows: Rows
    columns: Sequence[Column]
    response_column: Column
    weights_column: Column | None
    design: Array
    response: Array
    roots: Array

    @property
    def names(self) -> list[str]:
        """The names of the terms."""
        return [column.name for column in self.columns]

    @property
    def has_intercept(self) -> bool:
        """Whether the first column is the intercept."""
        return self.names[:1] == [INTERCEPT]

    @property
    def size(self) -> int:
        """What the exact solution costs: rows times squared terms."""
        return int(self.design.size * self.design.shape[1])


def fit_linear(fit: Fit, table: pd.DataFrame, source: str, _rng: np.random.Generator) -> Fitted:
    """Fit a formula to a table.

    Raises
    ------
    DataError : a column is missing, is no number or has no value somewhere, the terms are linearly
        dependent, or there are not more rows than terms.
    """
    problem = build_problem(fit, table, source)
    about: dict[str, Any] = {"model": "linear", "formula": fit.linear, "table": fit.to, "response": problem.response_column.name}
    about["confidence"] = fit.confidence.value
    if fit.penalty is not None:
        return fit_penalised(fit, problem.names, problem.design, problem.response, source, about)
    if fit.family is not None:
        # Only here is statsmodels needed, which takes a second and more to import.
        from phaseflow.models._general import fit_general

        sandwich = choose_sandwich(fit, len(problem.rows))
        return fit_general(fit, problem.names, problem.design, problem.response, problem.roots**2, source, sandwich, about)
    return _fit_least_squares(fit, problem, about)


def build_problem(fit: Fit, table: pd.DataFrame, source: str) -> Problem:
    """Return the columns that a fit is made of.

    Raises
    ------
    DataError : as for `fit_linear`; weights are to be above zero.
    """
    formula = parse_formula(fit.linear or "")
    weighted = fit.weights.names if fit.weights is not None else frozenset()
    rows = read_rows(table, formula.numbers | weighted, formula.categories, source)
    columns, response = list_columns(formula, rows), name_response(formula)
    check_rows([column.name for column in columns], len(rows), source)
    weights = _name_weights(fit.weights)
    values = rows.evaluate(weights, "weight") if weights is not None else np.ones(len(rows))
    if not (values > 0).all():
        raise DataError(f"{source}: the weight {fit.weights} is not above zero in row {int((values <= 0).argmax()) + 1}")
    design = np.stack([rows.evaluate(column) for column in columns], axis=1)
    return Problem(rows, columns, response, weights, design, rows.evaluate(response, "response"), np.sqrt(values))


def _name_weights(weights: Expression | None) -> Column | None:
    return Column(weights.text, (weights,)) if weights is not None else None


def _fit_least_squares(fit: Fit, problem: Problem, about: dict[str, Any]) -> Fitted:
    sandwich = choose_sandwich(fit, len(problem.rows))
    solution, errors, digits, reason = _solve(problem, sandwich, fit.exact_limit)
    if not np.isfinite(errors).all():
        row = int(solution.leverages.argmax())
        raise DataError(f"{problem.rows.source}: row {row + 1} alone determines a term (leverage 1), so {fit.covariance} has no value")
    terms = tabulate_terms(problem.names, solution.estimates, errors, solution.freedom, fit.confidence.value)
    if digits is not None:
        terms["certified_digits"] = pd.array(digits, dtype="Int64")
    terms["vif"] = find_inflation(problem, solution)
    statistics = about | {
        "method": "ordinary least squares" if fit.weights is None else "weighted least squares",
        "covariance": fit.covariance or "classical",
        "lags": sandwich.lags if sandwich is not None and sandwich.kind == "HAC" else None,
        "weights": fit.weights.text if fit.weights is not None else None,
        "certification": reason,
        **describe_fit(solution, problem, sandwich),
        **examine_residuals(solution, problem.response * problem.roots),
    }
    return Fitted(terms, statistics, describe_rows(solution, problem.response, problem.roots))


def choose_sandwich(fit: Fit, n_rows: int) -> Sandwich | None:
    """Return the robust covariance that a fit asks for.

    The default number of lags is that of Newey and West (1994), Rev. Econ. Stud. 61, 631-653, for Bartlett's weights.
    """
    if fit.covariance in (None, "classical"):
        return None
    lags = fit.lags if fit.lags is not None else math.floor(4 * (n_rows / 100) ** (2 / 9))
    return Sandwich(str(fit.covariance), min(lags, n_rows - 1) if fit.covariance == "HAC" else 0)


def _solve(problem: Problem, sandwich: Sandwich | None, limit: int) -> tuple[LeastSquares, Array, list[int] | None, str]:
    """Return the solution, the errors, the certified digits and how they were certified, or why not."""
    reason = f"not certified: rows times squared terms are {problem.size}, more than exact_up_to ({limit})"
    if problem.size <= limit:
        exact = solve_exactly(problem.rows, problem.columns, problem.response_column, problem.weights_column, sandwich)
        if exact is not None:
            check_rounding(problem.rows, problem.columns, problem.design, exact.solution)
            return exact.solution, exact.errors, exact.digits, "the exact solution for the data as they are written"
        reason = "not certified: interval arithmetic does not settle the solution"
    design = problem.design * problem.roots[:, None]
    check_design(problem.names, design, problem.rows.source)
    solution = solve_least_squares(design, problem.response * problem.roots)
    return solution, find_errors(solution, sandwich), None, reason


def find_errors(solution: LeastSquares, sandwich: Sandwich | None) -> Array:
    """Return the standard errors, in doubles."""
    if sandwich is None:
        return solution.residual_std * solution.spreads
    return np.sqrt(np.diag(find_covariance(solution, sandwich)))


def find_covariance(solution: LeastSquares, sandwich: Sandwich | None) -> Array:
    """Return the covariance of the estimates, in doubles."""
    if sandwich is None:
        return solution.residual_std**2 * solution.inverse @ solution.inverse.T
    leverages = solution.leverages
    leverages = np.where(1 - leverages > len(leverages) * np.finfo(float).eps, leverages, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = sandwich.weigh(solution.basis * solution.residuals[:, None], leverages, len(solution.estimates))
        return np.asarray(solution.inverse @ add_up(rows, sandwich.lags) @ solution.inverse.T)


def describe_fit(solution: LeastSquares, problem: Problem, sandwich: Sandwich | None) -> dict[str, Any]:
    """Return how well the terms explain the response; without an intercept sums of squares are about zero.

    The F test is of all terms but the intercept, by the covariance that the errors come from. AIC and BIC count the
    error's size among the parameters, as R does (statsmodels does not, which makes its AIC less by 2).

    Source: Seber and Lee (2003), sec. 4.3, 12.3.
    """
    n, residual_sum, weights = len(problem.response), solution.residual_sum, problem.roots**2
    centre = np.average(problem.response, weights=weights) if problem.has_intercept else 0.0
    total = float((weights * (problem.response - centre) ** 2).sum())
    log_likelihood = None
    if residual_sum > 0:
        log_likelihood = -n / 2 * (math.log(2 * math.pi * residual_sum / n) + 1) + float(np.log(problem.roots).sum())
    n_parameters = len(solution.estimates) + 1
    return {
        "observations": n,
        "degrees_of_freedom": solution.freedom,
        "residual_sum_of_squares": residual_sum,
        "residual_std": solution.residual_std,
        "r_squared": 1 - residual_sum / total if total > 0 else None,
        "r_squared_adjusted": 1 - residual_sum / solution.freedom / (total / (n - problem.has_intercept)) if total > 0 else None,
        "r_squared_is_centred": problem.has_intercept,
        **_test_terms(solution, total, problem.has_intercept, sandwich),
        "log_likelihood": log_likelihood,
        "aic": 2 * n_parameters - 2 * log_likelihood if log_likelihood is not None else None,
        "bic": n_parameters * math.log(n) - 2 * log_likelihood if log_likelihood is not None else None,
        "condition_number": solution.condition,
    }


def _test_terms(solution: LeastSquares, total: float, has_intercept: bool, sandwich: Sandwich | None) -> dict[str, float | None]:
    explained = len(solution.estimates) - has_intercept
    if explained == 0 or solution.residual_sum == 0:
        return {"f": None, "f_p": None}
    ratio = (total - solution.residual_sum) / explained / solution.residual_std**2
    if sandwich is not None:
        estimates, covariance = solution.estimates[has_intercept:], find_covariance(solution, sandwich)[has_intercept:, has_intercept:]
        scale = np.sqrt(np.diag(covariance))
        if not (scale > 0).all():
            return {"f": None, "f_p": None}
        scaled = np.linalg.lstsq(covariance / np.outer(scale, scale), estimates / scale)[0]
        ratio = float(estimates / scale @ scaled) / explained
    return {"f": ratio, "f_p": float(fisher_f.sf(ratio, explained, solution.freedom))}


def find_inflation(problem: Problem, solution: LeastSquares) -> Array:
    """Return by how much each term's variance is inflated because the other terms resemble it; none for the intercept.

    1 / (1 - R_j^2) of term j on the others equals its variance times its own sum of squares, so no other fit is needed.

    Source: Marquardt (1970), Technometrics 12, 591-612; Belsley, Kuh and Welsch (1980), sec. 3.1.
    """
    weights = problem.roots**2
    centre = np.average(problem.design, axis=0, weights=weights) * problem.has_intercept
    inflation = np.asarray(solution.spreads**2 * (weights[:, None] * (problem.design - centre) ** 2).sum(axis=0))
    return np.where([name == INTERCEPT for name in problem.names], np.nan, inflation)


MODEL = Model(fit=fit_linear)
