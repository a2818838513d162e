"""Covariances of the estimates that allow for errors of uneven size and for errors that resemble their neighbours.

V = (X'X)^-1 M (X'X)^-1, M the sum of x_t e_t e_s x_s' over the pairs that may be related. Written by rows
q_t = (X'X)^-1 x_t e_t, what each row pulls the estimates by, it is V = sum of q_t q_s'.

Source: White (1980), Econometrica 48, 817-838; MacKinnon and White (1985), J. Econometrics 29, 305-325 (HC1 to HC3);
Newey and West (1987), Econometrica 55, 703-708 (HAC).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Sandwich:
    """A robust covariance.

    Attributes
    ----------
    kind : HC0, HC1, HC2, HC3 or HAC.
    lags : how many rows apart errors may be related; 0 but for HAC.
    """

    kind: str
    lags: int = 0

    def weigh(self, influence: Any, leverages: Any, n_terms: int) -> Any:
        """Return the rows q_t, given those of the plain residuals; of doubles or of balls."""
        rest = 1 - leverages
        if self.kind == "HC1":
            return influence * np.sqrt((rest * 0 + 1) * len(rest) / (len(rest) - n_terms))[:, None]
        if self.kind == "HC2":
            return influence / np.sqrt(rest)[:, None]
        return influence / rest[:, None] if self.kind == "HC3" else influence


def add_up(influence: Any, lags: int) -> Any:
    """Return the covariance, of shape (n_terms, n_terms): pairs of rows up to `lags` apart count, by Bartlett's weights."""
    total = influence.T @ influence
    for lag in range(1, lags + 1):
        cross = influence[lag:].T @ influence[:-lag]
        total = total + (cross + cross.T) * (lags + 1 - lag) / (lags + 1)
    return total
