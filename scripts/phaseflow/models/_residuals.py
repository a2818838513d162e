"""What residuals say of the assumptions behind a fit: independent normal errors of one size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2, jarque_bera, shapiro

from phaseflow.models._least_squares import Array, LeastSquares

# Below this share of the response a residual is rounding, of which no distribution can be asked.
_ROUNDING = 1e-12


_MOST_LAGS, _MOST_FOR_SHAPIRO = 10, 5_000


def examine_residuals(solution: LeastSquares, response: Array) -> dict[str, Any]:
    """Test residuals for autocorrelation, uneven size and shape; no value where they are rounding errors alone.

    Durbin-Watson's statistic is near 2 where neighbours are unrelated, towards 0 where they are alike. Breusch and
    Pagan's is Koenker's form, n R^2 of the squared residuals on the terms; Breusch and Godfrey's n R^2 of the residuals on
    the terms and the residuals of rows before.

    Source: Durbin and Watson (1950); Koenker (1981), J. Econometrics 17, 107-112, eq. 4; Godfrey (1978), Econometrica 46,
    1293-1301; Ljung and Box (1978), Biometrika 65, 297-303; Jarque and Bera (1987); Shapiro and Wilk (1965), Biometrika 52.
    """
    residuals, n = solution.residuals, len(response)
    if np.abs(residuals).max() <= _ROUNDING * np.abs(response).max():
        return dict.fromkeys(_TESTS)
    lags = min(_MOST_LAGS, n // 5)
    normality = jarque_bera(residuals)
    shape = shapiro(residuals) if 3 <= n <= _MOST_FOR_SHAPIRO else (None, None)
    values = (
        float((np.diff(residuals) ** 2).sum() / (residuals @ residuals)),
        *_score(solution.basis, residuals**2, solution.basis.shape[1] - 1),
        *_score_lags(solution, lags),
        *_add_up_correlations(residuals, lags),
        lags or None,
        float(normality.statistic),
        float(normality.pvalue),
        *(None if value is None else float(value) for value in shape),
    )
    return dict(zip(_TESTS, values, strict=True))


_TESTS = (
    "durbin_watson", "breusch_pagan", "breusch_pagan_p", "breusch_godfrey", "breusch_godfrey_p", "ljung_box", "ljung_box_p", "lags_tested",
    "jarque_bera", "jarque_bera_p", "shapiro_wilk", "shapiro_wilk_p",
)  # fmt: skip


def _add_up_correlations(residuals: Array, lags: int) -> tuple[float | None, float | None]:
    """Return Ljung and Box's sum of squared autocorrelations, and its probability."""
    if lags == 0:
        return None, None
    n, centred = len(residuals), residuals - residuals.mean()
    correlations = [float(centred[lag:] @ centred[:-lag]) / float(centred @ centred) for lag in range(1, lags + 1)]
    total = n * (n + 2) * sum(value**2 / (n - lag) for lag, value in enumerate(correlations, 1))
    return total, float(chi2.sf(total, lags))


def _score(basis: Array, values: Array, freedom: int) -> tuple[float | None, float | None]:
    """Return n R^2 of values on an orthonormal basis, and its probability."""
    total = float(((values - values.mean()) ** 2).sum())
    if freedom <= 0 or total == 0:
        return None, None
    score = len(values) * (1 - float(((values - basis @ (basis.T @ values)) ** 2).sum()) / total)
    return score, float(chi2.sf(score, freedom))


def _score_lags(solution: LeastSquares, lags: int) -> tuple[float | None, float | None]:
    """Return n R^2 about zero of the residuals on the terms and the residuals of the rows before, and its probability."""
    residuals, n = solution.residuals, len(solution.residuals)
    if lags == 0 or n <= solution.basis.shape[1] + lags:
        return None, None
    earlier = np.stack([np.concatenate([np.zeros(lag), residuals[:-lag]]) for lag in range(1, lags + 1)], axis=1)
    design = np.hstack([solution.basis, earlier / np.linalg.norm(residuals)])
    left = residuals - design @ np.linalg.lstsq(design, residuals)[0]
    score = n * (1 - float(left @ left) / float(residuals @ residuals))
    return score, float(chi2.sf(score, lags))


def describe_rows(solution: LeastSquares, response: Array, roots: Array | float = 1.0) -> pd.DataFrame:
    """Return a row an observation: response, fitted, residual, leverage, studentized residual, Cook's distance and DFFITS.

    A studentized residual is divided by the standard deviation that the fit without its row gives it; it has none
    where its row alone determines a term (leverage 1). DFFITS is by how many standard errors the row moves its own fit.

    Parameters
    ----------
    roots : the square roots of the weights, by which the solution's residuals are multiplied.

    Source: Belsley, Kuh and Welsch (1980), Regression Diagnostics, eqs. 2.2, 2.11, 2.26; Cook (1977), Technometrics 19, 15-18.
    """
    residuals, leverages, n_terms = solution.residuals, solution.leverages, len(solution.estimates)
    rest = 1 - leverages
    rest = np.where(rest > len(response) * np.finfo(float).eps, rest, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        without = (solution.residual_sum - residuals**2 / rest) / (solution.freedom - 1)
        studentized = residuals / np.sqrt(np.where(np.isfinite(without) & (without > 0), without, np.nan) * rest)
        distances = residuals**2 * leverages / (rest**2 * n_terms * solution.residual_std**2)
        moves = studentized * np.sqrt(leverages / rest)
    return pd.DataFrame(
        {
            "row": np.arange(len(response)),
            "response": response,
            "fitted": response - residuals / roots,
            "residual": residuals / roots,
            "leverage": leverages,
            "studentized": studentized,
            "cook": distances,
            "dffits": moves,
        }
    )
