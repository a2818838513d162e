"""Candidate supports from most terms to fewest, and the choice among them by the error of held-out trajectories.

Each support's equations have to follow pieces of trajectory that they have not seen, from the best starts; the fewest terms that do so
as well as the best, within one standard error, are chosen, whichever optimizer proposed them.

Source: Breiman et al. (1984), Classification and Regression Trees, sec. 3.4.3 (one standard error); Fasel et al. (2022), Proc. R.
Soc. A 478, 20210904 (inclusion probabilities).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from phaseflow.dynamics.libraries import Features
from phaseflow.dynamics.shooting import Array, Mask, Record, begin, count_parts, shoot
from phaseflow.models._optimizers import OPTIMIZERS
from phaseflow.models._weak_form import WeakForm

TRAINING = 0.8
# Held-out errors below this share of a state's spread count as equal: so near, a term more proves nothing.
_EXACT = 1e-5
_MOST_PIECES, _MOST_ITERATIONS = 40, 15


@dataclass(frozen=True)
class Path:
    """The supports that were proposed, each once.

    Attributes
    ----------
    supports : each of shape (n_features, n_states).
    table : a row a support: the optimizer that proposed it first and at what strength, n_terms, held_out_error (as a share of the
        states' spread), is_chosen.
    """

    supports: list[Mask]
    table: pd.DataFrame

    @property
    def place(self) -> int:
        """The place of the support that was chosen."""
        return int(self.table["is_chosen"].to_numpy().argmax())


def follow_path(
    weak: WeakForm, samples: Sequence[Array], dt: float, features: Features, strengths: Mapping[str, Sequence[float]], window: int
) -> Path:
    """Find the supports that optimizers propose, each at some strengths, and choose one."""
    training = split_rows(weak, window)
    supports: dict[bytes, tuple[str, float, Mask]] = {}
    for name, tried in strengths.items():
        for strength in tried:
            support = OPTIMIZERS[name].select(training, strength)
            supports.setdefault(support.tobytes(), (name, strength, support))
    later = Record.join(_cut_pieces(samples, 4 * window), dt)
    rows = [(*about, int(support.sum()), *_hold_out(training, later, features, support)) for *about, support in supports.values()]
    frame = pd.DataFrame(rows, columns=["optimizer", "strength", "n_terms", "mean_square", "uncertainty"])
    best = frame.loc[frame["mean_square"].idxmin()]
    limit = max(best["mean_square"] + best["uncertainty"], _EXACT**2)
    place = int(frame["n_terms"].where(frame["mean_square"] <= limit).idxmin())
    error = np.sqrt(frame["mean_square"])
    shown = frame[["optimizer", "strength", "n_terms"]].assign(
        held_out_error=error.where(np.isfinite(error)), is_chosen=frame.index == place
    )
    return Path([support for *_, support in supports.values()], shown)


def find_inclusion(weak: WeakForm, optimizer: str, strength: float, replicates: int, window: int, rng: np.random.Generator) -> Array:
    """Return how often a term is among those picked when the windows are drawn anew, with replacement, in blocks that share no sample.

    Source: Kuensch (1989), Annals of Statistics 17, 1217-1241.
    """
    count, length = len(weak.places), min(len(weak.places), 2 * window + 1)
    found = np.zeros((weak.features.shape[1], weak.slopes.shape[1]))
    for _ in range(replicates):
        starts = rng.integers(0, count - length + 1, size=-(-count // length))
        rows = (starts[:, None] + np.arange(length)).ravel()[:count]
        found += OPTIMIZERS[optimizer].select(weak.select(rows), strength)
    return found / max(1, replicates)


def split_rows(weak: WeakForm, window: int) -> WeakForm:
    """Return the rows of the first part of each member."""
    ends = np.zeros(weak.members.max() + 1)
    np.maximum.at(ends, weak.members, weak.places + window)
    return weak.select(weak.places + window < TRAINING * ends[weak.members])


def _cut_pieces(samples: Sequence[Array], length: int) -> list[Array]:
    """Return pieces of the later part of each member, a few where there are many, evenly chosen."""
    pieces = []
    for sample in samples:
        later = sample[int(TRAINING * len(sample)) :]
        count = max(1, len(later) // length)
        pieces += [piece for piece in np.array_split(later, count) if len(piece) > 1]
    chosen = np.unique(np.linspace(0, len(pieces) - 1, min(_MOST_PIECES, len(pieces))).astype(int))
    return [pieces[place] for place in chosen]


def _hold_out(training: WeakForm, later: Record, features: Features, support: Mask) -> tuple[float, float]:
    """Return the mean square distance of held-out pieces from the nearest trajectory of the equations, and its standard error."""
    coefficients = training.solve(support)
    parts = count_parts(features, later, coefficients)
    shot = shoot(features, later, begin(later, coefficients), np.zeros_like(support), parts, coefficients, _MOST_ITERATIONS)
    if not shot.is_converged:
        return np.inf, 0.0
    squares = (((later.values - shot.states) / later.spread) ** 2).mean(axis=1)
    ends = np.flatnonzero(later.is_last)[:-1] + 1
    means = np.array([piece.mean() for piece in np.split(squares, ends)])
    error = means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else 0.0
    return float(squares.mean()), float(error)
