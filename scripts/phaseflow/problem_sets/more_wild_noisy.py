"""The problems of Moré and Wild with noise: each residual is off by a thousandth of itself, anew at each evaluation."""

from __future__ import annotations

from phaseflow.problem_sets import Instance, ProblemSet
from phaseflow.problem_sets._more_wild import DIMENSIONS, SOURCE, load_problem

# The relative size of the noise of Moré and Wild (2009), eq. 4.2.
_NOISE = 1e-3


def _load(name: str) -> Instance:
    return load_problem(name, noise=_NOISE)


PROBLEM_SET = ProblemSet(
    "The problems of `more_wild` with normal noise of 1e-3 of each residual, drawn anew at each evaluation; the k-th evaluation has the "
    "same draw for every algorithm. Success is judged by the values without noise.",
    SOURCE,
    DIMENSIONS,
    _load,
    has_residuals=True,
)
