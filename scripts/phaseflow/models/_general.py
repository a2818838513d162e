"""Generalised linear models: the mean's link is linear in the terms, the response of an exponential family.

Estimates by iteratively reweighted least squares as statsmodels has it, of columns scaled to length 1, with intervals by
the normal distribution. Their digits are not certified.

Source: McCullagh and Nelder (1989), Generalized Linear Models, 2nd ed., ch. 2.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.optimize import linprog
from scipy.stats import chi2
from statsmodels.tools.sm_exceptions import PerfectSeparationError, PerfectSeparationWarning

from phaseflow.errors import DataError
from phaseflow.models import Fitted
from phaseflow.models._design import INTERCEPT
from phaseflow.models._least_squares import Array, check_design, tabulate_terms
from phaseflow.models._sandwich import Sandwich
from phaseflow.settings.fits import FAMILIES, Fit

_LINKS = {
    "identity": "Identity", "log": "Log", "logit": "Logit", "probit": "Probit", "cloglog": "CLogLog", "inverse": "InversePower",
    "sqrt": "Sqrt",
}  # fmt: skip
_FAMILIES = {"gaussian": "Gaussian", "binomial": "Binomial", "poisson": "Poisson", "gamma": "Gamma"}
_ITERATIONS, _TOLERANCE = 200, 1e-12
# What the linear program's answer may be off from zero, of columns of length 1.
_SEPARATED = 1e-6


def fit_general(
    fit: Fit,
    names: Sequence[str],
    design: Array,
    response: Array,
    weights: Array,
    source: str,
    sandwich: Sandwich | None,
    about: dict[str, Any],
) -> Fitted:
    """Fit a generalised linear model.

    Raises
    ------
    DataError : the response is outside the family's range, the terms are dependent, or the likelihood has no greatest value.
    """
    family, link = str(fit.family), fit.link or FAMILIES[str(fit.family)][0]
    _check_range(family, response, about["response"], source)
    check_design(names, design, source)
    norms = np.linalg.norm(design, axis=0)
    _check_separation(family, link, design / norms, response, source)
    found = _fit(family, link, design / norms, response, weights, sandwich, source)
    estimates, errors = np.asarray(found.params) / norms, np.asarray(found.bse) / norms
    terms = tabulate_terms(names, estimates, errors, math.inf, fit.confidence.value).rename(columns={"t": "z"})
    statistics = about | {
        "method": "generalised linear model",
        "family": family,
        "link": link,
        "covariance": fit.covariance or "classical",
        "lags": sandwich.lags if sandwich is not None and sandwich.kind == "HAC" else None,
        "weights": fit.weights.text if fit.weights is not None else None,
        "certification": "not certified: digits are certified for least squares alone",
        **_describe(found, design, names[:1] == [INTERCEPT]),
    }
    return Fitted(terms, statistics, _list_rows(found, response))


def _check_range(family: str, response: Array, name: str, source: str) -> None:
    wrong = {
        "gaussian": np.zeros(len(response), dtype=bool),
        "binomial": (response < 0) | (response > 1),
        "poisson": (response < 0) | (response != np.floor(response)),
        "gamma": response <= 0,
    }[family]
    wanted = {"binomial": "between 0 and 1", "poisson": "a whole number from 0 on", "gamma": "above 0"}.get(family)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"{source}: the response {name!r} is {response[row]:g} in row {row + 1}; the family {family} wants it {wanted}")


def _check_separation(family: str, link: str, design: Array, response: Array, source: str) -> None:
    """Check that the likelihood does not rise for ever along some direction, by a linear program.

    Source: Albert and Anderson (1984), Biometrika 71, 1-10; Santos Silva and Tenreyro (2010), Economics Letters 107, 310-312.
    """
    if family == "binomial" and link != "log":
        sides = np.where(response == 1, 1, np.where(response == 0, -1, 0))
    elif family == "poisson" and link == "log":
        sides = np.where(response == 0, -1, 0)
    else:
        return
    pushed, still = (sides[:, None] * design)[sides != 0], design[sides == 0]
    if len(pushed) == 0:
        return
    options = {"A_eq": still, "b_eq": np.zeros(len(still))} if len(still) else {}
    ahead = linprog(-pushed.sum(axis=0), A_ub=-pushed, b_ub=np.zeros(len(pushed)), bounds=(-1, 1), **options)
    if ahead.status == 0 and -ahead.fun > _SEPARATED:
        count = int((pushed @ ahead.x > _SEPARATED).sum())
        raise DataError(f"{source}: the terms separate the response perfectly in {count} rows: the likelihood has no greatest value")


def _fit(family: str, link: str, design: Array, response: Array, weights: Array, sandwich: Sandwich | None, source: str) -> Any:
    distribution = getattr(sm.families, _FAMILIES[family])
    options: dict[str, Any] = {}
    if sandwich is not None:
        options = {"cov_type": sandwich.kind} | ({"cov_kwds": {"maxlags": sandwich.lags}} if sandwich.kind == "HAC" else {})
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", PerfectSeparationWarning)
        try:
            chosen = distribution(link=getattr(sm.families.links, _LINKS[link])())
            found = sm.GLM(response, design, family=chosen, var_weights=weights).fit(maxiter=_ITERATIONS, tol=_TOLERANCE, **options)
        except (PerfectSeparationWarning, PerfectSeparationError):
            raise DataError(f"{source}: the terms separate the response perfectly: the likelihood has no greatest value") from None
        except (ValueError, np.linalg.LinAlgError) as error:
            raise DataError(f"{source}: the family {family} with the link {link} cannot be fitted: {error}") from None
    if not (found.converged and np.isfinite(found.params).all() and np.isfinite(found.bse).all()):
        raise DataError(f"{source}: the likelihood of the family {family} with the link {link} has no greatest value that could be found")
    return found


def _describe(found: Any, design: Array, has_intercept: bool) -> dict[str, Any]:
    gain = float(found.null_deviance - found.deviance)
    explained = (design.shape[1] - 1) * has_intercept
    return {
        "observations": int(found.nobs),
        "degrees_of_freedom": int(found.df_resid),
        "deviance": float(found.deviance),
        "null_deviance": float(found.null_deviance),
        "deviance_explained": gain / float(found.null_deviance) if found.null_deviance > 0 else None,
        "likelihood_ratio": gain / float(found.scale) if explained else None,
        "likelihood_ratio_p": float(chi2.sf(gain / float(found.scale), explained)) if explained else None,
        "pearson_chi2": float(found.pearson_chi2),
        "dispersion": float(found.scale),
        "overdispersion": float(found.pearson_chi2) / int(found.df_resid),
        "log_likelihood": float(found.llf),
        "aic": float(found.aic),
        "bic": float(found.bic_llf),
        "condition_number": float(np.linalg.cond(design / np.linalg.norm(design, axis=0))),
    }


def _list_rows(found: Any, response: Array) -> pd.DataFrame:
    """Return a row an observation, its residual divided by the standard deviation that family and leverage give it (Pearson's)."""
    with np.errstate(all="ignore"):
        # A row that alone determines a term has neither.
        influence, fitted = found.get_influence(observed=False), np.asarray(found.fittedvalues)
        studentized, distances = np.asarray(influence.resid_studentized), np.asarray(influence.cooks_distance[0])
    leverages = np.asarray(influence.hat_matrix_diag)
    is_free = 1 - leverages > len(response) * np.finfo(float).eps
    return pd.DataFrame(
        {
            "row": np.arange(len(response)),
            "response": response,
            "fitted": fitted,
            "residual": response - fitted,
            "deviance_residual": np.asarray(found.resid_deviance),
            "leverage": leverages,
            "studentized": np.where(is_free, studentized, np.nan),
            "cook": np.where(is_free, distances, np.nan),
        }
    )
