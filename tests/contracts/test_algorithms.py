"""One contract for every algorithm: the table is optimagic's own, and each finds an easy minimum."""

import numpy as np
import optimagic
import pytest

from phaseflow.catalogues import read_algorithms
from phaseflow.problems.minimize import PROBLEM
from phaseflow.settings.studies import Study

ALGORITHMS = read_algorithms()
STUDY = {"minimize": "x0**2 + 10*x1**2 + x0*x1", "variables": {"x0": {"start": 1}, "x1": {"start": 1}}}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_table_says_what_optimagic_says(name):
    info = optimagic.algorithms.AVAILABLE_ALGORITHMS[name].__algo_info__
    assert (info.needs_jac, info.supports_bounds) == (ALGORITHMS[name].gradient, ALGORITHMS[name].bounds)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_finds_the_minimum_of_a_quadratic(name):
    solve = PROBLEM.prepare(Study.model_validate(STUDY), {})
    solution = solve({"start": 0, "algorithm": name}, np.random.default_rng(0))
    # The minimum is 0 at (0, 0). optimagic's own stopping rules leave some algorithms short of it, none by more than this.
    assert np.abs(solution.point).max() < 2e-2, solution.message
    assert solution.value == pytest.approx(float(np.nanmin(solution.values)), abs=1e-3)
    assert len(solution.values) == len(solution.points) > 0
    assert np.array_equal(solution.points[0], [1, 1])


@pytest.mark.parametrize("name", [name for name, algorithm in ALGORITHMS.items() if algorithm.bounds])
def test_an_algorithm_keeps_bounds(name):
    variables = {"x0": {"start": 2, "lower": 1, "upper": 3}, "x1": {"start": 2, "lower": -4, "upper": 4}}
    solve = PROBLEM.prepare(Study.model_validate(STUDY | {"variables": variables}), {})
    solution = solve({"start": 0, "algorithm": name}, np.random.default_rng(0))
    # On the bound x0 = 1 the minimum over x1 is at -1/20, with value 1 - 1/40.
    assert solution.evidence["feasibility"] == 0
    assert solution.value == pytest.approx(1 - 1 / 40, abs=1e-3), solution.message
