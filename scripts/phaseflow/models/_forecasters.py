"""Ways to forecast: each learns from scaled training data and then runs freely from what was last seen.

The quadratic one is a linear map of the last states and all their products, solved by the singular values of its design with a ridge;
persistence says that nothing changes, climatology that the mean comes back at once.

Source: Gauthier, Bollt, Griffith and Barbosa (2021), Nature Communications 12, 5564 (next-generation reservoir computing, eqs. 5-7).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phaseflow.models._networks import Trained, train
from phaseflow.settings.fits import Network

Array = NDArray[np.float64]

# Ridges that are tried, as shares of the largest squared singular value; 0 is least squares.
RIDGES = (0.0, *(10.0**power for power in range(-16, 1)))
_VALIDATION, _VALIDATION_STARTS = 0.3, 20
# A run that leaves this many times the range of the training data stays there.
_FARTHEST = 3.0
_LEAST_ERROR = 1e-12
MOST_FEATURES = 5_000


@dataclass(frozen=True)
class Forecaster:
    """What was learnt.

    Attributes
    ----------
    change : from the last states, shape (n_starts, n_delays * n_states) with the newest first, to the change over one step;
        nothing for persistence and climatology.
    is_mean : the forecast is the mean at once.
    farthest : the largest absolute value that a scaled state may take.
    """

    n_delays: int
    change: Callable[[Array], Array] | None = None
    is_mean: bool = False
    farthest: float = np.inf
    ridge: float = np.nan
    is_converged: bool = True

    def run(self, histories: Array, n_steps: int) -> Array:
        """Return forecasts of shape (n_starts, n_steps, n_states) from histories of shape (n_starts, n_delays, n_states), newest last."""
        n_starts, _, n_states = histories.shape
        if self.change is None:
            last = np.zeros((n_starts, n_states)) if self.is_mean else histories[:, -1]
            return np.repeat(last[:, None], n_steps, axis=1)
        runs = np.empty((n_starts, n_steps, n_states))
        known = histories[:, ::-1].reshape(n_starts, -1)
        with np.errstate(all="ignore"):
            for step in range(n_steps):
                ahead = np.clip(np.nan_to_num(known[:, :n_states] + self.change(known)), -self.farthest, self.farthest)
                runs[:, step] = ahead
                known = np.concatenate([ahead, known[:, :-n_states]], axis=1)
        return runs


def learn(name: str, training: Sequence[Array], n_delays: int, weights_seed: int) -> Forecaster:
    """Learn one way to forecast from the scaled training data of each member."""
    farthest = _FARTHEST * max(float(np.abs(part).max()) for part in training)
    if name in ("persistence", "climatology"):
        return Forecaster(1, is_mean=name == "climatology")
    if name == "network":
        trained = _train_network(training, n_delays, weights_seed)
        return Forecaster(n_delays, trained.predict, farthest=farthest, is_converged=trained.is_converged)
    expand = expand_quadratic if name == "quadratic" else expand_linear
    ridge = _choose_ridge(training, n_delays, expand, farthest)
    return _learn_map(training, n_delays, expand, ridge, farthest)


def expand_linear(known: Array) -> Array:
    """Return 1 and the last states."""
    return np.concatenate([np.ones((len(known), 1)), known], axis=1)


def expand_quadratic(known: Array) -> Array:
    """Return 1, the last states and all products of two of them."""
    first, second = np.triu_indices(known.shape[1])
    return np.concatenate([np.ones((len(known), 1)), known, known[:, first] * known[:, second]], axis=1)


def count_features(n_states: int, n_delays: int) -> int:
    """Return how many terms the quadratic map of a state has."""
    size = n_states * n_delays
    return 1 + size + size * (size + 1) // 2


def list_pairs(parts: Sequence[Array], n_delays: int) -> tuple[Array, Array]:
    """Return the last states before each step, newest first, and the change over it."""
    known = [np.concatenate([part[n_delays - 1 - lag : len(part) - 1 - lag] for lag in range(n_delays)], axis=1) for part in parts]
    return np.concatenate(known), np.concatenate([np.diff(part, axis=0)[n_delays - 1 :] for part in parts])


@dataclass(frozen=True)
class _Decomposition:
    """The singular values of a design, from which the weights follow for any ridge."""

    projected: Array
    singular: Array
    right: Array

    def solve(self, ridge: float) -> Array:
        """Return the weights for a ridge, a share of the largest squared singular value."""
        least = self.singular[0] * np.finfo(float).eps * len(self.right)
        squares = self.singular**2 + ridge * self.singular[0] ** 2
        factors = np.where(self.singular > least, self.singular / squares, 0.0)
        return np.asarray(self.right.T @ (factors[:, None] * self.projected))


def _decompose(parts: Sequence[Array], n_delays: int, expand: Callable[[Array], Array]) -> _Decomposition:
    known, changes = list_pairs(parts, n_delays)
    left, singular, right = np.linalg.svd(expand(known), full_matrices=False)
    return _Decomposition(left.T @ changes, singular, right)


def _make_map(weights: Array, n_delays: int, expand: Callable[[Array], Array], ridge: float, farthest: float) -> Forecaster:
    return Forecaster(n_delays, lambda known: expand(known) @ weights, farthest=farthest, ridge=ridge)


def _learn_map(parts: Sequence[Array], n_delays: int, expand: Callable[[Array], Array], ridge: float, farthest: float) -> Forecaster:
    return _make_map(_decompose(parts, n_delays, expand).solve(ridge), n_delays, expand, ridge, farthest)


def _choose_ridge(training: Sequence[Array], n_delays: int, expand: Callable[[Array], Array], farthest: float) -> float:
    """Return the ridge whose free runs err least on the end of the training data, by the mean logarithm of their errors.

    Errors grow e-fold again and again, so their logarithm is what a run shows of its own quality at every lead.
    """
    cuts = [int((1 - _VALIDATION) * len(part)) for part in training]
    known = _decompose([part[:cut] for part, cut in zip(training, cuts, strict=True)], n_delays, expand)
    n_steps = max(1, min(len(part) - cut for part, cut in zip(training, cuts, strict=True)) // 2)
    histories, truth = [], []
    for part, cut in zip(training, cuts, strict=True):
        for start in np.unique(np.linspace(cut, len(part) - 1 - n_steps, _VALIDATION_STARTS).astype(int)):
            histories.append(part[start - n_delays + 1 : start + 1])
            truth.append(part[start + 1 : start + 1 + n_steps])
    scores = []
    for ridge in RIDGES:
        runs = _make_map(known.solve(ridge), n_delays, expand, ridge, farthest).run(np.stack(histories), n_steps)
        scores.append(float(np.log(np.linalg.norm(runs - np.stack(truth), axis=2) + _LEAST_ERROR).mean()))
    return RIDGES[int(np.argmin(scores))]


def _train_network(training: Sequence[Array], n_delays: int, weights_seed: int) -> Trained:
    known, changes = list_pairs(training, n_delays)
    return train(Network(layers=[32, 32]), "lbfgs", known, changes, weights_seed)
