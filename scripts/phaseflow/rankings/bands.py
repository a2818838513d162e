"""Bands by drawing the problems anew: what a comparison would say of other problems like these.

Source: Efron and Tibshirani (1993), An introduction to the bootstrap, ch. 13 (percentile intervals).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phaseflow.seeds import hash_text, open_stream

Array = NDArray[np.float64]


def draw_problems(seed: int, n_problems: int, resamples: int) -> Array:
    """Return how often each problem is drawn in each resample, shape (resamples, n_problems); every curve and mean sees the same draws."""
    stream = open_stream(seed, int(hash_text("problems drawn anew")))
    return stream.multinomial(n_problems, np.full(n_problems, 1 / n_problems), size=resamples).astype(np.float64)


def find_band(samples: Array, confidence: float) -> tuple[Array, Array]:
    """Return the ends of the middle part of samples along the first axis, each end a sample itself, so that infinities are no trouble."""
    ends = (1 - confidence) / 2
    low = np.quantile(samples, ends, axis=0, method="lower")
    high = np.quantile(samples, 1 - ends, axis=0, method="higher")
    return low, high
