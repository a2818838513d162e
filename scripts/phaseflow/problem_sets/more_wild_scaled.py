"""The problems of Moré and Wild, badly scaled: the variables' units differ by a factor of a million."""

from __future__ import annotations

from phaseflow.problem_sets import Instance, ProblemSet
from phaseflow.problem_sets._more_wild import DIMENSIONS, SOURCE, load_problem

_SPREAD = 1e6


def _load(name: str) -> Instance:
    return load_problem(name, spread=_SPREAD)


PROBLEM_SET = ProblemSet(
    "The problems of `more_wild` with each variable multiplied by a factor, from 1e-3 for the first to 1e3 for the last, in equal ratios.",
    SOURCE,
    DIMENSIONS,
    _load,
    has_residuals=True,
)
