"""One contract for every algorithm: the table is optimagic's own, and each finds an easy minimum."""

import numpy as np
import optimagic
import pytest

from phaseflow.catalogues import read_algorithms
from phaseflow.problems._search import SECOND_ORDER, Objective, Run
from phaseflow.problems.minimize import PROBLEM
from phaseflow.settings.studies import Study

ALGORITHMS = read_algorithms()
SCALAR = [name for name, algorithm in ALGORITHMS.items() if not algorithm.least_squares]
BOX = {"x0": {"start": 2, "lower": 1, "upper": 3}, "x1": {"start": 2, "lower": -4, "upper": 4}}
FREE = {"x0": {"start": 1}, "x1": {"start": 1}}
WIDE = {"x0": {"start": 1, "lower": -4, "upper": 3}, "x1": {"start": 1, "lower": -3, "upper": 4}}


def solve(name, variables, seed=0):
    study = {"minimize": "x0**2 + 10*x1**2 + x0*x1", "variables": variables}
    return PROBLEM.prepare(Study.model_validate(study), {})({"start": 0, "algorithm": name}, np.random.default_rng(seed))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_table_says_what_optimagic_says(name):
    row = ALGORITHMS[name]
    info = (SECOND_ORDER | optimagic.algorithms.AVAILABLE_ALGORITHMS)[name].__algo_info__
    assert (info.needs_jac, info.supports_bounds, info.needs_hess) == (row.gradient, row.bounds, row.hessian)
    # Without bounds scipy_shgo samples from -1e50 to 1e50 and finds nothing, so more than optimagic asks for is needed.
    assert (info.needs_bounds or name == "scipy_shgo", info.is_global) == (row.needs_bounds, row.is_global)
    # Of some that optimagic calls fit for constraints, the table says less: see there.
    assert info.supports_nonlinear_constraints or row.constraints == "none"
    assert row.constraints in ("none", "inequalities", "all")
    assert (info.solver_type == optimagic.typing.AggregationLevel.LEAST_SQUARES) == row.least_squares


def test_every_algorithm_of_scipy_and_nlopt_is_in_the_table():
    ours = {name for name in optimagic.algorithms.AVAILABLE_ALGORITHMS if name.startswith(("scipy_", "nlopt_"))}
    assert ours <= set(ALGORITHMS)


@pytest.mark.parametrize("name", SCALAR)
def test_an_algorithm_finds_the_minimum_of_a_quadratic(name):
    variables = WIDE if ALGORITHMS[name].needs_bounds else FREE
    solution = solve(name, variables)
    # The minimum is 0 at (0, 0). optimagic's own stopping rules leave local algorithms short of it, none by more than 0.02;
    # a search of the whole box ends after 1,000 evaluations, evolution (nlopt_esch) at a distance of 0.4 by chance.
    assert np.abs(solution.point).max() < (0.5 if ALGORITHMS[name].is_global else 2e-2), solution.message
    assert solution.value == pytest.approx(float(np.nanmin(solution.values)), abs=1e-3)
    assert len(solution.values) == len(solution.points) > 0
    # The Hessian is [[2, 1], [1, 20]]: its least eigenvalue is 11 - sqrt(82).
    assert solution.evidence["least_curvature"] == pytest.approx(11 - np.sqrt(82), rel=1e-14)


@pytest.mark.parametrize("name", SCALAR)
def test_an_algorithm_gives_the_same_bits_again_whatever_ran_between(name):
    variables = WIDE if ALGORITHMS[name].needs_bounds else FREE
    first = solve(name, variables)
    other = solve(name, variables, seed=1)
    again = solve(name, variables)
    # nlopt_slsqp runs into a NaN without bounds, each time the same.
    assert np.array_equal(first.points, again.points, equal_nan=True)
    assert np.array_equal(first.values, again.values, equal_nan=True)
    assert first.message == again.message
    assert ALGORITHMS[name].random or np.array_equal(first.points, other.points, equal_nan=True)


@pytest.mark.parametrize("name", [name for name in SCALAR if ALGORITHMS[name].bounds])
def test_an_algorithm_keeps_bounds(name):
    # On the bound x0 = 1 the minimum over x1 is at -1/20, with value 1 - 1/40.
    solution = solve(name, BOX)
    assert solution.evidence["feasibility"] == 0
    # A grid of 20 points has none nearer to -1/20 than -4/19: its value is higher by 10 (4/19 - 1/20)^2 = 0.26.
    allowed = 0.27 if name == "scipy_brute" else 0.1 if ALGORITHMS[name].is_global else 1e-3
    assert solution.value == pytest.approx(1 - 1 / 40, abs=allowed), solution.message


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if ALGORITHMS[name].least_squares])
def test_a_least_squares_algorithm_finds_the_minimum_of_rosenbrock(name):
    def residuals(p):
        return np.array([1 - p[0], 10 * (p[1] - p[0] ** 2)])

    def jacobian(p):
        return np.array([[-1, 0], [-20 * p[0], 10]])

    objective = Objective(
        lambda p: float(residuals(p) @ residuals(p)), lambda p: 2 * jacobian(p).T @ residuals(p), None, residuals, jacobian
    )
    free = np.full(2, np.inf)
    run = Run(objective, np.array([-1.2, 1.0]), -free, free)
    outcome = run.run(name, np.random.default_rng(0))
    assert outcome.status == "converged"
    # Gauss and Newton's method ends at the exact minimum of a problem with no residual.
    assert outcome.point == pytest.approx([1, 1], abs=1e-8)
    assert run.values[0] == pytest.approx(24.2)
