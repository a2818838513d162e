"""Any stochastic system of one state, dx = f(x) dt + g(x) dW, by an approximate likelihood: normal transitions of the second order.

Mean x + f D + L f D^2/2 with L f = f f' + g^2 f''/2, variance g^2 D + (2 f g g' + g^2 (2 f' + g'^2 + g g'')) D^2/2 over a time D.

Source: Kessler (1997), Scand. J. Statist. 24, 211-229, for the second order; Iacus (2008), Simulation and Inference for Stochastic
Differential Equations, sec. 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from phaseflow.errors import DataError
from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.derivative import differentiate
from phaseflow.models._least_squares import Array
from phaseflow.models._likelihood import maximise
from phaseflow.models._series import Calibrated
from phaseflow.settings.systems import System


class Transition:
    """The mean and the variance of one step, as functions of the parameters."""

    def __init__(self, system: System, names: Sequence[str], dt: float) -> None:
        self.state, self.names, self.dt = next(iter(system.equations)), list(names), dt
        drift, (_, _, diffusion) = system.equations[self.state].tree, system.list_noise()[0]
        first = [differentiate(tree, self.state) for tree in (drift, diffusion.tree)]
        second = [differentiate(tree, self.state) for tree in first]
        self.trees = [drift, diffusion.tree, *first, *second]

    def find(self, point: Array, values: Array) -> tuple[Array, Array]:
        """Return mean and variance one step after each value."""
        names = {self.state: values, **dict(zip(self.names, point, strict=True))}
        f, g, f_x, g_x, f_xx, g_xx = (np.broadcast_to(evaluate(tree, names), values.shape) for tree in self.trees)
        half = self.dt**2 / 2
        mean = values + f * self.dt + (f * f_x + g**2 * f_xx / 2) * half
        variance = g**2 * self.dt + (2 * f * g * g_x + g**2 * (2 * f_x + g_x**2 + g * g_xx)) * half
        return mean, variance

    def find_likelihood(self, point: Array, before: Array, after: Array) -> float:
        """Return the logarithm of the likelihood; minus infinity where a variance is not above 0."""
        with np.errstate(all="ignore"):
            mean, variance = self.find(point, before)
            if not (variance > 0).all():
                return -math.inf
            return float(norm.logpdf(after, mean, np.sqrt(variance)).sum())


def fit_scalar(series: Sequence[Array], dt: float, names: Sequence[str], source: str, system: System) -> Calibrated:
    """Fit all parameters, from the system's own values on.

    Raises
    ------
    DataError : the likelihood is not defined at the system's own parameters, or has no peak.
    """
    transition = Transition(system, names, dt)
    before, after = (np.concatenate([part[cut] for part in series]) for cut in (slice(None, -1), slice(1, None)))
    start = np.array([system.parameters[name].value for name in names])
    if not math.isfinite(transition.find_likelihood(start, before, after)):
        text = "some step has no positive variance there"
        raise DataError(f"{source}: the search for the likelihood begins at the parameters of the system, and {text}; give it others")
    peak = maximise(lambda point: transition.find_likelihood(point, before, after), start, np.where(start == 0, 1.0, np.abs(start)))
    if not np.isfinite(peak.covariance).all():
        raise DataError(f"{source}: the likelihood has no peak, so the series does not determine {', '.join(names)}")
    statistics: dict[str, Any] = {
        "observations": len(after),
        "duration": len(after) * dt,
        "log_likelihood": peak.value,
        "likelihood": "of the second order in dt, not exact",
        "intervals": "normal",
        "converged": peak.is_converged,
    }
    rows = pd.concat([_list_values(part, dt, transition, peak.point, place) for place, part in enumerate(series)], ignore_index=True)
    return Calibrated(list(names), peak.point.tolist(), np.sqrt(np.diag(peak.covariance)).tolist(), None, statistics, rows)


def _list_values(values: Array, dt: float, transition: Transition, point: Array, member: int) -> pd.DataFrame:
    """Return a row an observation, with its standardized residual and the quantiles that the step before gives it."""
    steps = np.arange(len(values))
    mean, variance = transition.find(point, values[:-1])
    residuals = np.concatenate([[np.nan], (values[1:] - mean) / np.sqrt(variance)])
    rows = {"member": np.full(len(values), member), "row": steps, "t": steps * dt, "value": values, "residual": residuals}
    for level in (0.05, 0.25, 0.5, 0.75, 0.95):
        rows[f"fan_{level:.2f}"] = np.concatenate([values[:1], mean + np.sqrt(variance) * norm.ppf(level)])
    return pd.DataFrame(rows)
