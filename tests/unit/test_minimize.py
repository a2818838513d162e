"""Minimising an expression: exact derivatives, starts, and what a config may ask for."""

import mpmath
import numpy as np
import pytest

from phaseflow.catalogues import read_algorithms
from phaseflow.config import load_config
from phaseflow.errors import ConfigError
from phaseflow.plan import Plan
from phaseflow.problems._conditions import Conditions
from phaseflow.problems._differences import measure_derivatives
from phaseflow.problems._proofs import Prover
from phaseflow.problems._search import draw_start
from phaseflow.problems._statement import Statement
from phaseflow.problems.minimize import PROBLEM, Derivatives
from phaseflow.settings.studies import Study
from tests.contracts.small import make_tables

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
        ("{minimize: x**2, variables: {x: {start: 1}}, constraints: [x >= 1], sweep: {algorithm: scipy_bfgs}}", "these can: nlopt_cobyla,"),
        ("{minimize: x**2, variables: {x: {start: 1}}, constraints: [x == 1], sweep: {algorithm: nlopt_mma}}", "that are equations"),
        ("{minimize: x**2, variables: {x: {start: 1}}, constraints: [x >= 1, 3]}", "3 is not a condition such as"),
        ("{minimize: x**2, variables: {x: {start: 1}}, constraints: [2 >= 1]}", "has no variable in it"),
        ("{minimize: x**2, variables: {x: {start: 1}}, sweep: {tolerance: [1e-3, 0]}}", "0 must be greater than 0"),
        ("{minimize: x**2, variables: {x: {start: 1}}, sweep: {derivatives: central}}", "there is no derivatives 'central'"),
        ("{minimize: x**2, variables: {x: {start: 1}}, sweep: {derivatives: differences, algorithm: scipy_trust_ncg}}", "exact Hessian"),
        ("{minimize: x, variables: {x: {start: 1}}, sampling: latin_hypercube, sweep: [{starts: 3}, {starts: 4}]}", "the same"),
        ("{minimize: certified_x, variables: {certified_x: {start: 1}}}", "'certified_x' is a column of every table"),
        ("{minimize: x, variables: {x: {start: 1}}, certify: {bits: 53}}", "greater than or equal to 106"),
        ("{calibrate: {to: data.d, observe: {x: x}}, sampling: sobol}", "only a study that has `minimize` can have this"),
    ],
)
def test_a_mistake_says_what_is_wanted(tmp_path, study, message):
    with pytest.raises(ConfigError, match=r"optimize\.it") as error:
        check(tmp_path, study)
    assert message in str(error.value)


def test_roots_false_is_no_search(tmp_path):
    assert check(tmp_path, "{minimize: x**2, variables: {x: {start: 1}}, roots: false}").roots is None


QUADRATIC = {"minimize": "x0**2 + 10*x1**2 + x0*x1", "variables": {"x0": {"start": 1}, "x1": {"start": 1}}}
BOXED = {**QUADRATIC, "variables": {name: {"start": 1, "lower": -4, "upper": 3} for name in ("x0", "x1")}}
# The tight tolerances that docs/config.md lists.
TIGHT = {"scipy_truncated_newton": 1e-16}
GRADIENT = [name for name, algorithm in read_algorithms().items() if algorithm.gradient and not algorithm.least_squares]


def solve(study, algorithm, seed=0, **trial):
    trial = {"start": 0, "algorithm": algorithm, **trial}
    return PROBLEM.prepare(Study.model_validate(study), {})(trial, np.random.default_rng(seed))


@pytest.mark.parametrize("algorithm", GRADIENT)
def test_every_gradient_method_ends_within_1e_8_of_the_minimum_at_the_listed_tolerance_and_that_is_proven(algorithm):
    study = BOXED if read_algorithms()[algorithm].needs_bounds else QUADRATIC
    solution = solve(study, algorithm, tolerance=TIGHT.get(algorithm, 1e-12))
    assert np.abs(solution.point).max() <= 1e-8
    assert solution.status == "converged", solution.message
    certificate = solution.certificate
    assert (certificate.kind, certificate.scope, certificate.radius) == ("unique_minimum", "global", np.inf)
    assert certificate.point.tolist() == [0, 0]
    assert certificate.error == 0
    # The value is at most 21 times the square of the distance, and nothing is lower than 0.
    assert 0 <= certificate.gap <= 21e-16
    assert solution.evidence["proven_bound"] == 0
    assert solution.evidence["gradient_error"] <= 1e-15


