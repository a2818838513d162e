"""The weak form of x' = sum_j c_j f_j(x): no derivative of the data is taken.

Multiplied by a test function phi that is zero at both ends of its window and integrated by parts,
-integral of phi' x = sum_j c_j integral of phi f_j(x). With phi(s) = (1 - s^2)^p the trapezoidal rule is exact up to
aliasing beyond the sampling frequency, so samples may be coarse: on Lorenz's system at dt 0.04 eighth-order differences
err by per cents, this by 1e-7.

Source: Gurevich, Reinbold and Grigoriev (2019), Chaos 29, 103113; Messenger and Bortz (2021), Multiscale Model. Simul.
19, 1474-1497, sec. 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phaseflow.dynamics.libraries import Features

Array = NDArray[np.float64]

# Zero at the ends with seven derivatives, so that what the rule leaves over falls with the eighth power of frequency.
_POWER = 8


@dataclass(frozen=True)
class WeakForm:
    """The linear problem of the weak form.

    Attributes
    ----------
    features : shape (n_rows, n_features), the integrals of each feature against a test function.
    slopes : shape (n_rows, n_states), the integrals of each derivative.
    places : shape (n_rows,), the sample at the middle of each row's window, counted within its member.
    members : shape (n_rows,), the member of each row.
    """

    features: Array
    slopes: Array
    places: NDArray[np.int64]
    members: NDArray[np.int64]

    def select(self, rows: NDArray[Any]) -> WeakForm:
        """Return some of the rows, by a mask or by their places."""
        return WeakForm(self.features[rows], self.slopes[rows], self.places[rows], self.members[rows])

    def solve(self, support: NDArray[np.bool_]) -> Array:
        """Return the least-squares coefficients of a support, of its shape (n_features, n_states)."""
        coefficients = np.zeros(support.shape)
        for state, chosen in enumerate(support.T):
            if chosen.any():
                norms = np.linalg.norm(self.features[:, chosen], axis=0)
                coefficients[chosen, state] = np.linalg.lstsq(self.features[:, chosen] / norms, self.slopes[:, state])[0] / norms
        return coefficients


def build_weak_form(samples: Sequence[Array], dt: float, library: Features, window: int) -> WeakForm:
    """Integrate against a test function around every sample that is `window` samples or more from both ends of its member."""
    inside = np.arange(-window, window + 1) / window
    weights = (1 - inside**2) ** _POWER
    slopes = -2 * _POWER * inside * (1 - inside**2) ** (_POWER - 1) / (window * dt)
    total = weights.sum()
    parts = []
    for member, sample in enumerate(samples):
        features, derivatives = _convolve(library.evaluate(sample), weights / total), -_convolve(sample, slopes / total)
        places = np.arange(window, len(sample) - window)
        parts.append(WeakForm(features, derivatives, places, np.full(len(places), member)))
    return WeakForm(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("features", "slopes", "places", "members")))


def _convolve(columns: Array, weights: Array) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(columns, len(weights), axis=0)
    return np.asarray(windows @ weights)
