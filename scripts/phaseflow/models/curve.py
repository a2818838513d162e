"""Nonlinear least squares with the exact Jacobian.

The trust-region method of Branch, Coleman and Li (1999) as scipy has it, scaled by the Jacobian's columns and run to
the last digits of a double, then Gauss-Newton steps by QR as long as they bring the gradient nearer to zero. Errors are
those of the linear problem at the minimum, from R of the Jacobian's QR, intervals from Student's t.

Source: Seber and Wild (1989), Nonlinear Regression, sec. 2.1, 2.8; Branch, Coleman and Li (1999), SIAM J. Sci. Comput. 21, 1-23.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import heyoka as hy
import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from scipy.stats import t as student_t

from phaseflow.data import check_numbers
from phaseflow.errors import DataError
from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.compiled import to_heyoka
from phaseflow.expressions.quantity import Expression
from phaseflow.models import Fitted, Model
from phaseflow.models._least_squares import Array, LeastSquares, check_design, solve_least_squares, tabulate_terms
from phaseflow.models._residuals import describe_rows
from phaseflow.settings.fits import Fit

# The least tolerance that means something in doubles: with scipy's own, 1e-8, hard problems end short of their minimum.
_TOLERANCE = 1e-15
_MAX_EVALUATIONS = 10_000
_MAX_REFINEMENTS = 20
# A point is a minimum where the residuals' part in the tangent plane is less than this share of them, or rounding of the data.
_STATIONARY, _ROUNDING = 1e-6, 1e-12
_GRID_POINTS = 201


def fit_curve(fit: Fit, table: pd.DataFrame, source: str, _rng: np.random.Generator) -> Fitted:
    """Fit a curve to a table; where the search ends at no minimum, estimates are given without errors.

    Raises
    ------
    DataError : a column cannot be used, the curve has no finite value at the start, or the data leave parameters undetermined.
    """
    if fit.curve is None or fit.response is None or fit.start is None:
        raise TypeError("this fit is of no curve")
    names, columns = list(fit.start), sorted(fit.curve.names - set(fit.start))
    check_numbers(table, sorted({*columns, *fit.response.names}), source)
    observed = _evaluate_response(fit.response, table, source)
    if len(observed) <= len(names):
        raise DataError(f"{source}: {len(observed)} rows cannot determine {len(names)} parameters and their errors")
    start = np.array([quantity.value for quantity in fit.start.values()])
    curve = Curve(fit.curve, names, columns)
    points = table[columns].to_numpy(dtype=float).T
    found = _search(curve, points, observed, start, source)
    solution = _solve_there(curve, points, observed, found, names, source)
    errors = solution.residual_std * solution.spreads if found.is_minimum else np.full(len(names), np.nan)
    terms = tabulate_terms(names, solution.estimates, errors, solution.freedom, fit.confidence.value)
    terms["start"] = start
    statistics = {"model": "curve", "curve": fit.curve.text, "response": fit.response.text, "table": fit.to} | _describe(solution, observed)
    statistics |= {"confidence": fit.confidence.value, "predictor": columns[0] if len(columns) == 1 else None} | found.describe()
    rows = describe_rows(solution, observed).assign(part="observed")
    if len(columns) == 1:
        rows["x"] = points[0]
        grid = _draw_curve(curve, points[0], solution if found.is_minimum else None, found.point, fit.confidence.value)
        rows = pd.concat([rows, grid], ignore_index=True)
    return Fitted(terms, statistics, rows)


class Curve:
    """A curve with its exact derivatives by its parameters, compiled."""

    def __init__(self, curve: Expression, names: Sequence[str], columns: Sequence[str]) -> None:
        # One small function: nothing of it is to be written into the user's home.
        hy.llvm_state.set_diskcache_enabled(False)
        variables = [hy.expression(name) for name in (*names, *columns)]
        tree = to_heyoka(curve.tree, dict(zip((*names, *columns), variables, strict=True)))
        slopes = [hy.diff(tree, variable) for variable in variables[: len(names)]]
        self._function = hy.cfunc([tree, *slopes], vars=variables)

    def evaluate(self, point: Array, columns: Array) -> tuple[Array, Array]:
        """Return the values, of shape (n_rows,), and the Jacobian, of shape (n_rows, n_parameters)."""
        inputs = np.vstack([np.repeat(np.asarray(point, dtype=float)[:, None], columns.shape[1], axis=1), columns])
        outputs = np.array(self._function(np.ascontiguousarray(inputs)))
        return outputs[0], outputs[1:].T


@dataclass(frozen=True)
class Found:
    """Where a search ended.

    Attributes
    ----------
    stationarity : the share of the residuals that lies in the tangent plane: 0 at a minimum.
    """

    point: Array
    evaluations: int
    stationarity: float
    is_minimum: bool
    message: str

    def describe(self) -> dict[str, Any]:
        """Return what the statistics say of the search."""
        about = {"converged": self.is_minimum, "stationarity": self.stationarity}
        return about | {"evaluations": self.evaluations, "message": self.message}


def _search(curve: Curve, columns: Array, observed: Array, start: Array, source: str) -> Found:
    values, slopes = curve.evaluate(start, columns)
    if not (np.isfinite(values).all() and np.isfinite(slopes).all()):
        row = int((~(np.isfinite(values) & np.isfinite(slopes).all(axis=1))).argmax())
        raise DataError(f"{source}: at the start the curve or its slope has no finite value in row {row + 1}: start elsewhere")
    outcome = least_squares(
        lambda point: curve.evaluate(point, columns)[0] - observed,
        start,
        jac=lambda point: curve.evaluate(point, columns)[1],
        method="trf",
        x_scale="jac",
        ftol=_TOLERANCE,
        xtol=_TOLERANCE,
        gtol=_TOLERANCE,
        max_nfev=_MAX_EVALUATIONS,
    )
    point, inside, evaluations = _refine(curve, columns, observed, outcome.x)
    residual = float(np.linalg.norm(curve.evaluate(point, columns)[0] - observed))
    is_minimum = inside <= _STATIONARY * residual + _ROUNDING * float(np.linalg.norm(observed))
    share = inside / residual if residual > 0 else 0.0
    return Found(point, int(outcome.nfev) + evaluations, share, is_minimum, str(outcome.message))


def _refine(curve: Curve, columns: Array, observed: Array, point: Array) -> tuple[Array, float, int]:
    """Take Gauss-Newton steps while they shrink the residuals' part in the tangent plane; return it and the evaluations."""
    step, inside = _project(curve, columns, observed, point)
    for count in range(_MAX_REFINEMENTS):
        next_step, next_inside = _project(curve, columns, observed, point + step)
        if not next_inside < inside:
            return point, inside, count + 1
        point, step, inside = point + step, next_step, next_inside
    return point, inside, _MAX_REFINEMENTS


