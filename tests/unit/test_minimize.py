"""Minimising an expression: exact derivatives, starts, and what a config may ask for."""

import mpmath
import numpy as np
import pytest

from phaseflow.config import load_config
from phaseflow.errors import ConfigError
from phaseflow.problems._search import draw_start
from phaseflow.problems.minimize import PROBLEM, Derivatives
from phaseflow.settings.studies import Study

VALLEY = "(1 - a)**2 + 100*(b - a**2)**2 + exp(-a*b)*sin(c + a)"


def check(tmp_path, study):
    (tmp_path / "config.yaml").write_text(f"optimize: {{it: {study}}}\n")
    return load_config(tmp_path / "config.yaml").studies["it"]


def test_derivatives_are_those_of_central_differences_in_high_precision():
    study = Study.model_validate({"minimize": VALLEY, "variables": {name: {"start": 1} for name in "abc"}})
    point = [-1.2, 0.7, 2.1]
    derivatives = Derivatives(study)
    mpmath.mp.dps = 60
    # A step of 1e-15 leaves an error of about 1e-30, far below the rounding of doubles.
    step = mpmath.mpf("1e-15")

    def value(*p):
        a, b, c = p
        return (1 - a) ** 2 + 100 * (b - a**2) ** 2 + mpmath.exp(-a * b) * mpmath.sin(c + a)

    def shift(p, place, by):
        return [x + by * (k == place) for k, x in enumerate(p)]

    def slope(p, place):
        return (value(*shift(p, place, step)) - value(*shift(p, place, -step))) / (2 * step)

    def bend(p, i, j):
        return (slope(shift(p, j, step), i) - slope(shift(p, j, -step), i)) / (2 * step)

    gradient = [float(slope(point, i)) for i in range(3)]
    hessian = [[float(bend(point, i, j)) for j in range(3)] for i in range(3)]
    assert derivatives.find_gradient(np.array(point)) == pytest.approx(gradient, rel=1e-14)
    assert derivatives.find_hessian(np.array(point)) == pytest.approx(np.array(hessian), rel=1e-13)


@pytest.mark.parametrize("algorithm", ["scipy_trust_exact", "scipy_trust_krylov", "scipy_trust_ncg"])
def test_second_derivatives_save_evaluations(algorithm):
    study = Study.model_validate({"minimize": "(1 - a)**2 + 100*(b - a**2)**2", "variables": {"a": {"start": -1.2}, "b": {"start": 1}}})
    solve = PROBLEM.prepare(study, {})
    second, first = (solve({"start": 0, "algorithm": name}, np.random.default_rng(0)) for name in (algorithm, "scipy_conjugate_gradient"))
    # At a gradient below scipy's 1e-4 the distance is at most that over the least eigenvalue of the Hessian, 0.4.
    assert second.point == pytest.approx([1, 1], abs=1e-3)
    assert len(second.values) < len(first.values)
    assert second.evidence["least_curvature"] == pytest.approx(0.39936, abs=1e-3)


@pytest.mark.parametrize("algorithm", ["scipy_lbfgsb", "nlopt_lbfgsb", "scipy_neldermead", "scipy_bfgs", "scipy_trust_exact"])
def test_an_algorithm_turns_back_where_there_is_no_value(algorithm):
    # The least value of x - log(x) is 1, at 1; a first step from 0.01 leads far off, and below 0 there is no value.
    study = Study.model_validate({"minimize": "x - log(x)", "variables": {"x": {"start": 0.01}}})
    solution = PROBLEM.prepare(study, {})({"start": 0, "algorithm": algorithm}, np.random.default_rng(0))
    assert solution.point == pytest.approx([1], abs=1e-3)
    # A start without a value ends at once, instead of after a million evaluations.
    study = Study.model_validate({"minimize": "x - log(x)", "variables": {"x": {"start": -1}}})
    solution = PROBLEM.prepare(study, {})({"start": 0, "algorithm": algorithm}, np.random.default_rng(0))
    assert (solution.status, len(solution.values)) == ("failed", 1)
    assert "no finite value at the start" in solution.message


def test_a_saddle_shows_a_negative_curvature():
    study = Study.model_validate({"minimize": "x**2 - y**2", "variables": {"x": {"start": 1}, "y": {"start": 0}}})
    solution = PROBLEM.prepare(study, {})({"start": 0, "algorithm": "scipy_bfgs"}, np.random.default_rng(0))
    assert solution.evidence["least_curvature"] == -2
    assert solution.evidence["kkt_residual"] < 1e-5


def test_a_start_does_not_depend_on_how_many_there_are():
    lower, upper = np.array([0.0, -np.inf]), np.array([1.0, 3.0])
    starts = [draw_start(np.random.default_rng(7), number, np.array([0.5, 1.0]), lower, upper) for number in range(200)]
    assert starts[0].tolist() == [0.5, 1.0]
    assert len({tuple(start) for start in starts}) == 200
    assert all((lower <= start).all() and (start <= upper).all() for start in starts)
    # Uniform on [0, 1]: the mean of 199 lies within four standard errors of 1/2.
    assert np.mean([start[0] for start in starts[1:]]) == pytest.approx(0.5, abs=4 / np.sqrt(12 * 199))


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ("{minimize: x**2, variables: {x: {start: 1}}, sweep: {algorithm: nlopt_direct}}", "nlopt_direct searches a box: give x both"),
        ("{minimize: x**2, variables: {x: {start: 1, upper: 2}}, sweep: {algorithm: scipy_bfgs}}", "cannot keep the bounds of x"),
        ("{minimize: x**2, variables: {x: {start: 1}}, sweep: {algorithm: scipy_ls_lm}}", "there is no algorithm 'scipy_ls_lm'"),
        ("{minimize: x**2, variables: {x: {start: 1}}, roots: true}", "give both"),
        ("{minimize: x**2 + y**2, variables: {x: {start: 1}, y: {start: 1}}, roots: true}", "of one variable; this one has 2"),
        ("{minimize: x**2, variables: {x: {start: 1, lower: 0, upper: 2}}, roots: {points: 1}}", "greater than or equal to 2"),
    ],
)
def test_a_mistake_says_what_is_wanted(tmp_path, study, message):
    with pytest.raises(ConfigError, match=r"optimize\.it") as error:
        check(tmp_path, study)
    assert message in str(error.value)


def test_roots_false_is_no_search(tmp_path):
    assert check(tmp_path, "{minimize: x**2, variables: {x: {start: 1}}, roots: false}").roots is None
