"""Layered networks as one vector of weights: what they predict, their loss, and its exact gradient by backpropagation.

Source: Rumelhart, Hinton and Williams (1986), Nature 323, 533-536.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Of each activation: its value, and its slope as a function of that value. The values are analytic where they are smooth, so that
# they also take complex numbers; the logistic function is written so that nothing overflows.
ACTIVATIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Array], Array]]] = {
    "tanh": (np.tanh, lambda level: 1 - level * level),
    "logistic": (lambda x: 0.5 + 0.5 * np.tanh(0.5 * x), lambda level: level * (1 - level)),
    "relu": (lambda x: np.where(np.real(x) > 0, x, 0), lambda level: (level > 0).astype(np.float64)),
}
# The step of a derivative along the imaginary axis: it cancels nothing, so it is as small as one likes (Squire and Trapp (1998)).
_STEP = 1e-30


@dataclass(frozen=True)
class Perceptron:
    """A network of full layers; the last one is linear.

    Attributes
    ----------
    sizes : the number of inputs, of the units of each hidden layer, and of outputs.
    """

    sizes: tuple[int, ...]
    activation: str

    @property
    def n_weights(self) -> int:
        """The number of weights, biases included."""
        return sum((before + 1) * after for before, after in pairwise(self.sizes))

    def split(self, weights: Array) -> list[tuple[Array, Array]]:
        """Return for each layer the matrix of shape (n_before, n_after) and the biases, both as views of the weights."""
        layers, first = [], 0
        for before, after in pairwise(self.sizes):
            middle, last = first + before * after, first + (before + 1) * after
            layers.append((weights[first:middle].reshape(before, after), weights[middle:last]))
            first = last
        return layers

    def draw(self, random: np.random.Generator) -> Array:
        """Return random weights, uniform and of a size that neither lets signals grow nor fade from layer to layer; biases of 0.

        Source: Glorot and Bengio (2010), eq. 16; for relu He, Zhang, Ren and Sun (2015), eq. 10, by its variance.
        """
        weights = np.zeros(self.n_weights)
        for matrix, _ in self.split(weights):
            before, after = matrix.shape
            reach = np.sqrt(6 / before if self.activation == "relu" else 6 / (before + after))
            matrix[:] = random.uniform(-reach, reach, matrix.shape)
        return weights

    def find_signals(self, weights: Any, inputs: Array) -> list[Any]:
        """Return the signals of every layer, shape (n_rows, n_units): the inputs first, what is predicted last."""
        layers, squash = self.split(weights), ACTIVATIONS[self.activation][0]
        signals: list[Any] = [inputs]
        for place, (matrix, biases) in enumerate(layers, 1):
            sums = signals[-1] @ matrix + biases
            signals.append(sums if place == len(layers) else squash(sums))
        return signals

    def predict(self, weights: Array, inputs: Array) -> Array:
        """Return what is predicted, shape (n_rows, n_outputs)."""
        predicted: Array = self.find_signals(weights, inputs)[-1]
        return predicted


@dataclass(frozen=True)
class Loss:
    """The mean squared error over rows and outputs, and a penalty times the sum of the squared weights without biases.

    Attributes
    ----------
    inputs, outputs : shapes (n_rows, n_inputs) and (n_rows, n_outputs).
    """

    network: Perceptron
    inputs: Array
    outputs: Array
    penalty: float = 0.0

    def measure(self, weights: Any) -> Any:
        """Return the mean squared error alone."""
        errors = self.network.find_signals(weights, self.inputs)[-1] - self.outputs
        return (errors * errors).sum() / errors.size

    def find_value(self, weights: Any) -> Any:
        """Return the loss, also of complex weights."""
        return self.measure(weights) + self._penalise(weights)

    def differentiate(self, weights: Array, rows: NDArray[np.int64] | slice = slice(None)) -> tuple[float, float, Array]:
        """Return the loss of some rows, its mean squared error alone, and the gradient of the loss."""
        signals, slope = self.network.find_signals(weights, self.inputs[rows]), ACTIVATIONS[self.network.activation][1]
        errors = signals[-1] - self.outputs[rows]
        error = float((errors * errors).sum()) / errors.size
        gradient = np.empty_like(weights)
        layers, slots = self.network.split(weights), self.network.split(gradient)
        back = 2 / errors.size * errors
        for place in reversed(range(len(layers))):
            matrix, slot = layers[place][0], slots[place]
            slot[0][:] = signals[place].T @ back + 2 * self.penalty * matrix
            slot[1][:] = back.sum(axis=0)
            if place:
                back = (back @ matrix.T) * slope(signals[place])
        return error + float(self._penalise(weights)), error, gradient

    def check_gradient(self, weights: Array, directions: Sequence[Array]) -> float:
        """Return by how much the gradient's parts along some directions of length 1 differ from derivatives along the imaginary axis.

        The largest difference, relative to the larger of 1 and the derivative. Source: Squire and Trapp (1998), SIAM Rev. 40, 110-112.
        """
        gradient = self.differentiate(weights)[2]
        slopes = np.array([float(np.imag(self.find_value(weights + 1j * _STEP * one))) / _STEP for one in directions])
        parts = np.array([gradient @ one for one in directions])
        return float((np.abs(parts - slopes) / np.maximum(1, np.abs(slopes))).max())

    def _penalise(self, weights: Any) -> Any:
        return self.penalty * sum((matrix * matrix).sum() for matrix, _ in self.network.split(weights))