def _project(curve: Curve, columns: Array, observed: Array, point: Array) -> tuple[Array, float]:
    """Return the Gauss-Newton step and the length of the residuals' part in the tangent plane."""
    values, slopes = curve.evaluate(point, columns)
    norms = np.linalg.norm(slopes, axis=0)
    if not (np.isfinite(values).all() and np.isfinite(slopes).all() and norms.all()):
        return np.zeros_like(point), np.inf
    orthogonal, triangle = np.linalg.qr(slopes / norms)
    inside = orthogonal.T @ (observed - values)
    step = np.linalg.lstsq(triangle, inside)[0] / norms
    return step, float(np.linalg.norm(inside))


def _solve_there(curve: Curve, columns: Array, observed: Array, found: Found, names: list[str], source: str) -> LeastSquares:
    """Return the linear problem at a point, with the point as its estimates and the curve's own residuals."""
    values, slopes = curve.evaluate(found.point, columns)
    where = ", ".join(f"{name} = {value:.4g}" for name, value in zip(names, found.point, strict=True))
    if not np.isfinite(slopes).all():
        raise DataError(f"{source}: the search ended near {where}, where the curve has no finite slope: start elsewhere")
    check_design(names, slopes, f"{source}: the data do not determine all parameters near {where}")
    residuals = observed - values
    return replace(solve_least_squares(slopes, residuals), estimates=found.point, residuals=residuals)


def _evaluate_response(response: Expression, table: pd.DataFrame, source: str) -> Array:
    observed = evaluate(response.tree, {name: table[name].to_numpy(dtype=float) for name in response.names})
    if not np.isfinite(observed).all():
        row = int((~np.isfinite(observed)).argmax())
        raise DataError(f"{source}: the response {response.text!r} has no finite value in row {row + 1}")
    return np.asarray(observed)


def _describe(solution: LeastSquares, observed: Array) -> dict[str, Any]:
    total = float(((observed - observed.mean()) ** 2).sum())
    return {
        "observations": len(observed),
        "degrees_of_freedom": solution.freedom,
        "residual_sum_of_squares": solution.residual_sum,
        "residual_std": solution.residual_std,
        "r_squared": 1 - solution.residual_sum / total if total > 0 else None,
        "r_squared_is_centred": True,
        "condition_number": solution.condition,
    }


def _draw_curve(curve: Curve, x: Array, solution: LeastSquares | None, point: Array, confidence: float) -> pd.DataFrame:
    """Return the curve on a grid over the data, with the pointwise confidence band of its mean where there are errors."""
    grid = np.linspace(x.min(), x.max(), _GRID_POINTS)
    values, slopes = curve.evaluate(point, grid[None, :])
    reach = np.full_like(values, np.nan)
    if solution is not None:
        spread = np.linalg.norm(slopes @ solution.inverse, axis=1)
        reach = student_t.ppf(0.5 + confidence / 2, solution.freedom) * solution.residual_std * spread
    return pd.DataFrame({"part": "curve", "x": grid, "fitted": values, "band_low": values - reach, "band_high": values + reach})


MODEL = Model(fit=fit_curve)
