"""What of many rows is drawn: the envelope of long series, and how many points fall on each spot of a plane.

Source: Jugel, Jerzak, Hackenbroich and Markl (2014), Proc. VLDB Endow. 7, 797-808: of each column of pixels the first and last, least and
greatest value give the picture that all values give.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

# Beyond so many rows a figure draws less than all of them.
MOST_ROWS = 100_000
# A figure as wide as a page has no more columns of pixels; with fewer than the least, curves would turn into steps.
_MOST_COLUMNS, _LEAST_COLUMNS = 1360, 64
BINS = 256


def thin_series(frame: pd.DataFrame, states: list[str]) -> pd.DataFrame:
    """Return of many rows those that shape the curves of the states against time, and all rows where they are not many.

    Parameters
    ----------
    frame : with member, t and the states, the rows of each member together and in the order of time.

    Returns
    -------
    Of each member and each of equal spans of time: the first row and the last, and those with the least and the greatest of each state.
    """
    if len(frame) <= MOST_ROWS:
        return frame
    borders = find_starts(frame["member"].to_numpy())
    n_columns = int(np.clip(MOST_ROWS // (len(borders) * (2 + 2 * len(states))), _LEAST_COLUMNS, _MOST_COLUMNS))
    t, values = frame["t"].to_numpy(), [frame[state].to_numpy() for state in states]
    kept = [
        begin + find_shape(t[begin:end], [value[begin:end] for value in values], n_columns)
        for begin, end in pairwise([*borders, len(frame)])
    ]
    return frame.iloc[np.concatenate(kept)].reset_index(drop=True)


def find_starts(members: NDArray[np.int64]) -> list[int]:
    """Return the places at which a member's rows begin."""
    return [0, *(np.flatnonzero(members[1:] != members[:-1]) + 1).tolist()]


def find_shape(t: Array, values: list[Array], n_columns: int) -> NDArray[np.int64]:
    """Return the places, in order, of the first, last, least and greatest values in each of equal spans of time.

    Parameters
    ----------
    t : shape (n,), not decreasing; values : a state each, shape (n,); what is not finite is neither least nor greatest.
    """
    edges = np.searchsorted(t, np.linspace(t[0], t[-1], n_columns + 1)[1:-1], side="left")
    edges = np.unique(np.concatenate([[0], edges, [len(t)]]))
    kept = [edges[:-1], edges[1:] - 1]
    for value in values:
        is_finite = np.isfinite(value)
        for sign in (1.0, -1.0):
            heights = np.where(is_finite, sign * value, np.inf)
            kept.append(np.array([low + heights[low:high].argmin() for low, high in pairwise(edges)]))
    return np.unique(np.concatenate(kept))


def count_spots(across: Array, up: Array) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return the middles of the spots of a plane on which points fall, and how many do; points that are not finite fall on none."""
    is_finite = np.isfinite(across) & np.isfinite(up)
    across, up = across[is_finite], up[is_finite]
    (columns, left, width), (rows, bottom, height) = _bin(across), _bin(up)
    counts: NDArray[np.int64] = np.bincount(rows * BINS + columns, minlength=BINS * BINS).astype(np.int64)
    seen = np.flatnonzero(counts)
    middles = np.array([left + (seen % BINS + 0.5) * width, bottom + (seen // BINS + 0.5) * height], dtype=np.float64)
    return middles[0], middles[1], counts[seen]


def _bin(values: Array) -> tuple[NDArray[np.int64], float, float]:
    """Return the bin of each value, where the first bin begins and how wide each is."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    width = (high - low) / BINS or 1.0
    return np.minimum((values - low) / width, BINS - 1).astype(np.int64), low, width


def lay_out_spots(across: Array, up: Array, counts: Array) -> tuple[Array, tuple[float, float, float, float]]:
    """Return counted spots as an image of shape (BINS, BINS), zero where there is none, and its extent: left, right, bottom, top."""
    image = np.zeros((BINS, BINS))
    places, extent = [], []
    for middles in (across, up):
        # The first bin and the last are never empty: they hold the ends of the range that was divided.
        low, high = float(middles.min()), float(middles.max())
        width = (high - low) / (BINS - 1) or 1.0
        places.append(np.rint((middles - low) / width).astype(np.int64))
        extent += [low - width / 2, low + (BINS - 0.5) * width]
    image[places[1], places[0]] = counts
    return image, (extent[0], extent[1], extent[2], extent[3])
