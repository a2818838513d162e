"""Averages over time and how far chance can have moved them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_BLOCKS = 20


def find_errors(series: Array) -> Array:
    """Return standard errors of means over time: the largest of three.

    The scatter of the means of blocks; half the difference of the halves; and, for motion so regular that these two vanish,
    c/T: how far the running sum strays from the straight line, over its length.

    Parameters
    ----------
    series : shape (n_intervals, n_series).
    """
    n_blocks = min(_BLOCKS, len(series))
    blocks = np.stack([part.mean(axis=0) for part in np.array_split(series, n_blocks)])
    scatter = blocks.std(axis=0, ddof=1) / np.sqrt(n_blocks) if n_blocks > 1 else np.full(series.shape[1:], np.nan)
    first, second = (part.mean(axis=0) for part in np.array_split(series, 2))
    strays = np.ptp(np.cumsum(series - series.mean(axis=0), axis=0), axis=0) / len(series)
    errors: Array = np.maximum(np.maximum(scatter, np.abs(first - second) / 2), strays)
    return errors
