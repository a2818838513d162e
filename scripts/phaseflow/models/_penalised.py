"""Ridge and lasso: coefficients shrunk by as much as cross-validation says.

Terms are centred and scaled to standard deviation 1, the intercept is not shrunk, and the penalty is the one of the least
squared error over the rows left out. The parts that are left out are fixed: every so many-th row belongs to the same one. The
estimates are biased on purpose, so that no standard error or interval is given.

Source: Hastie, Tibshirani and Friedman (2009), The Elements of Statistical Learning, 2nd ed., sec. 3.4, 7.10.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from phaseflow.errors import DataError
from phaseflow.models import Fitted
from phaseflow.models._design import INTERCEPT
from phaseflow.models._least_squares import Array, tabulate_terms
from phaseflow.settings.fits import Fit

_FOLDS = 5
_PENALTIES = 100
# From what share of the penalty that leaves nothing of the lasso's terms to what share; ridge never leaves nothing.
_RANGES = {"lasso": (1.0, 1e-6), "ridge": (1e3, 1e-9)}
_TOLERANCE, _STEPS = 1e-10, 100_000


@dataclass(frozen=True)
class _Scaled:
    """Columns centred and scaled, with what takes the coefficients back."""

    design: Array
    response: Array
    centres: Array
    spreads: Array
    mean: float

    @classmethod
    def of(cls, design: Array, response: Array, has_intercept: bool) -> _Scaled:
        centres = design.mean(axis=0) * has_intercept
        spreads = np.sqrt(((design - centres) ** 2).mean(axis=0))
        spreads = np.where(spreads > 0, spreads, 1.0)
        mean = float(response.mean()) * has_intercept
        return cls((design - centres) / spreads, response - mean, centres, spreads, mean)

    def restore(self, paths: Array) -> tuple[Array, Array]:
        """Return the intercepts and the coefficients of the columns as they were, one row a penalty."""
        coefficients = paths / self.spreads
        return self.mean - coefficients @ self.centres, coefficients


def fit_penalised(fit: Fit, names: Sequence[str], design: Array, response: Array, source: str, about: dict[str, Any]) -> Fitted:
    """Fit by ridge or lasso, with the penalty that predicts rows left out the best.

    Raises
    ------
    DataError : there are fewer rows than parts, or no term to shrink.
    """
    has_intercept, folds = names[:1] == [INTERCEPT], fit.folds or _FOLDS
    features = design[:, has_intercept:]
    if len(response) < 2 * folds:
        raise DataError(f"{source}: {len(response)} rows are too few for cross-validation in {folds} parts of 2 rows or more")
    if features.shape[1] == 0:
        raise DataError(f"{source}: the formula has no term but the intercept, so there is nothing to shrink")
    penalties = _list_penalties(str(fit.penalty), _Scaled.of(features, response, has_intercept))
    errors = _cross_validate(str(fit.penalty), features, response, penalties, folds, has_intercept)
    best = int(errors.argmin())
    intercepts, paths = _trace(str(fit.penalty), features, response, penalties[: best + 1], has_intercept)
    estimates = np.concatenate([intercepts[-1:], paths[-1]]) if has_intercept else paths[-1]
    terms = tabulate_terms(names, estimates, np.full(len(names), math.nan), math.inf, fit.confidence.value)
    fitted = design @ estimates
    total = float(((response - response.mean() * has_intercept) ** 2).sum())
    statistics = about | {
        "method": fit.penalty,
        "observations": len(response),
        "penalty": float(penalties[best]),
        "penalty_is_at_the_end": best in (0, len(penalties) - 1),
        "folds": folds,
        "cross_validated_error": float(np.sqrt(errors[best])),
        "terms_kept": int((paths[-1] != 0).sum()),
        "residual_sum_of_squares": float(((response - fitted) ** 2).sum()),
        "r_squared": 1 - float(((response - fitted) ** 2).sum()) / total if total > 0 else None,
        "r_squared_is_centred": has_intercept,
        "certification": "not certified: digits are certified for least squares alone",
        "intervals": "not available: shrunken estimates are biased on purpose, by an amount that the data do not tell",
    }
    return Fitted(terms, statistics, _list_rows(response, fitted))


def _list_penalties(kind: str, scaled: _Scaled) -> Array:
    """Return the penalties that are tried, from the largest to the smallest."""
    most = max(float(np.abs(scaled.design.T @ scaled.response).max()) / len(scaled.response), float(np.finfo(float).tiny))
    largest, smallest = _RANGES[kind]
    return np.geomspace(most * largest, most * smallest, _PENALTIES)


def _cross_validate(kind: str, features: Array, response: Array, penalties: Array, folds: int, has_intercept: bool) -> Array:
    """Return the mean squared error over the rows left out, for each penalty."""
    part = np.arange(len(response)) % folds
    squares = np.zeros(len(penalties))
    for fold in range(folds):
        kept, left = part != fold, part == fold
        intercepts, paths = _trace(kind, features[kept], response[kept], penalties, has_intercept)
        squares += ((response[left][:, None] - features[left] @ paths.T - intercepts) ** 2).sum(axis=0)
    return squares / len(response)


def _trace(kind: str, features: Array, response: Array, penalties: Array, has_intercept: bool) -> tuple[Array, Array]:
    """Return the intercepts and coefficients for each penalty, those of |y - Xb|^2 / 2n + penalty times |b|_1, or |b|_2^2 / 2."""
    scaled = _Scaled.of(features, response, has_intercept)
    return scaled.restore(_trace_ridge(scaled, penalties) if kind == "ridge" else _trace_lasso(scaled, penalties))


def _trace_ridge(scaled: _Scaled, penalties: Array) -> Array:
    left, singular, right = np.linalg.svd(scaled.design, full_matrices=False)
    shares = singular / (singular**2 + len(scaled.response) * penalties[:, None])
    return np.asarray((shares * (left.T @ scaled.response)) @ right)


def _trace_lasso(scaled: _Scaled, penalties: Array) -> Array:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import lasso_path

    with warnings.catch_warnings():
        # A penalty near zero may not converge; what cross-validation says of its end point is its error all the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        _, paths, _ = lasso_path(scaled.design, scaled.response, alphas=penalties, tol=_TOLERANCE, max_iter=_STEPS)
    return np.asarray(paths.T)


def _list_rows(response: Array, fitted: Array) -> pd.DataFrame:
    nothing = np.full(len(response), np.nan)
    columns = {"row": np.arange(len(response)), "response": response, "fitted": fitted, "residual": response - fitted}
    return pd.DataFrame(columns | dict.fromkeys(("leverage", "studentized", "cook"), nothing))
