"""Which terms of a library the likelihood of a trajectory supports: backward and forward steps by an information criterion.

The extended Bayesian criterion, deviance + n_terms (log n_numbers + 2 log n_candidates), allows for the number of candidates: that some
one of many superfluous terms looks significant is no surprise.

Source: Chen and Chen (2008), Biometrika 95, 759-771, with gamma = 1; Burnham and Anderson (2002), Model Selection and Multimodel
Inference, sec. 2.6 (models within 2 of the best have substantial support).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from phaseflow.dynamics.libraries import Features
from phaseflow.dynamics.shooting import Array, Mask, Record, Shot, score_terms, shoot

# A search begins with all candidates where these are no more; the most that is forced to be dropped or added one by one.
MOST_AT_ONCE = 60
_MOST_ROUNDS = 20
# Terms with squared t-values below this are dropped together; above the other no swap is tried.
_SURELY_NOTHING, _SURELY_SOMETHING = 1.0, 100.0
_AS_GOOD = 2.0


@dataclass
class Search:
    """The supports that were tried, with the criterion of each.

    Attributes
    ----------
    candidates : shape (n_features, n_states), the terms that may be in an equation.
    """

    features: Features
    record: Record
    candidates: Mask
    parts: int
    tried: dict[bytes, tuple[float, Mask, Shot]] = field(default_factory=dict)

    @property
    def penalty(self) -> float:
        """By how much a term must lower the deviance."""
        return math.log(self.record.values.size) + 2 * math.log(int(self.candidates.sum()))

    @property
    def best(self) -> tuple[float, Mask, Shot]:
        """The criterion, the support and the trajectory of the best support that was tried."""
        return min(self.tried.values(), key=lambda entry: entry[0])

    def run(self, support: Mask, start: Shot) -> None:
        """Drop and add terms, from a support on, until neither lowers the criterion."""
        criterion, shot = self.try_support(support, start)
        for _ in range(_MOST_ROUNDS):
            support, criterion, shot = self._drop(support, criterion, shot)
            scores = score_terms(self.features, self.record, shot, support, self.candidates, self.parts)
            if not shot.is_converged or scores.max() <= self.penalty:
                return
            grown = support.copy()
            grown[np.unravel_index(scores.argmax(), scores.shape)] = True
            above, wider = self.try_support(grown, shot)
            if above >= criterion:
                return
            support, criterion, shot = grown, above, wider

    def try_support(self, support: Mask, start: Shot) -> tuple[float, Shot]:
        """Return the criterion of a support and its trajectory; infinite where none was found."""
        known = self.tried.get(support.tobytes())
        if known is not None:
            return known[0], known[2]
        shot = shoot(self.features, self.record, start, support, self.parts)
        criterion = shot.find_deviance(self.record) + self.penalty * int(support.sum()) if shot.is_converged else math.inf
        self.tried[support.tobytes()] = criterion, support, shot
        return criterion, shot

    def _drop(self, support: Mask, criterion: float, shot: Shot) -> tuple[Mask, float, Shot]:
        while support.any() and len(shot.information) == support.sum():
            squares = square_ratios(shot, support)
            if squares.min() > self.penalty:
                break
            n_weak = int((squares < _SURELY_NOTHING).sum())
            dropped = np.argsort(squares, kind="stable")[: max(1, n_weak // 2)]
            smaller = support.copy()
            smaller[tuple(np.argwhere(support)[dropped].T)] = False
            below, narrower = self.try_support(smaller, shot)
            if not narrower.is_converged and shot.is_converged:
                break
            support, criterion, shot = smaller, below, narrower
        return support, criterion, shot

    def find_undecided(self) -> Mask:
        """Tell which terms are in some but not all of the supports that are as good as the best, of those tried and their neighbours."""
        least, support, shot = self.best
        undecided = np.zeros_like(support)
        if not math.isfinite(least) or not support.any():
            return undecided
        squares = np.zeros(support.shape)
        squares[support] = square_ratios(shot, support)
        for place in np.argwhere(support & (squares < _SURELY_SOMETHING)):
            smaller = support.copy()
            smaller[tuple(place)] = False
            criterion, narrower = self.try_support(smaller, shot)
            if narrower.is_converged:
                scores = score_terms(self.features, self.record, narrower, smaller, self.candidates & ~support, self.parts)
                if scores.max() > 0 and criterion - scores.max() + self.penalty < least + _AS_GOOD:
                    swapped = smaller.copy()
                    swapped[np.unravel_index(scores.argmax(), scores.shape)] = True
                    self.try_support(swapped, narrower)
        scores = score_terms(self.features, self.record, shot, support, self.candidates, self.parts)
        undecided |= (scores > 0) & (self.penalty - scores < _AS_GOOD)
        least, support, _ = self.best
        for criterion, other, _ in self.tried.values():
            if criterion < least + _AS_GOOD:
                undecided |= other != support
        return undecided


def square_ratios(shot: Shot, support: Mask) -> Array:
    """Return the squared t-values of the terms of a support."""
    variances = np.diag(shot.covariance)
    ratios: Array = shot.coefficients[support] ** 2 / np.where(variances > 0, variances, np.inf)
    return ratios
