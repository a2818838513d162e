"""Where the trials of a study begin: at random, on a Latin hypercube, or along a Sobol sequence."""

from __future__ import annotations

import numpy as np
import scipy.special
from numpy.typing import NDArray

from phaseflow.problems._search import draw_start

Array = NDArray[np.float64]


def spread_start(sampling: str, random: np.random.Generator, number: int, count: int, start: Array, lower: Array, upper: Array) -> Array:
    """Return the start of a number: 0 is the given one, the others are spread over the bounds.

    A variable without both bounds is spread as a normal one about its start, kept within the bounds.

    Parameters
    ----------
    sampling : random, sobol or latin_hypercube. Point k of a Sobol sequence, scrambled by the study's own random numbers, is the same
        however many there are; a Latin hypercube is made for its count.
    count : how many points a Latin hypercube has.

    Source: McKay, Beckman and Conover (1979), Technometrics 21, 239-245; Owen (1998), ACM TOMACS 8, 71-102.
    """
    if number == 0 or sampling == "random":
        return draw_start(random, number, start, lower, upper)
    from scipy.stats import qmc

    seed = int(random.integers(2**63))
    if sampling == "sobol":
        sequence = qmc.Sobol(len(start), scramble=True, rng=seed)
        # Careful: scipy's sequence cannot skip no point at all.
        place = (sequence.fast_forward(number - 1) if number > 1 else sequence).random(1)[0]
    else:
        place = qmc.LatinHypercube(len(start), rng=seed).random(count)[number - 1]
    return _fill(place, start, lower, upper)


def _fill(place: Array, start: Array, lower: Array, upper: Array) -> Array:
    """Return the point of the box, or of the normal law about the start, at a place of the unit cube."""
    is_box = np.isfinite(lower) & np.isfinite(upper)
    base, width = np.where(is_box, lower, 0), np.where(is_box, upper - np.where(is_box, lower, 0), 0)
    # Careful: a place may be 0, where the normal law is infinite.
    about = start + scipy.special.ndtri(np.clip(place, 1e-12, 1 - 1e-12)) * np.maximum(1, np.abs(start))
    filled: Array = np.clip(np.where(is_box, base + place * width, about), lower, upper)
    return filled
