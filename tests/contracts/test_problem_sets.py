"""One contract for every set of test problems: it is what it says, and its listed optima are optima."""

import numpy as np
import pytest

from phaseflow.expressions.arrays import evaluate
from phaseflow.plugins import list_plugins
from phaseflow.problem_sets import load_problem_set
from phaseflow.problem_sets.global_functions import FUNCTIONS
from phaseflow.problems.benchmark import make_derivatives

SETS = list_plugins("problem_sets")


def find_value(instance, points):
    """Return the values at points of shape (k, n)."""
    if instance.residuals is not None:
        return np.array([float(np.sum(instance.residuals(point) ** 2)) for point in points])
    columns = dict(zip(instance.variables, np.asarray(points, dtype=float).T, strict=True))
    return np.broadcast_to(evaluate(instance.expression.tree, columns), len(points))


def test_there_are_sets_enough():
    assert {"more_wild", "more_wild_noisy", "more_wild_scaled", "global_functions"} <= set(SETS)
    assert len(FUNCTIONS) >= 20


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_what_it_says(name):
    found = load_problem_set(name)
    assert found.description.endswith(".")
    assert "(" in found.source
    for problem, dimension in found.dimensions.items():
        instance = found.load(problem)
        assert instance.start.shape == instance.lower.shape == instance.upper.shape == (dimension,)
        assert (instance.lower <= instance.start).all()
        assert (instance.start <= instance.upper).all()
        assert np.isfinite([instance.lower, instance.upper]).all() == found.is_boxed
        assert (instance.residuals is not None) == found.has_residuals != (instance.expression is not None)
        assert (instance.expression is not None) == found.has_derivatives
        assert np.isfinite(find_value(instance, [instance.start])).all()


@pytest.mark.parametrize("name", SETS)
def test_a_listed_optimum_has_the_listed_value_and_the_start_is_above_it(name):
    found = load_problem_set(name)
    for problem in found.dimensions:
        instance = found.load(problem)
        assert find_value(instance, [instance.start])[0] > instance.known_value
        way = find_value(instance, [instance.start])[0] - instance.known_value
        for value in find_value(instance, instance.known_points):
            # optimagic lists six to fourteen digits of points and values; what matters is that the strictest of the usual targets,
            # 1e-7 of the way from the start, is not in doubt by them.
            assert abs(value - instance.known_value) <= 1e-9 * way, problem


def test_our_list_of_the_problems_of_more_and_wild_is_that_of_optimagic():
    from optimagic.benchmarking.get_benchmark_problems import get_benchmark_problems

    theirs = {name: len(problem["inputs"]["params"]) for name, problem in get_benchmark_problems("more_wild").items()}
    assert dict(load_problem_set("more_wild").dimensions) == theirs
    assert len(theirs) == 54


def test_a_scaled_problem_is_the_same_problem_in_other_units():
    plain, scaled = (load_problem_set(name).load("watson_6_good_start") for name in ("more_wild", "more_wild_scaled"))
    scales = np.array([1e-3, 10**-1.8, 10**-0.6, 10**0.6, 10**1.8, 1e3])
    random = np.random.default_rng(0)
    for point in random.standard_normal((20, 6)):
        assert scaled.residuals(point * scales) == pytest.approx(plain.residuals(point), rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_classic_function_is_least_where_it_says(name):
    function, instance = FUNCTIONS[name], load_problem_set("global_functions").load(name)
    scale = max(1.0, abs(function.least))
    values = find_value(instance, instance.known_points)
    # The listed doubles are the nearest to the minimisers; what rounding the formula's terms leaves is some 1e-13 of their size.
    assert values == pytest.approx(np.full(len(values), function.least), abs=1e-12 * scale)
    random = np.random.default_rng(1)
    inside = instance.lower + random.random((20_000, function.dimension)) * (instance.upper - instance.lower)
    assert find_value(instance, inside).min() >= function.least - 1e-12 * scale
    for point in instance.known_points:
        for size in (1e-1, 1e-2, 1e-3, 1e-5):
            near = np.clip(point + size * random.standard_normal((200, function.dimension)), instance.lower, instance.upper)
            assert find_value(instance, near).min() >= function.least - 1e-12 * scale


@pytest.mark.parametrize("name", [name for name, function in FUNCTIONS.items() if function.is_smooth])
def test_a_smooth_minimum_is_stationary_with_no_negative_curvature(name):
    instance = load_problem_set("global_functions").load(name)
    derivatives = make_derivatives(instance)
    for point in instance.known_points:
        hessian = derivatives.find_hessian(point)
        inner = (instance.lower < point) & (point < instance.upper)
        size = max(1.0, np.abs(hessian).max() * max(1.0, np.abs(point).max()))
        # The nearest double is off by at most 1.1e-16 of the point, which the Hessian turns into a slope; terms cancel besides.
        assert np.abs(derivatives.find_gradient(point)[inner]).max() <= 1e-13 * size
        assert np.linalg.eigvalsh(hessian[np.ix_(inner, inner)]).min() >= -1e-13 * size
