"""The problems of Moré and Wild: nonlinear least squares of 2 to 12 variables, and one of 100."""

from __future__ import annotations

from phaseflow.problem_sets import ProblemSet
from phaseflow.problem_sets._more_wild import DIMENSIONS, SOURCE, load_problem

PROBLEM_SET = ProblemSet(
    "54 problems of nonlinear least squares, of 2 to 12 variables and one of 100, from near and from far.",
    SOURCE,
    DIMENSIONS,
    load_problem,
    has_residuals=True,
)
