"""Stochastic systems calibrated to a series, by exact likelihoods where these are known.

Geometric Brownian motion has independent normal steps in the logarithm; its drift mu is kept apart from the growth
mu - sigma^2/2 of the logarithm. Ornstein and Uhlenbeck's process is linear autoregression, Cox, Ingersoll and Ross's has noncentral
chi-squared transitions; any other has an approximate likelihood.

Source: Campbell, Lo and MacKinlay (1997), The Econometrics of Financial Markets, sec. 9.3.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import jarque_bera, kurtosis, skew
from statsmodels.stats.diagnostic import acorr_ljungbox

from phaseflow.data import check_numbers
from phaseflow.errors import DataError
from phaseflow.kinds.diffusion import Law, recognise
from phaseflow.models import Fitted, Model
from phaseflow.models._least_squares import Array, tabulate_terms
from phaseflow.models._prices import fit_geometric
from phaseflow.models._reverting import fit_reverting
from phaseflow.models._scalar import fit_scalar
from phaseflow.models._series import Calibrated
from phaseflow.models._square_root import fit_square_root
from phaseflow.models._trajectories import split_members
from phaseflow.models._volatility import fit_garch, join_returns
from phaseflow.settings.fits import Fit
from phaseflow.settings.systems import System

_LAGS = 10
_FEWEST = 2 * _LAGS


def fit_diffusion(fit: Fit, table: pd.DataFrame, source: str, rng: np.random.Generator) -> Fitted:
    """Fit a stochastic system to a series, or to the series of each member together.

    Raises
    ------
    DataError : the series cannot be used: too short, not above 0 for prices, or it does not return to a mean.
    """
    if not isinstance(fit.diffusion, System) or fit.series is None:
        raise TypeError("this fit is of no diffusion that is written out")
    series, dt = read_series(fit, table, source)
    law = recognise(fit.diffusion)
    found = _calibrate(fit, fit.diffusion, law, series, dt, f"{source}, column {fit.series!r}", rng)
    about = {"model": "diffusion", "law": law.name, "table": fit.to, "series": fit.series, "dt": dt, "confidence": fit.confidence.value}
    terms = tabulate_terms(found.names, np.array(found.estimates), np.array(found.errors), math.inf, fit.confidence.value)
    if found.intervals is not None:
        terms[["ci_low", "ci_high"]] = found.intervals
    statistics = about | found.statistics | _judge(found.rows["residual"].dropna().to_numpy())
    if fit.volatility == "garch":
        more, garch = fit_garch(join_returns(series), fit.confidence.value)
        terms, statistics = pd.concat([terms, more], ignore_index=True), statistics | garch
    return Fitted(terms, statistics, found.rows)


def _calibrate(fit: Fit, system: System, law: Law, series: list[Array], dt: float, source: str, rng: np.random.Generator) -> Calibrated:
    confidence = fit.confidence.value
    if law.name == "geometric_brownian_motion":
        return fit_geometric(series, dt, law.names, source, confidence)
    if law.name == "scalar":
        return fit_scalar(series, dt, law.names, source, system)
    fit_law = fit_reverting if law.name == "ornstein_uhlenbeck" else fit_square_root
    return fit_law(series, dt, law.names, source, confidence, fit.replicates, rng)


def read_series(fit: Fit, table: pd.DataFrame, source: str) -> tuple[list[Array], float]:
    """Return the series of each member and the time between rows: as stated, or that of column t.

    Raises
    ------
    DataError : the column is no series of numbers, or is too short for the tests.
    """
    column = fit.series or ""
    if fit.dt is not None and "member" not in table:
        check_numbers(table, [column], source)
        series, dt = [table[column].to_numpy(dtype=float)], fit.dt.value
    else:
        samples, spacing = split_members(table, [column], source)
        series, dt = [sample[:, 0] for sample in samples], fit.dt.value if fit.dt is not None else spacing
    if sum(len(part) - 1 for part in series) < _FEWEST:
        raise DataError(f"{source}, column {column!r}: at least {_FEWEST} steps are wanted, not {sum(len(part) - 1 for part in series)}")
    return series, dt


def _judge(residuals: Array) -> dict[str, Any]:
    """Test whether standardized residuals are normal and unrelated, and whether their sizes are (their squares).

    Source: Jarque and Bera (1987); Ljung and Box (1978), Biometrika 65, 297-303; McLeod and Li (1983) for squares.
    """
    normality = jarque_bera(residuals)
    alike, clustered = (acorr_ljungbox(values, lags=[_LAGS]).iloc[0] for values in (residuals, residuals**2))
    return {
        "skewness": float(skew(residuals)),
        "excess_kurtosis": float(kurtosis(residuals)),
        "jarque_bera": float(normality.statistic),
        "jarque_bera_p": float(normality.pvalue),
        "ljung_box_lags": _LAGS,
        "ljung_box": float(alike["lb_stat"]),
        "ljung_box_p": float(alike["lb_pvalue"]),
        "ljung_box_squares": float(clustered["lb_stat"]),
        "ljung_box_squares_p": float(clustered["lb_pvalue"]),
    }


MODEL = Model(fit=fit_diffusion)
