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
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from phaseflow.expressions.polynomials import Monomial

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

    def select(self, rows: NDArray[np.bool_]) -> WeakForm:
        """Return some of the rows."""
        return WeakForm(self.features[rows], self.slopes[rows], self.places[rows], self.members[rows])


def list_monomials(states: Sequence[str], degree: int) -> list[Monomial]:
    """Return the monomials of the states up to a degree: 1, x, y, x**2, x*y, y**2, ..."""
    products = [product for size in range(degree + 1) for product in combinations_with_replacement(states, size)]
    return [tuple(sorted((name, product.count(name)) for name in set(product))) for product in products]


def build_weak_form(samples: Sequence[Array], dt: float, states: Sequence[str], monomials: Sequence[Monomial], window: int) -> WeakForm:
    """Integrate against a test function around every sample that is `window` samples or more from both ends of its member."""
    inside = np.arange(-window, window + 1) / window
    weights = (1 - inside**2) ** _POWER
    slopes = -2 * _POWER * inside * (1 - inside**2) ** (_POWER - 1) / (window * dt)
    total = weights.sum()
    parts = []
    for member, sample in enumerate(samples):
        columns = dict(zip(states, sample.T, strict=True))
        values = np.stack([_multiply(columns, monomial, len(sample)) for monomial in monomials], axis=1)
        features, derivatives = _convolve(values, weights / total), -_convolve(sample, slopes / total)
        places = np.arange(window, len(sample) - window)
        parts.append(WeakForm(features, derivatives, places, np.full(len(places), member)))
    return WeakForm(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("features", "slopes", "places", "members")))


def _multiply(columns: dict[str, Array], monomial: Monomial, count: int) -> Array:
    product = np.ones(count)
    for name, power in monomial:
        product = product * columns[name] ** power
    return product


def _convolve(columns: Array, weights: Array) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(columns, len(weights), axis=0)
    return np.asarray(windows @ weights)
