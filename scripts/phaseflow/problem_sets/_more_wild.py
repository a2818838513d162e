"""The problems of Moré and Wild: 22 functions, 54 starts, as optimagic states them, with what noise and scales do to them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from phaseflow.problem_sets import Array, Instance

SOURCE = "Moré and Wild (2009), SIAM J. Optim. 20, 172-191, sec. 4; the functions of Moré, Garbow and Hillstrom (1981) among others"
# What stands in optimagic's own list, which takes seconds to import; a test holds the two together.
DIMENSIONS = {
    "linear_full_rank_good_start": 9, "linear_full_rank_bad_start": 9, "linear_rank_one_good_start": 7, "linear_rank_one_bad_start": 7,
    "linear_rank_one_zero_columns_rows_good_start": 7, "linear_rank_one_zero_columns_rows_bad_start": 7, "rosenbrock_good_start": 2,
    "rosenbrock_bad_start": 2, "helical_valley_good_start": 3, "helical_valley_bad_start": 3, "powell_singular_good_start": 4,
    "powell_singular_bad_start": 4, "freudenstein_roth_good_start": 2, "freudenstein_roth_bad_start": 2, "bard_good_start": 3,
    "bard_bad_start": 3, "kowalik_osborne": 4, "meyer": 3, "watson_6_good_start": 6, "watson_6_bad_start": 6, "watson_9_good_start": 9,
    "watson_9_bad_start": 9, "watson_12_good_start": 12, "watson_12_bad_start": 12, "box_3d": 3, "jennrich_sampson": 2,
    "brown_dennis_good_start": 4, "brown_dennis_bad_start": 4, "chebyquad_6": 6, "chebyquad_7": 7, "chebyquad_8": 8, "chebyquad_9": 9,
    "chebyquad_10": 10, "chebyquad_11": 11, "brown_almost_linear": 10, "osborne_one": 5, "osborne_two_good_start": 11,
    "osborne_two_bad_start": 11, "bdqrtic_8": 8, "bdqrtic_10": 10, "bdqrtic_11": 11, "bdqrtic_12": 12, "cube_5": 5, "cube_6": 6,
    "cube_8": 8, "mancino_5_good_start": 5, "mancino_5_bad_start": 5, "mancino_8": 8, "mancino_10": 10, "mancino_12_good_start": 12,
    "mancino_12_bad_start": 12, "heart_eight_good_start": 8, "heart_eight_bad_start": 8, "brown_almost_linear_medium": 100,
}  # fmt: skip


@cache
def _read_list() -> dict[str, dict[str, Any]]:
    from optimagic.benchmarking.get_benchmark_problems import get_benchmark_problems

    found: dict[str, dict[str, Any]] = get_benchmark_problems("more_wild")
    return found


def load_problem(name: str, noise: float = 0.0, spread: float = 1.0) -> Instance:
    """Return a problem of the set.

    Parameters
    ----------
    noise : the standard deviation of the noise of each residual, relative to it.
    spread : variables are multiplied by factors whose last is so many times the first, in equal ratios about 1.
    """
    listed = _read_list()[name]
    start = np.asarray(listed["inputs"]["params"], dtype=np.float64)
    scales = spread ** np.linspace(-0.5, 0.5, len(start)) if spread != 1 else np.ones(len(start))
    free = np.full(len(start), np.inf)
    solution = np.asarray(listed["solution"]["params"], dtype=np.float64).reshape(1, -1)
    points = solution[np.isfinite(solution).all(axis=1)] * scales
    residuals = _rescale(listed["noise_free_fun"], scales)
    return Instance(start * scales, -free, free, float(listed["solution"]["value"]), points, residuals, noise=noise)


def _rescale(function: Callable[[Array], Any], scales: Array) -> Callable[[Array], Array]:
    def residuals(point: Array) -> Array:
        # Far from the start some of them overflow; a value that is not finite says so.
        with np.errstate(all="ignore"):
            return np.asarray(function(point / scales), dtype=np.float64)

    return residuals
