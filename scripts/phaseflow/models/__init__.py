"""Models, one plugin a kind of fit: how it is fitted to a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from phaseflow.settings.fits import Fit


@dataclass(frozen=True)
class Fitted:
    """A fitted model.

    Attributes
    ----------
    terms : a row a term: term, estimate, std_error, ci_low, ci_high, certified_digits, ...
    statistics : what describes the fit as a whole; a value that is not finite counts as none.
    rows : what figures draw, a row an observation or a prediction: row, response, fitted, residual, ...
    """

    terms: pd.DataFrame
    statistics: Mapping[str, Any]
    rows: pd.DataFrame


@dataclass(frozen=True)
class Model:
    """A kind of fit. `fit` takes the settings, the table, its name for messages, and the source of random numbers."""

    fit: Callable[[Fit, pd.DataFrame, str, np.random.Generator], Fitted]