def test_newtons_method_saves_all_but_a_twentieth_of_the_calls_of_differences():
    n = 20
    text = " + ".join(f"100*(x{i + 1} - x{i}**2)**2 + (1 - x{i})**2" for i in range(n - 1))
    study = {"minimize": text, "variables": {f"x{i}": {"start": 0} for i in range(n)}}
    newton = solve(study, "scipy_trust_exact")
    differences = solve(study, "scipy_bfgs", derivatives="differences")
    for solution in (newton, differences):
        assert solution.value < 1e-8
        assert solution.certificate.kind == "unique_minimum"
        assert solution.point == pytest.approx(np.ones(n), abs=1e-3)
    assert differences.gradients == differences.evidence["hessians"] == 0
    # Every call of value, gradient and Hessian together.
    calls = len(newton.values) + newton.gradients + newton.evidence["hessians"]
    assert newton.evidence["hessians"] > 0
    assert 20 * calls <= len(differences.values)


def test_a_gradient_by_differences_counts_each_value_and_is_near_the_exact_one():
    exact, differences = solve(QUADRATIC, "scipy_bfgs"), solve(QUADRATIC, "scipy_bfgs", derivatives="differences")
    assert exact.gradients > 0
    assert differences.gradients == 0
    # Two more values for each gradient; the value at its point is taken from the history.
    assert len(differences.values) >= len(exact.values) + 2 * (exact.gradients - 1)
    # The gradient is off by the step, 1.5e-8, times half the largest second derivative; the Hessian's least eigenvalue is 1.94.
    assert differences.point == pytest.approx([0, 0], abs=1e-5)
    # At an upper bound the step goes inwards.
    variables = {"x": {"start": 1, "lower": 0, "upper": 1}}
    inwards = solve({"minimize": "-sqrt(1.0000001 - x) - x", "variables": variables}, "scipy_lbfgsb", derivatives="differences")
    assert np.isfinite(inwards.values).all()
    assert inwards.points.max() <= 1


def test_the_error_of_derivatives_is_found_where_there_is_one():
    study = Study.model_validate({"minimize": VALLEY, "variables": {name: {"start": 1} for name in "abc"}})
    derivatives, point = Derivatives(study), np.array([-1.2, 0.7, 2.1])
    gradient, hessian = derivatives.find_gradient(point), derivatives.find_hessian(point)
    jacobian = np.empty((0, 3))
    statement = Statement.of(study)
    # What is left is the rounding of the compiled derivatives, some units in the last place of their largest terms.
    assert measure_derivatives(statement, 240, point, gradient, hessian, jacobian) < 1e-13
    assert measure_derivatives(statement, 240, point, gradient + np.array([0, 1e-6, 0]), hessian, jacobian) == pytest.approx(
        1e-6 / abs(gradient[1]), rel=1e-6
    )
    wrong = hessian + np.diag([0, 0, 1e-3])
    assert measure_derivatives(statement, 240, point, gradient, wrong, jacobian) == pytest.approx(
        1e-3 / max(1, abs(hessian[2, 2])), rel=1e-6
    )
    assert np.isnan(measure_derivatives(statement, 240, np.array([np.nan, 0, 0]), gradient, hessian, jacobian))


DISC = {
    "minimize": "x + y",
    "variables": {"x": {"start": 1, "lower": -5, "upper": 5}, "y": {"start": 0.5, "lower": -5, "upper": 5}},
    "constraints": ["x**2 + y**2 <= 4"],
}
CIRCLE = {"minimize": "x + y", "variables": {"x": {"start": 1}, "y": {"start": 0.5}}, "constraints": ["x**2 + y**2 == 4", "x <= 3"]}
KEEPING = {name: algorithm.constraints for name, algorithm in read_algorithms().items()}


@pytest.mark.parametrize("algorithm", [name for name, kept in KEEPING.items() if kept != "none"])
def test_an_algorithm_keeps_constraints(algorithm):
    box = DISC if read_algorithms()[algorithm].bounds else {**DISC, "variables": CIRCLE["variables"]}
    solution = solve(box, algorithm)
    # The least of x + y on the disc of radius 2 is -2 sqrt(2); its multiplier is 1/(2 sqrt(2)).
    assert solution.evidence["feasibility"] <= 1e-6
    # nlopt_isres ends after 1,000 evaluations.
    is_near = solution.status == "converged"
    assert solution.value == pytest.approx(-2 * np.sqrt(2), abs=1e-4 if is_near else 0.3)
    if is_near:
        assert solution.evidence["kkt_residual"] < 1e-4
        assert (solution.certificate.kind, solution.certificate.scope) == ("unique_minimum", "global")
        assert solution.certificate.point == pytest.approx([-np.sqrt(2)] * 2, rel=1e-15)


@pytest.mark.parametrize("algorithm", [name for name, kept in KEEPING.items() if kept == "all"])
def test_an_algorithm_keeps_equations(algorithm):
    solution = solve(CIRCLE, algorithm, tolerance=1e-8)
    assert solution.evidence["feasibility"] <= 1e-6
    assert solution.value == pytest.approx(-2 * np.sqrt(2), abs=1e-5)
    assert solution.certificate.kind == "unique_minimum", solution.certificate.reason
    assert solution.evidence["gradient_error"] <= 1e-14


