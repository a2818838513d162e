"""Nonlinear least squares: searched in doubles, refined in high precision, and proven to be a minimum.

The search has the exact Jacobian (`_descent`); its answer is refined by Newton's method in balls, with the data as they
are written, and Krawczyk's test proves that one stationary point lies there, a minimum (`_minimum`). So every digit of the
estimates and of their errors that is claimed is right. Whether another minimum lies lower is not proven: several starts look.

Source: Seber and Wild (1989), Nonlinear Regression, sec. 2.1, 2.8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from flint import ctx
from scipy.stats import t as student_t

from phaseflow.errors import DataError
from phaseflow.models import Fitted, Model
from phaseflow.models._balls import factor_positive, round_solution
from phaseflow.models._descent import Curve, Found, Target, search_from_all, spread_starts
from phaseflow.models._design import Column, Rows, read_rows
from phaseflow.models._digits import count_digits, find_root, round_to_double
from phaseflow.models._least_squares import Array, LeastSquares, check_design, check_rows, solve_least_squares, tabulate_terms
from phaseflow.models._minimum import Proven, Shape, UnprovenError, find_variances, prove_minimum
from phaseflow.models._profiles import find_profile_intervals
from phaseflow.models._residuals import describe_rows, examine_residuals
from phaseflow.settings.fits import Fit

_GRID_POINTS = 201


@dataclass(frozen=True)
class Problem:
    """A curve, its parameters and the rows that it is fitted to."""

    fit: Fit
    rows: Rows
    names: list[str]
    columns: list[str]
    start: Array
    curve: Curve
    target: Target

    @property
    def response(self) -> Column:
        """The column that is explained."""
        return Column(str(self.fit.response), (self.fit.response,) if self.fit.response is not None else ())

    @property
    def weights(self) -> Column | None:
        """The column of weights."""
        return Column(self.fit.weights.text, (self.fit.weights,)) if self.fit.weights is not None else None


@dataclass(frozen=True)
class Answer:
    """The parameters with their errors, and what is proven of them.

    Attributes
    ----------
    solution : the linear problem of the free parameters at the minimum.
    errors : shape (n_free,), by the Jacobian or the Hessian as asked for.
    others : shape (n_free,), by the other one.
    digits : certified for each free parameter, where the minimum is proven.
    reason : what was proven, or why nothing was.
    """

    solution: LeastSquares
    errors: Array
    others: Array
    digits: list[int] | None
    reason: str
    reach: float = math.nan


def fit_curve(fit: Fit, table: pd.DataFrame, source: str, _rng: np.random.Generator) -> Fitted:
    """Fit a curve to a table; where the search ends at no minimum, estimates are given without errors.

    Raises
    ------
    DataError : a column cannot be used, the curve has no finite value at the start, or the data leave parameters undetermined.
    """
    problem = build_problem(fit, table, source)
    _check_start(problem)
    starts = spread_starts(problem.start, problem.target.lower, problem.target.upper, fit.starts or 1)
    found, tried = search_from_all(problem.target, starts)
    solution = _linearise(problem, found)
    answer = _certify(problem, found, solution) if found.is_minimum else _give_up(solution)
    terms = _tabulate(problem, found, answer)
    statistics = _describe(problem, found, answer) | tried | found.describe()
    return Fitted(terms, statistics, _list_rows(problem, found, answer))


def build_problem(fit: Fit, table: pd.DataFrame, source: str) -> Problem:
    """Return what a fit is made of.

    Raises
    ------
    DataError : as for `fit_curve`; weights are to be above zero.
    """
    if fit.curve is None or fit.response is None or fit.start is None:
        raise TypeError("this fit is of no curve")
    names, columns = list(fit.start), sorted(fit.curve.names - set(fit.start))
    weighted = fit.weights.names if fit.weights is not None else frozenset()
    rows = read_rows(table, frozenset(columns) | fit.response.names | weighted, frozenset(), source)
    check_rows(names, len(rows), source, "parameters")
    observed = rows.evaluate(Column(fit.response.text, (fit.response,)), "response")
    weights = rows.evaluate(Column(fit.weights.text, (fit.weights,)), "weight") if fit.weights is not None else np.ones(len(rows))
    if not (weights > 0).all():
        raise DataError(f"{source}: the weight {fit.weights} is not above zero in row {int((weights <= 0).argmax()) + 1}")
    bounds = [(fit.bounds or {}).get(name) for name in names]
    lower = np.array([b.lower.value if b is not None and b.lower is not None else -math.inf for b in bounds])
    upper = np.array([b.upper.value if b is not None and b.upper is not None else math.inf for b in bounds])
    points = table[columns].to_numpy(dtype=float).T.reshape(len(columns), len(rows))
    curve = Curve(fit.curve, names, columns)
    target = Target(curve, points, observed, np.sqrt(weights), lower, upper)
    return Problem(fit, rows, names, columns, np.array([quantity.value for quantity in fit.start.values()]), curve, target)


def _check_start(problem: Problem) -> None:
    missing, slopes = problem.target.miss(problem.start)
    is_finite = np.isfinite(missing) & np.isfinite(slopes).all(axis=1)
    if not is_finite.all():
        row = int((~is_finite).argmax())
        raise DataError(f"{problem.rows.source}: at the start the curve or its slope has no finite value in row {row + 1}: start elsewhere")


def _linearise(problem: Problem, found: Found) -> LeastSquares:
    """Return the linear problem of the free parameters where a search ended, in doubles."""
    missing, slopes = problem.target.miss(found.point)
    where = ", ".join(f"{name} = {value:.4g}" for name, value in zip(problem.names, found.point, strict=True))
    source, free = problem.rows.source, ~found.is_held
    if not np.isfinite(slopes).all():
        raise DataError(f"{source}: the search ended near {where}, where the curve has no finite slope: start elsewhere")
    names = [name for name, is_free in zip(problem.names, free, strict=True) if is_free]
    if not names:
        raise DataError(f"{source}: the search ended with every parameter at a bound, near {where}")
    check_design(names, slopes[:, free], f"{source}: the data do not determine all parameters near {where}")
    return replace(solve_least_squares(slopes[:, free], missing), estimates=found.point[free], residuals=missing)


def _give_up(solution: LeastSquares) -> Answer:
    nothing = np.full(len(solution.estimates), np.nan)
    return Answer(solution, nothing, nothing, None, "not certified: the search ended at no minimum")


# -- what is proven


def _certify(problem: Problem, found: Found, solution: LeastSquares) -> Answer:
    """Return the proven minimum next to where a search ended, or what doubles have and why there is no proof."""
    limit, size = problem.fit.exact_limit, len(problem.rows) * len(problem.names) ** 2
    if size > limit:
        reason = f"not certified: rows times squared parameters are {size}, more than exact_up_to ({limit})"
        return _answer_in_doubles(problem, found, solution, reason)
    try:
        proven = prove_minimum(_shape(problem, found, solution), solution.estimates)
        _check_held(problem, found, proven)
        return _answer_exactly(problem, proven, solution)
    except UnprovenError as error:
        return _answer_in_doubles(problem, found, solution, f"not certified: {error}")


def _shape(problem: Problem, found: Found, solution: LeastSquares) -> Shape:
    if problem.fit.curve is None:
        raise TypeError("this fit is of no curve")
    held = {name: _find_bound(problem, found, place) for place, name in enumerate(problem.names) if found.is_held[place]}
    free = [name for name in problem.names if name not in held]
    # Where the curve meets the data exactly there is no error to measure by: rounding takes its place.
    size = max(solution.residual_std, np.finfo(float).eps * float(np.linalg.norm(problem.target.roots * problem.target.observed)))
    axes = solution.inverse * (size or 1.0)
    return Shape(problem.fit.curve, problem.rows, problem.response, problem.weights, free, held, axes)


def _find_bound(problem: Problem, found: Found, place: int) -> Any:
    """Return the exact value of the bound that a parameter is held at."""
    bounds = (problem.fit.bounds or {})[problem.names[place]]
    bound = bounds.lower if found.point[place] == problem.target.lower[place] else bounds.upper
    if bound is None:
        raise TypeError("a parameter is held at no bound")
    return bound.exact if bound.exact is not None else Fraction(bound.value)


def _check_held(problem: Problem, found: Found, proven: Proven) -> None:
    for name, pull in proven.pulls.items():
        place = problem.names.index(name)
        is_low = found.point[place] == problem.target.lower[place]
        if not (pull > 0 if is_low else pull < 0):
            raise UnprovenError(f"it is not proven that {name} belongs at its bound")


def _answer_exactly(problem: Problem, proven: Proven, solution: LeastSquares) -> Answer:
    with ctx.workprec(proven.bits):
        try:
            triangle = factor_positive(proven.balls.inverse)
            inverses = proven.balls.inverse, proven.hessian.inv()
        except ArithmeticError:
            raise UnprovenError("no precision was enough for the errors") from None
        sets = [[find_root(ball) for ball in find_variances(proven.balls, inverse)] for inverse in inverses]
        if problem.fit.errors == "hessian":
            sets.reverse()
        rounded = round_solution(proven.balls, triangle)
        errors, others = (np.array([round_to_double(ball) for ball in balls]) for balls in sets)
        estimates = [row[0] for row in proven.balls.estimates.tolist()]
        digits = [
            min(count_digits(estimate, ball), count_digits(error, of_error))
            for estimate, ball, error, of_error in zip(rounded.estimates, estimates, errors, sets[0], strict=True)
        ]
    reason = "one minimum is proven there, by Krawczyk's test with the data as they are written"
    return Answer(replace(rounded, condition=solution.condition), errors, others, digits, reason, proven.reach)


def _answer_in_doubles(problem: Problem, found: Found, solution: LeastSquares, reason: str) -> Answer:
    by_jacobian = solution.residual_std * solution.spreads
    free = ~found.is_held
    bend = problem.curve.bend(found.point, problem.target.columns, problem.target.roots * problem.target.miss(found.point)[0])
    # H = J'WJ - B, and with T T' = (J'WJ)^-1 its inverse is T (1 - T'BT)^-1 T'.
    inner = np.eye(int(free.sum())) - solution.inverse.T @ bend[np.ix_(free, free)] @ solution.inverse
    by_hessian = np.full(len(by_jacobian), np.nan)
    if np.linalg.eigvalsh(inner)[0] > 0:
        by_hessian = solution.residual_std * np.linalg.norm(np.linalg.solve(np.linalg.cholesky(inner), solution.inverse.T), axis=0)
    if problem.fit.errors == "hessian":
        return Answer(solution, by_hessian, by_jacobian, None, reason)
    return Answer(solution, by_jacobian, by_hessian, None, reason)


# -- what is written


def _tabulate(problem: Problem, found: Found, answer: Answer) -> pd.DataFrame:
    free, n = ~found.is_held, len(problem.names)
    columns = {"estimate": found.point.copy(), "error": np.full(n, np.nan), "other": np.full(n, np.nan)}
    for name, values in (("estimate", answer.solution.estimates), ("error", answer.errors), ("other", answer.others)):
        columns[name][free] = values
    terms = tabulate_terms(problem.names, columns["estimate"], columns["error"], answer.solution.freedom, problem.fit.confidence.value)
    if answer.digits is not None:
        certified = iter(answer.digits)
        terms["certified_digits"] = pd.array([next(certified) if is_free else None for is_free in free], dtype="Int64")
    terms["std_error_by_jacobian" if problem.fit.errors == "hessian" else "std_error_by_hessian"] = columns["other"]
    terms["start"] = problem.start
    terms["at_bound"] = found.is_held
    if problem.fit.profile is not False:
        covariance = np.zeros((n, n))
        covariance[np.ix_(free, free)] = answer.solution.residual_std**2 * answer.solution.inverse @ answer.solution.inverse.T
        ends = np.full((n, 2), np.nan)
        if np.isfinite(answer.errors).all():
            reach = student_t.ppf(0.5 + problem.fit.confidence.value / 2, answer.solution.freedom)
            ends = find_profile_intervals(problem.target, columns["estimate"], covariance, found.is_held, reach)
        terms["profile_low"], terms["profile_high"] = ends.T
    return terms


def _describe(problem: Problem, found: Found, answer: Answer) -> dict[str, Any]:
    fit, solution, observed, weights = problem.fit, answer.solution, problem.target.observed, problem.target.roots**2
    total = float((weights * (observed - np.average(observed, weights=weights)) ** 2).sum())
    n, left, n_parameters = len(observed), solution.residual_sum, len(problem.names) + 1
    log_likelihood = None
    if left > 0:
        log_likelihood = -n / 2 * (math.log(2 * math.pi * left / n) + 1) + float(np.log(problem.target.roots).sum())
    return {
        "model": "curve",
        "curve": str(fit.curve),
        "response": str(fit.response),
        "table": fit.to,
        "weights": fit.weights.text if fit.weights is not None else None,
        "observations": n,
        "degrees_of_freedom": solution.freedom,
        "residual_sum_of_squares": left,
        "residual_std": solution.residual_std,
        "r_squared": 1 - left / total if total > 0 else None,
        "r_squared_is_centred": True,
        "log_likelihood": log_likelihood,
        "aic": 2 * n_parameters - 2 * log_likelihood if log_likelihood is not None else None,
        "bic": n_parameters * math.log(n) - 2 * log_likelihood if log_likelihood is not None else None,
        "condition_number": solution.condition,
        "confidence": fit.confidence.value,
        "predictor": problem.columns[0] if len(problem.columns) == 1 else None,
        "errors_from": fit.errors or "jacobian",
        "at_bound": [name for name, is_held in zip(problem.names, found.is_held, strict=True) if is_held],
        "minimum_is_proven": answer.digits is not None,
        "certification": answer.reason,
        "alone_within_std_errors": answer.reach,
        **examine_residuals(solution, problem.target.roots * observed),
    }


def _list_rows(problem: Problem, found: Found, answer: Answer) -> pd.DataFrame:
    """Return a row an observation, and with one predictor the curve on a grid over the data, with bands where there are errors."""
    point = found.point.copy()
    point[~found.is_held] = answer.solution.estimates
    rows = describe_rows(answer.solution, problem.target.observed, problem.target.roots).assign(part="observed")
    slopes = problem.curve.evaluate(point, problem.target.columns)[1]
    rows = rows.assign(**_draw_bands(problem, found, answer, rows["fitted"].to_numpy(), slopes))
    if len(problem.columns) != 1:
        return rows
    x = problem.target.columns[0]
    grid = np.linspace(x.min(), x.max(), _GRID_POINTS)
    values, slopes = problem.curve.evaluate(point, grid[None, :])
    curve = pd.DataFrame({"part": "curve", "x": grid, "fitted": values} | _draw_bands(problem, found, answer, values, slopes))
    return pd.concat([rows.assign(x=x), curve], ignore_index=True)


def _draw_bands(problem: Problem, found: Found, answer: Answer, values: Array, slopes: Array) -> dict[str, Array]:
    """Return the ends of the confidence band of the curve, and of the band for one more observation of weight 1, point by point."""
    solution, nothing = answer.solution, np.full(len(values), np.nan)
    if not np.isfinite(answer.errors).all():
        return dict.fromkeys(("band_low", "band_high", "prediction_low", "prediction_high"), nothing)
    spread = np.linalg.norm(slopes[:, ~found.is_held] @ solution.inverse, axis=1)
    reach = student_t.ppf(0.5 + problem.fit.confidence.value / 2, solution.freedom) * solution.residual_std
    wide = reach * np.sqrt(1 + spread**2) if problem.fit.weights is None else nothing
    band = {"band_low": values - reach * spread, "band_high": values + reach * spread}
    return band | {"prediction_low": values - wide, "prediction_high": values + wide}


MODEL = Model(fit=fit_curve)
