"""Brownian paths that can be refined: a run with half the step sees the same path.

The increment of each stretch of time is drawn first, and then halved level by level: given the increment D of a stretch of length h,
that of its first half is normal with mean D/2 and variance h/4 (a Brownian bridge). Each level draws from a generator of its own in the
order of time, so a path depends on nothing but the seed, the member's stream and where the stretches begin and end.

Source: Kloeden and Platen (1992), sec. 1.8; Glasserman (2004), Monte Carlo Methods in Financial Engineering, sec. 3.1.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from phaseflow.seeds import UInt64, open_stream

Array = NDArray[np.float64]
Part = Literal["samples", "transient"]

# Stretches that are held in memory at once, on each level.
_HELD = 128
# The branch after every level that a double can halve a stretch to.
_APART = 2_000


def count_levels(longest: float, step: float) -> int:
    """Return how often stretches must be halved for the step to be no longer than asked for, up to rounding."""
    return max(0, math.ceil(math.log2(longest) - math.log2(step) - 1e-9))


class BrownianPaths:
    """The Wiener processes of several members over one part of their time."""

    def __init__(self, seed: int, streams: UInt64, signs: Array | None, n_processes: int, part: Part) -> None:
        self.shape = (n_processes, len(streams))
        self._seed, self._part = seed, part
        self._streams, self._places = np.unique(streams, return_inverse=True)
        self._signs = np.ones(len(streams)) if signs is None else signs

    def walk(self, durations: Array, levels: int) -> Iterator[Array]:
        """Yield the increments of every step in the order of time.

        Parameters
        ----------
        durations : shape (n_stretches,), the lengths of the stretches.
        levels : how often each is halved, so that it has 2**levels steps.

        Returns
        -------
        Arrays of shape (n_processes, n_members).
        """
        generators = [self._open(level) for level in range(levels + 1)]
        for first in range(0, len(durations), _HELD):
            lengths = durations[first : first + _HELD]
            increments = np.sqrt(lengths)[:, None, None] * self._draw(generators[0], len(lengths), self.shape[0])
            yield from self._refine(increments, lengths, generators[1:])

    def draw_apart(self, n_stretches: int, n_normals: int) -> Iterator[Array]:
        """Yield standard normals for each stretch, independent of every increment: what a law draws that knows no path."""
        generators = self._open(_APART)
        for first in range(0, n_stretches, _HELD):
            yield from self._draw(generators, min(_HELD, n_stretches - first), n_normals)

    def _open(self, level: int) -> list[np.random.Generator]:
        """Return each stream's generator of a level; branch 0 belongs to the perturbation of initial states."""
        branch = 1 + 2 * level + (self._part == "transient")
        return [open_stream(self._seed, int(stream), branch) for stream in self._streams]

    def _draw(self, generators: list[np.random.Generator], n_stretches: int, n_normals: int) -> Array:
        """Return standard normals of shape (n_stretches, n_normals, n_members), mirrored where the member is."""
        drawn = np.empty((len(generators), n_stretches * n_normals))
        for row, generator in zip(drawn, generators, strict=True):
            generator.standard_normal(out=row)
        normals: Array = drawn.T[:, self._places] * self._signs
        return normals.reshape(n_stretches, n_normals, len(self._places))

    def _refine(self, increments: Array, lengths: Array, levels: list[list[np.random.Generator]]) -> Iterator[Array]:
        """Halve stretches as often as there are levels, a few at a time and in the order of time."""
        if not levels:
            yield from increments
            return
        for first in range(0, len(lengths), _HELD):
            whole, length = increments[first : first + _HELD], lengths[first : first + _HELD]
            halves = np.empty((2 * len(whole), *self.shape))
            halves[0::2] = whole / 2 + (np.sqrt(length) / 2)[:, None, None] * self._draw(levels[0], len(whole), self.shape[0])
            halves[1::2] = whole - halves[0::2]
            yield from self._refine(halves, np.repeat(length / 2, 2), levels[1:])
