"""Libraries of candidate terms: functions of the states, with their exact derivatives, over many states at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.derivative import ZERO, differentiate
from phaseflow.expressions.parser import parse
from phaseflow.expressions.polynomials import Monomial, format_monomial
from phaseflow.expressions.tree import Node
from phaseflow.settings.fits import Library

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """Candidate terms of the equations of some states.

    Attributes
    ----------
    labels : the text of each term.
    trees : the expression of each term.
    """

    states: tuple[str, ...]
    labels: tuple[str, ...]
    trees: tuple[Node, ...]

    def evaluate(self, states: Array) -> Array:
        """Return each term at each state, of shape (n_samples, n_features)."""
        columns = dict(zip(self.states, states.T, strict=True))
        values = np.empty((len(states), len(self.trees)))
        for place, tree in enumerate(self.trees):
            values[:, place] = evaluate(tree, columns)
        return values

    def differentiate(self, states: Array) -> Array:
        """Return the derivative of each term by each state, of shape (n_samples, n_features, n_states)."""
        columns = dict(zip(self.states, states.T, strict=True))
        slopes = np.zeros((len(states), len(self.trees), len(self.states)))
        for feature, state, tree in self._slopes:
            slopes[:, feature, state] = evaluate(tree, columns)
        return slopes

    @cached_property
    def _slopes(self) -> list[tuple[int, int, Node]]:
        """The derivatives that are not zero: feature, state, expression."""
        found = [
            (feature, place, differentiate(tree, state))
            for feature, tree in enumerate(self.trees)
            for place, state in enumerate(self.states)
        ]
        return [entry for entry in found if entry[2] != ZERO]


def list_features(library: Library, states: Sequence[str]) -> Features:
    """Return the terms of a library: monomials, then sines and cosines of each state, then the user's own, each once."""
    texts = [format_monomial(monomial) for monomial in list_monomials(states, library.polynomial)]
    for state in states:
        for frequency in range(1, (library.fourier or 0) + 1):
            inside = state if frequency == 1 else f"{frequency}*{state}"
            texts += [f"sin({inside})", f"cos({inside})"]
    texts += [term.text for term in library.terms or []]
    labels = tuple(dict.fromkeys(texts))
    return Features(tuple(states), labels, tuple(parse(label) for label in labels))


def list_monomials(states: Sequence[str], degree: int) -> list[Monomial]:
    """Return the monomials of the states up to a degree: 1, x, y, x**2, x*y, y**2, ..."""
    products = [product for size in range(degree + 1) for product in combinations_with_replacement(states, size)]
    return [tuple(sorted((name, product.count(name)) for name in set(product))) for product in products]
