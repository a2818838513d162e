"""GARCH(1,1): the variance of a price's steps, which follows its own past, beside one that is constant.

variance_t = omega + alpha (step_{t-1} - mean)^2 + beta variance_{t-1}; the half-life of a burst is log(1/2) / log(alpha + beta) steps.

Source: Bollerslev (1986), J. Econometrics 31, 307-327; fitted by the arch package, errors of Bollerslev and Wooldridge (1992).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from phaseflow.models._comparison import compare_losses
from phaseflow.models._least_squares import Array

# arch wants steps of about one to a thousand.
_PERCENT = 100.0
_NAMES = {"omega": "garch_omega", "alpha[1]": "garch_alpha", "beta[1]": "garch_beta"}


def fit_garch(returns: Array, confidence: float) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the terms of the variance, of steps in per cent, and how it compares with a constant one."""
    from arch import arch_model

    steps, half = _PERCENT * returns, len(returns) // 2
    with warnings.catch_warnings():
        # Said in `garch_converged` instead.
        warnings.simplefilter("ignore")
        model = arch_model(steps, mean="Constant", vol="GARCH", p=1, q=1, rescale=False)
        fitted = model.fit(disp="off", show_warning=False)
        learnt = model.fit(disp="off", show_warning=False, last_obs=half)
        ahead = learnt.forecast(horizon=1, start=half - 1, reindex=False)
    reach = float(norm.ppf(0.5 + confidence / 2))
    estimates = np.array([fitted.params[name] for name in _NAMES])
    errors = np.array([fitted.std_err[name] for name in _NAMES])
    terms = pd.DataFrame(
        {"term": list(_NAMES.values()), "estimate": estimates, "std_error": errors}
        | {"ci_low": estimates - reach * errors, "ci_high": estimates + reach * errors}
    )
    terms["certified_digits"] = pd.array([None] * len(terms), dtype="Int64")
    constant = float(norm.logpdf(steps, steps.mean(), steps.std()).sum())
    persistence = float(estimates[1] + estimates[2])
    about = {
        "garch_converged": bool(fitted.convergence_flag == 0),
        "garch_aic_gain": 2 * (float(fitted.loglikelihood) - constant) - 4,
        "garch_half_life": math.log(0.5) / math.log(persistence) if 0 < persistence < 1 else math.inf,
        **_judge_ahead(steps, half, ahead.mean.to_numpy()[:-1, 0], ahead.variance.to_numpy()[:-1, 0]),
    }
    return terms, about


def _judge_ahead(steps: Array, half: int, means: Array, variances: Array) -> dict[str, Any]:
    """Compare variances that were foreseen one step ahead with a constant one, over the second half, by the loss log v + e^2/v.

    Source: Patton (2011), J. Econometrics 160, 246-256 (a loss that noise in the proxy does not bias).
    """
    known, later = steps[:half], steps[half:]
    constant = float(known.var())
    own, plain = (later - means) ** 2, (later - known.mean()) ** 2
    losses, others = np.log(variances) + own / variances, math.log(constant) + plain / constant
    statistic, p = compare_losses(losses, others, max(1, round(len(later) ** (1 / 3))))
    reach = float(norm.ppf(0.95))
    return {
        "garch_loss_difference": float((losses - others).mean()),
        "garch_diebold_mariano": statistic,
        "garch_diebold_mariano_p": p,
        "garch_coverage": float((own <= reach**2 * variances).mean()),
        "constant_coverage": float((plain <= reach**2 * constant).mean()),
    }


def join_returns(series: Sequence[Array]) -> Array:
    """Return the steps of the logarithm of the first series, since a variance has no past across two."""
    return np.asarray(np.diff(np.log(series[0])))