def test_an_answer_that_violates_a_constraint_has_no_certificate_and_is_not_the_best():
    study = Study.model_validate({**DISC, "constraint_tolerance": 1e-3})
    assert study.allowance == 1e-3
    prover = Prover(study)
    point = np.array([-1.5, -1.5])
    found = Conditions(study.constraints, Derivatives(study).variables, 1e-3)
    multipliers = found.find_multipliers(point, np.ones(2), np.full(2, -5.0), np.full(2, 5.0))
    certificate, columns = prover.prove(point, multipliers, is_feasible=False)
    assert (certificate.kind, certificate.reason) == ("none", "the answer violates the bounds or the constraints")
    # The least value of all is bounded even so.
    assert columns["proven_bound"] <= -2 * np.sqrt(2)


@pytest.mark.parametrize(
    ("point", "slope", "multiplier", "residual"),
    [
        # Stationary on the circle: slope (1, 1) = multiplier times (-2x, -2y).
        ((-(2**0.5), -(2**0.5)), (1, 1), 1 / 8**0.5, 0.0),
        # Within it no multiplier helps.
        ((0.0, 0.0), (1, 1), 0.0, 1.0),
        # On the far side it would have to be negative, which an inequality's may not be.
        ((2**0.5, 2**0.5), (1, 1), 0.0, 1.0),
    ],
)
def test_multipliers_are_those_of_the_kkt_conditions(point, slope, multiplier, residual):
    study = Study.model_validate(DISC)
    conditions = Conditions(study.constraints, Derivatives(study).variables, 1e-6)
    found = conditions.find_multipliers(np.array(point), np.array(slope, dtype=float), np.full(2, -np.inf), np.full(2, np.inf))
    assert found.conditions == pytest.approx([multiplier], abs=1e-14)
    assert found.residual == pytest.approx(residual, abs=1e-14)


def test_certificates_can_be_left_out_or_be_too_dear():
    left = solve({**QUADRATIC, "certify": "none"}, "scipy_bfgs")
    assert left.certificate.reason == "the study says certify: none"
    assert np.isnan(left.evidence["gradient_error"])
    dear = solve({**QUADRATIC, "certify": {"variables": 1}}, "scipy_bfgs")
    assert "more than 1 variables" in dear.certificate.reason


def test_the_least_value_of_all_tells_a_local_minimum_from_the_global_one():
    variables = {"x": {"start": 1.4, "lower": -3, "upper": 3}}
    study = {"minimize": "x**4 - 4*x**2 + x", "variables": variables}
    local, other = (
        solve(study, "scipy_lbfgsb", tolerance=1e-12),
        solve({**study, "variables": {"x": {**variables["x"], "start": -1.4}}}, "scipy_lbfgsb"),
    )
    assert local.certificate.kind == other.certificate.kind == "unique_minimum"
    assert local.certificate.scope == other.certificate.scope == "global"
    # The two minima differ by about the 2 x sqrt(2) that x adds.
    assert local.certificate.gap == pytest.approx(local.value - other.value, abs=1e-7)
    assert local.certificate.gap > 2.7
    unproven = solve({**study, "certify": {"boxes": 0}}, "scipy_lbfgsb", tolerance=1e-12)
    assert unproven.certificate.scope == "local"
    assert unproven.certificate.gap < 1e-15
    assert np.isnan(unproven.evidence["proven_bound"])


def test_that_constraints_leave_nothing_is_proven():
    study = {**DISC, "constraints": ["x**2 + y**2 <= 4", "x >= 2.5"]}
    solution = solve(study, "scipy_slsqp")
    assert solution.certificate.kind == "none"
    assert solution.evidence["proven_bound"] == np.inf


def test_what_is_proven_of_a_trial_does_not_depend_on_its_chunk(tmp_path):
    study = "{minimize: x**4 - 4*x**2 + x*y + y**2, variables: {x: {start: 1, lower: -3, upper: 3}, y: {start: 0, lower: -3, upper: 3}}"
    tables = []
    for chunk in (2, 50):
        folder = tmp_path / str(chunk)
        folder.mkdir()
        (folder / "config.yaml").write_text(f"optimize: {{it: {study}, sampling: sobol, sweep: {{starts: 9}}, chunk: {chunk}}}}}\n")
        make_tables(Plan(load_config(folder / "config.yaml")), folder)
        tables.append((folder / "results/optimize/it.csv").read_bytes())
    assert tables[0] == tables[1]
    assert b"unique_minimum" in tables[0]
