"""Small neural networks that predict the change of a state, by scikit-learn.

Source: Hinton (1989), Artificial Intelligence 40, 185-234; Kingma and Ba (2015), ICLR (Adam).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from phaseflow.settings.fits import Network

Array = NDArray[np.float64]

# scikit-learn's first steps, ten times (Adam) and fifty times (SGD) its defaults, which are for larger data.
_LEARNING_RATES = {"adam": 1e-2, "sgd": 5e-2}
_TOLERANCE = 1e-7
_PATIENCE = 50


@dataclass(frozen=True)
class Trained:
    """A trained network: `predict` takes scaled inputs to changes; one that diverged predicts NaN."""

    predict: Callable[[Array], Array]
    is_converged: bool
    iterations: int


def train(network: Network, solver: str, inputs: Array, changes: Array, weights_seed: int) -> Trained:
    """Train a network to predict changes, which are scaled to standard deviation 1 for it."""
    size = changes.std(axis=0)
    size = np.where(size > 0, size, 1.0)
    model = MLPRegressor(
        hidden_layer_sizes=tuple(network.layers),
        activation=network.activation,
        solver=solver,
        learning_rate_init=_LEARNING_RATES.get(solver, 1e-3),
        max_iter=network.max_steps,
        max_fun=100 * network.max_steps,
        tol=_TOLERANCE,
        n_iter_no_change=_PATIENCE,
        random_state=weights_seed,
    )
    with warnings.catch_warnings():
        # Said in `is_converged` instead.
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        try:
            model.fit(inputs, _flatten(changes / size))
        except ValueError as error:
            if "non-finite" not in str(error):
                raise
            return Trained(lambda known: np.full((len(known), len(size)), np.nan), is_converged=False, iterations=int(model.n_iter_))

    def predict(known: Array) -> Array:
        predicted: Array = model.predict(known).reshape(len(known), len(size)) * size
        return predicted

    return Trained(predict, bool(model.n_iter_ < network.max_steps), int(model.n_iter_))


def _flatten(targets: Array) -> Array:
    """Return one target as a vector, as scikit-learn wants it."""
    return targets[:, 0] if targets.shape[1] == 1 else targets
