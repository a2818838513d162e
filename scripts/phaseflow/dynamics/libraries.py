"""Libraries of candidate terms: functions of the states, with their exact derivatives, over many states at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.derivative import ZERO, differentiate
from phaseflow.expressions.parser import parse
from phaseflow.expressions.polynomials import Monomial, expand, format_monomial
from phaseflow.expressions.tree import Node
from phaseflow.settings.fits import Library

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Product:
    """A number times states, by their places."""

    factor: float
    places: tuple[int, ...]


_Term = Node | _Product


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

    def select(self, chosen: NDArray[np.bool_]) -> Features:
        """Return some of the terms."""
        key = chosen.tobytes()
        if key not in self._selected:
            places = np.flatnonzero(chosen)
            self._selected[key] = Features(self.states, tuple(self.labels[p] for p in places), tuple(self.trees[p] for p in places))
        return self._selected[key]

    def evaluate(self, states: Array) -> Array:
        """Return each term at each state, of shape (n_samples, n_features)."""
        return self.list_values(np.ascontiguousarray(states.T)).T

    def list_values(self, columns: Array) -> Array:
        """Return each term, of shape (n_features, n_samples), from states of shape (n_states, n_samples)."""
        values = np.empty((len(self.trees), columns.shape[1]))
        for place, term in enumerate(self._terms):
            values[place] = self._evaluate(term, columns)
        return values

    def list_slopes(self, columns: Array) -> Iterator[tuple[int, int, Array]]:
        """Yield the derivatives that are not zero everywhere: feature, state, values of shape (n_samples,) or ()."""
        for feature, state, term in self._slopes:
            yield feature, state, self._evaluate(term, columns)

    def _evaluate(self, term: _Term, columns: Array) -> Array:
        if not isinstance(term, _Product):
            return evaluate(term, dict(zip(self.states, columns, strict=True)))
        product: Array = np.float64(term.factor)  # type: ignore[assignment]
        for place in term.places:
            product = product * columns[place]
        return product

    @cached_property
    def _selected(self) -> dict[bytes, Features]:
        return {}

    @cached_property
    def _terms(self) -> list[_Term]:
        return [self._simplify(tree) for tree in self.trees]

    @cached_property
    def _slopes(self) -> list[tuple[int, int, _Term]]:
        slopes = [(f, place, differentiate(tree, state)) for f, tree in enumerate(self.trees) for place, state in enumerate(self.states)]
        return [(feature, place, self._simplify(tree)) for feature, place, tree in slopes if tree != ZERO]

    def _simplify(self, tree: Node) -> _Term:
        """Return a product of states as the list of its factors, which is quicker; anything else as it is."""
        try:
            polynomial = expand(tree)
        except ValueError:
            return tree
        if len(polynomial) != 1 or any(name not in self.states for name, _ in next(iter(polynomial))):
            return tree
        monomial, factor = next(iter(polynomial.items()))
        return _Product(float(factor), tuple(self.states.index(name) for name, power in monomial for _ in range(power)))


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
