"""What residuals say of the assumptions behind a fit: independent normal errors of one size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2, jarque_bera
from statsmodels.stats.stattools import durbin_watson

from phaseflow.models._least_squares import Array, LeastSquares, solve_least_squares

# Below this share of the response a residual is rounding, of which no distribution can be asked.
_ROUNDING = 1e-12


def examine_residuals(solution: LeastSquares, design: Array, response: Array) -> dict[str, Any]:
    """Test residuals for autocorrelation, uneven size and shape; no value where they are rounding errors alone.

    Durbin-Watson's statistic is near 2 where neighbours are unrelated, towards 0 where they are alike. Breusch and
    Pagan's is Koenker's form, n R^2 of the squared residuals on the terms.

    Source: Durbin and Watson (1950); Koenker (1981), J. Econometrics 17, 107-112, eq. 4; Jarque and Bera (1987).
    """
    residuals = solution.residuals
    names = ("durbin_watson", "breusch_pagan", "breusch_pagan_p", "jarque_bera", "jarque_bera_p")
    if np.abs(residuals).max() <= _ROUNDING * np.abs(response).max():
        return dict.fromkeys(names)
    squares = residuals**2
    left = solve_least_squares(design, squares).residual_sum
    score = len(squares) * (1 - left / float(((squares - squares.mean()) ** 2).sum()))
    freedom = design.shape[1] - 1
    normality = jarque_bera(residuals)
    values = (
        float(durbin_watson(residuals)),
        score if freedom else None,
        float(chi2.sf(score, freedom)) if freedom else None,
        float(normality.statistic),
        float(normality.pvalue),
    )
    return dict(zip(names, values, strict=True))


def describe_rows(solution: LeastSquares, response: Array) -> pd.DataFrame:
    """Return a row an observation: response, fitted, residual, leverage, studentized residual and Cook's distance.

    A studentized residual is divided by the standard deviation that the fit without its row gives it; it has none
    where its row alone determines a term (leverage 1).

    Source: Belsley, Kuh and Welsch (1980), Regression Diagnostics, eqs. 2.2, 2.26; Cook (1977), Technometrics 19, 15-18.
    """
    residuals, leverages, n_terms = solution.residuals, solution.leverages, len(solution.estimates)
    rest = 1 - leverages
    rest = np.where(rest > len(response) * np.finfo(float).eps, rest, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        without = (solution.residual_sum - residuals**2 / rest) / (solution.freedom - 1)
        studentized = residuals / np.sqrt(np.where(np.isfinite(without) & (without > 0), without, np.nan) * rest)
        distances = residuals**2 * leverages / (rest**2 * n_terms * solution.residual_std**2)
    return pd.DataFrame(
        {
            "row": np.arange(len(response)),
            "response": response,
            "fitted": response - residuals,
            "residual": residuals,
            "leverage": leverages,
            "studentized": studentized,
            "cook": distances,
        }
    )
