"""Linear regression by ordinary least squares, with the statistics that judge it.

Source: Seber and Lee (2003), Linear Regression Analysis, 2nd ed., ch. 3, 4 and 11.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import f as fisher_f

from phaseflow.data import check_numbers
from phaseflow.errors import DataError
from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.formula import Formula, Term, parse_formula
from phaseflow.models import Fitted, Model
from phaseflow.models._least_squares import Array, LeastSquares, check_design, solve_least_squares, tabulate_terms
from phaseflow.models._residuals import describe_rows, examine_residuals
from phaseflow.settings.fits import Fit

INTERCEPT = "Intercept"


def fit_linear(fit: Fit, table: pd.DataFrame, source: str, _rng: np.random.Generator) -> Fitted:
    """Fit a formula to a table.

    Raises
    ------
    DataError : a column is missing, is no number or has no value somewhere, the terms are linearly
        dependent, or there are not more rows than terms.
    """
    formula = parse_formula(fit.linear or "")
    check_numbers(table, sorted(formula.columns), source)
    response = build_column(formula.response, table, source)
    names, design = build_design(formula, table, source)
    check_design(names, design, source)
    solution = solve_least_squares(design, response)
    terms = tabulate_terms(names, solution.estimates, solution.residual_std * solution.spreads, solution.freedom, fit.confidence.value)
    terms["vif"] = find_inflation(names, design, solution)
    statistics = {
        "model": "linear",
        "formula": fit.linear,
        "table": fit.to,
        "response": formula.response.name,
        "confidence": fit.confidence.value,
        **describe_fit(solution, response, formula.has_intercept),
        **examine_residuals(solution, design, response),
    }
    return Fitted(terms, statistics, describe_rows(solution, response))


def describe_fit(solution: LeastSquares, response: Array, has_intercept: bool) -> dict[str, Any]:
    """Return how well the terms explain the response; without an intercept sums of squares are about zero.

    The F test is of all terms but the intercept. AIC and BIC count the error's size among the parameters, as R does
    (statsmodels does not, which makes its AIC less by 2).

    Source: Seber and Lee (2003), sec. 4.3, 12.3.
    """
    n, residual_sum = len(response), solution.residual_sum
    centre = response.mean() if has_intercept else 0.0
    total = float(((response - centre) ** 2).sum())
    explained = len(solution.estimates) - has_intercept
    has_test = explained > 0 and residual_sum > 0
    variance_ratio = (total - residual_sum) / explained / solution.residual_std**2 if has_test else None
    log_likelihood = -n / 2 * (math.log(2 * math.pi * residual_sum / n) + 1) if residual_sum > 0 else None
    n_parameters = len(solution.estimates) + 1
    return {
        "observations": n,
        "degrees_of_freedom": solution.freedom,
        "residual_sum_of_squares": residual_sum,
        "residual_std": solution.residual_std,
        "r_squared": 1 - residual_sum / total if total > 0 else None,
        "r_squared_adjusted": 1 - residual_sum / solution.freedom / (total / (n - has_intercept)) if total > 0 else None,
        "r_squared_is_centred": has_intercept,
        "f": variance_ratio,
        "f_p": float(fisher_f.sf(variance_ratio, explained, solution.freedom)) if variance_ratio is not None else None,
        "log_likelihood": log_likelihood,
        "aic": 2 * n_parameters - 2 * log_likelihood if log_likelihood is not None else None,
        "bic": n_parameters * math.log(n) - 2 * log_likelihood if log_likelihood is not None else None,
        "condition_number": solution.condition,
    }


def find_inflation(names: list[str], design: Array, solution: LeastSquares) -> Array:
    """Return by how much each term's variance is inflated because the other terms resemble it; none for the intercept.

    1 / (1 - R_j^2) of term j on the others equals its variance times its own sum of squares, so no other fit is needed.

    Source: Marquardt (1970), Technometrics 12, 591-612; Belsley, Kuh and Welsch (1980), sec. 3.1.
    """
    has_intercept = INTERCEPT in names[:1]
    centred = design - design.mean(axis=0) * has_intercept
    inflation = np.asarray(solution.spreads**2 * (centred**2).sum(axis=0))
    return np.where([name == INTERCEPT for name in names], np.nan, inflation)


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


MODEL = Model(fit=fit_linear)
