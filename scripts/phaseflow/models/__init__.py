"""Models, one plugin a kind of fit: how it is fitted to a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from phaseflow.settings.fits import Fit


@dataclass(frozen=True)
class Fitted:
    """A fitted model.

    Attributes
    ----------
    terms : a row a term: term, estimate, std_error, ci_low, ci_high, certified_digits, ...
    statistics : what describes the fit as a whole.
    rows : a row an observation: row, response, fitted, residual.
    """

    terms: pd.DataFrame
    statistics: Mapping[str, Any]
    rows: pd.DataFrame


@dataclass(frozen=True)
class Model:
    """A kind of fit. `fit` takes the settings, the table and its name for messages."""

    fit: Callable[[Fit, pd.DataFrame, str], Fitted]
