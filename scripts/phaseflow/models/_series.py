"""What every law of a series has in common: its answer, and how often later values fall into its fan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from phaseflow.models._least_squares import Array

FAN = (0.05, 0.25, 0.5, 0.75, 0.95)
# How many steps ahead the fan's coverage is measured.
_AHEAD = (1, 5, 20)
_FEWEST_CHECKS = 10


@dataclass(frozen=True)
class Calibrated:
    """A law fitted to a series.

    Attributes
    ----------
    intervals : of each parameter; nothing where those by the normal distribution serve.
    statistics, rows : what describes the fit, and a row an observation: member, row, t, value, residual, fan_0.05 ...
    """

    names: list[str]
    estimates: list[float]
    errors: list[float]
    intervals: list[tuple[float, float]] | None
    statistics: dict[str, Any]
    rows: pd.DataFrame


def cover_ahead(series: Sequence[Array], learn: Callable[[Array], tuple[float, float, float] | None]) -> dict[str, float]:
    """Return how often values of the second half lie in the 90 % range that the first half gives them some steps before.

    Parameters
    ----------
    learn : slope, shift and variance of x' = slope x + shift + noise, from a series; nothing where they cannot be had.
    """
    hits: dict[int, list[float]] = {ahead: [] for ahead in _AHEAD}
    reach = float(norm.ppf(0.95))
    for part in series:
        half = len(part) // 2
        learnt = learn(part[: half + 1])
        if learnt is None or len(part) - half <= max(_AHEAD) + _FEWEST_CHECKS:
            continue
        slope, shift, variance = learnt
        later = part[half:]
        for ahead in _AHEAD:
            powers = slope ** np.arange(ahead)
            centre = later[:-ahead] * slope**ahead + shift * powers.sum()
            hits[ahead] += (np.abs(later[ahead:] - centre) <= reach * np.sqrt(variance * (powers**2).sum())).astype(float).tolist()
    return {str(ahead): float(np.mean(found)) for ahead, found in hits.items() if found}
