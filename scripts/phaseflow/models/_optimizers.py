"""Ways to pick few terms for each equation from the weak form, each with a number that says how few.

All of them see a term by its share of the derivative's size, so one number serves all equations, whatever their units. None decides
how many terms there are: that is left to held-out trajectories.

Source: Brunton, Proctor and Kutz (2016), PNAS 113, 3932-3937 (stlsq); Boninsegna, Nueske and Clementi (2018), J. Chem. Phys. 148,
241723 (ssr); Chen, Billings and Luo (1989), Int. J. Control 50, 1873-1896 (frols); Zou (2006), J. Am. Stat. Assoc. 101, 1418-1429
(the adaptive lasso: the plain one keeps false terms where columns are alike), by least angles.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from phaseflow.dynamics.shooting import Array, Mask
from phaseflow.models._weak_form import WeakForm

# Shares of a derivative: all terms, then from what is surely rounding to more than all of it.
THRESHOLDS = np.array([0.0, *np.geomspace(1e-10, 10, 111)])
_PENALTIES = np.geomspace(1e-8, 1, 81)
_EVERY = 40
# A column of which no more than this is left beside the others says nothing new.
_NOTHING = 1e-20


@dataclass(frozen=True)
class Optimizer:
    """A way to pick terms.

    Attributes
    ----------
    list_strengths : the numbers to try, for so many candidates.
    select : the terms of a weak form at one of the numbers, of shape (n_features, n_states).
    """

    list_strengths: Callable[[int], Array]
    select: Callable[[WeakForm, float], Mask]


@dataclass(frozen=True)
class _Reduced:
    """The least-squares problems of all equations, with as many rows as features; columns and derivatives have length 1."""

    columns: Array
    slopes: Array

    @classmethod
    def reduce(cls, weak: WeakForm) -> _Reduced:
        # One QR for all subsets: least squares on columns of R is least squares on those of the design.
        orthogonal, triangle = np.linalg.qr(weak.features / np.linalg.norm(weak.features, axis=0))
        return cls(triangle, orthogonal.T @ weak.slopes / np.linalg.norm(weak.slopes, axis=0))

    def solve(self, support: Mask, state: int) -> Array:
        """Return what the terms of one equation contribute, as shares of the derivative."""
        chosen = support[:, state]
        return np.asarray(np.linalg.lstsq(self.columns[:, chosen], self.slopes[:, state])[0])


def _list_counts(n_candidates: int) -> Array:
    """Return numbers of terms: every one up to forty, then fewer and fewer of them."""
    return np.unique(np.minimum(n_candidates, np.rint([*range(_EVERY + 1), *np.geomspace(_EVERY, max(_EVERY, n_candidates), 12)])))[::-1]


def threshold_terms(weak: WeakForm, threshold: float) -> Mask:
    """Return which terms are left when those that contribute less than a share of the derivative are dropped again and again."""
    reduced = _Reduced.reduce(weak)
    support = np.ones((weak.features.shape[1], weak.slopes.shape[1]), dtype=bool)
    for state, chosen in enumerate(support.T):
        while chosen.any():
            is_large = np.abs(reduced.solve(support, state)) >= threshold
            if is_large.all():
                break
            chosen[chosen] = is_large
    return support


def drop_terms(weak: WeakForm, n_terms: float) -> Mask:
    """Return so many terms: the one that contributes least is dropped, and the rest solved again, one after the other."""
    reduced = _Reduced.reduce(weak)
    support = np.ones((weak.features.shape[1], weak.slopes.shape[1]), dtype=bool)
    shares = np.stack([np.abs(reduced.solve(support, state)) for state in range(support.shape[1])], axis=1)
    while support.sum() > n_terms:
        place, state = np.unravel_index(np.where(support, shares, np.inf).argmin(), support.shape)
        support[place, state] = False
        shares[support[:, state], state] = np.abs(reduced.solve(support, int(state)))
    return support


def add_terms(weak: WeakForm, n_terms: float) -> Mask:
    """Return so many terms: the one that explains most of what is left of a derivative is added, one after the other."""
    reduced = _Reduced.reduce(weak)
    support = np.zeros((weak.features.shape[1], weak.slopes.shape[1]), dtype=bool)
    left = reduced.slopes.copy()
    # What each column has of its own beside the terms that each equation has already.
    own = np.repeat(reduced.columns[:, :, None], support.shape[1], axis=2)
    while support.sum() < n_terms:
        lengths = np.einsum("rfs,rfs->fs", own, own)
        is_open = ~support & (lengths > _NOTHING)
        if not is_open.any():
            break
        gains = np.einsum("rfs,rs->fs", own, left) ** 2 / np.where(is_open, lengths, 1.0)
        place, state = np.unravel_index(np.where(is_open, gains, -1.0).argmax(), support.shape)
        support[place, state] = True
        unit = own[:, place, state] / np.sqrt(lengths[place, state])
        left[:, state] -= unit * (unit @ left[:, state])
        own[:, :, state] -= np.outer(unit, unit @ own[:, :, state])
    return support


def shrink_terms(weak: WeakForm, penalty: float) -> Mask:
    """Return the terms that the adaptive lasso keeps at a penalty, 1 being the least that leaves none."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import lars_path

    reduced = _Reduced.reduce(weak)
    support = np.zeros((weak.features.shape[1], weak.slopes.shape[1]), dtype=bool)
    with warnings.catch_warnings():
        # Where columns are as good as dependent it leaves some out and says so.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for state, slopes in enumerate(reduced.slopes.T):
            weighted = reduced.columns * np.abs(reduced.solve(np.ones_like(support), state))
            largest = float(np.abs(weighted.T @ slopes).max())
            _, _, found = lars_path(weighted, slopes, alpha_min=penalty * largest / len(slopes), method="lasso")
            support[:, state] = found[:, -1] != 0
    return support


OPTIMIZERS = {
    "stlsq": Optimizer(lambda _: THRESHOLDS, threshold_terms),
    "ssr": Optimizer(_list_counts, drop_terms),
    "frols": Optimizer(_list_counts, add_terms),
    "lasso": Optimizer(lambda _: _PENALTIES, shrink_terms),
}
