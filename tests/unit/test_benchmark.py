"""Benchmarks: budgets that hold for every algorithm, evidence, what a config may ask for, and what the findings say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phaseflow.catalogues import read_algorithms
from phaseflow.config import load_config
from phaseflow.errors import ConfigError
from phaseflow.kinds import lay_out_trials
from phaseflow.plan import Plan
from phaseflow.plugins import load_plugin
from phaseflow.problem_sets import load_problem_set
from phaseflow.problems._budgets import BudgetError, Meter, Metered
from phaseflow.problems.benchmark import PROBLEM, weigh
from phaseflow.settings.studies import Study
from tests.contracts.small import make_tables

ALGORITHMS = read_algorithms()
MANY = "{benchmark: more_wild, sweep: {algorithm: [scipy_bfgs, scipy_ls_lm], problem: [box_3d, meyer]}}"


def read(tmp_path, study):
    (tmp_path / "config.yaml").write_text(f"optimize: {{it: {study}}}\n")
    return load_config(tmp_path / "config.yaml")


def solve(problems, algorithm, problem, budget, start=0, seed=0, **settings):
    study = Study.model_validate({"benchmark": {"problems": problems, **settings}})
    trial = {"problem": problem, "algorithm": algorithm, "budget": budget, "start": start}
    return PROBLEM.prepare(study, {})(trial, np.random.default_rng(seed))


def choose(algorithm):
    """Return a set and a problem of it that an algorithm can be run on."""
    row = ALGORITHMS[algorithm]
    is_classic = row.needs_bounds or (row.hessian and row.bounds)
    return ("global_functions", "branin") if is_classic else ("more_wild", "bard_good_start")


@pytest.mark.parametrize("budget", [1, 7, 60])
@pytest.mark.parametrize("algorithm", [name for name, row in ALGORITHMS.items() if not (row.hessian and not row.bounds)])
def test_no_algorithm_exceeds_its_budget_and_the_best_value_is_that_of_the_history(algorithm, budget):
    problems, problem = choose(algorithm)
    solution = solve(problems, algorithm, problem, budget)
    if algorithm == "scipy_brute" and budget == 1:
        # The least grid has four points.
        assert (solution.status, len(solution.values)) == ("failed", 0)
        return
    assert 1 <= solution.evaluations[-1] <= budget
    assert (np.diff(solution.evaluations) > 0).all()
    assert solution.value == np.nanmin(solution.values)
    assert solution.evidence["gap_known"] == solution.value - solution.evidence["known_value"]
    assert solution.status in ("converged", "stopped", "failed")
    assert budget > 1 or solution.status == "stopped"


@given(costs=st.lists(st.integers(1, 9), max_size=40), budget=st.integers(1, 60))
def test_a_meter_never_spends_more_than_its_budget(costs, budget):
    meter, paid = Meter(budget), 0
    for cost in costs:
        try:
            meter.spend(cost)
        except BudgetError:
            assert paid + cost > budget or meter.reason
            break
        paid += cost
    assert meter.evaluations == paid <= budget
    if meter.reason:
        with pytest.raises(BudgetError, match=f"budget of {budget} "):
            meter.spend(0)


def test_a_limit_of_time_is_a_status_of_its_own():
    meter = Meter(10, time_limit=-1.0)
    with pytest.raises(BudgetError, match="limit of -1 s"):
        meter.spend()
    assert meter.reason[0] == "time_limit"


def test_each_call_of_a_difference_counts_and_the_same_point_again_costs_nothing():
    meter = Meter(100)
    function = Metered(meter, lambda x: np.array([x[0] - 1, 10 * (x[1] - x[0] ** 2)]), True, np.full(2, np.inf))
    point = np.array([-1.2, 1.0])
    assert function.find_value(point) == pytest.approx(24.2, rel=1e-15)
    function.find_value(point)
    assert meter.evaluations == 1
    gradient = function.find_gradient(point)
    assert meter.evaluations == 3
    function.find_gradient(point)
    assert meter.evaluations == 3
    # Forward differences of residuals err by half the step, 1.5e-8 times |x|, times the second derivative, 20, times twice the residual.
    assert gradient == pytest.approx([-215.6, -88.0], abs=20 * 1.8e-8 * 4.4 * 2)
    assert meter.values[0] == pytest.approx(24.2)


def test_an_exact_gradient_costs_one_and_a_hessian_as_many_as_there_are_variables():
    meter = Meter(10)
    identity = np.eye(3)
    function = Metered(meter, lambda x: np.array([x @ x / 2]), False, np.full(3, np.inf), lambda x: x, lambda _: identity)
    point = np.ones(3)
    assert function.find_value(point) == 1.5
    assert function.find_gradient(point).tolist() == [1, 1, 1]
    assert function.find_hessian(point) is identity
    assert meter.evaluations == 1 + 1 + 3


def test_differences_stay_within_the_bounds():
    seen = []
    function = Metered(Meter(10), lambda x: np.array([seen.append(x.copy()) or x.sum()]), False, np.array([1.0, 2.0]))
    assert function.find_gradient(np.array([1.0, 0.0])) == pytest.approx([1, 1], abs=1e-7)
    assert max(x[0] for x in seen) <= 1


def test_steps_keep_improvements_and_the_last_evaluation():
    meter = Meter(10)
    for value in (5.0, np.nan, 7.0, 3.0, 3.0, np.inf):
        meter.spend()
        meter.keep(value)
    numbers, values = meter.list_steps()
    assert numbers.tolist() == [1, 4, 6]
    assert values.tolist() == [5, 3, np.inf]
    assert meter.best == 3


def test_the_noise_of_an_evaluation_is_the_same_for_every_algorithm_and_success_is_judged_without_it():
    point = np.array([1.0, 2.0, 3.0])
    draws = []
    for _ in range(2):
        function = Metered(Meter(9), lambda x: x, True, np.full(3, np.inf), noise=0.1, random=np.random.default_rng(4))
        function.find_terms(point)
        draws.append((function.find_terms(point + 1), function.meter.values))
    assert np.array_equal(draws[0][0], draws[1][0])
    assert draws[0][1] == [14.0]
    assert not np.array_equal(draws[0][0], point + 1)
    noisy = solve("more_wild_noisy", "scipy_neldermead", "bard_good_start", 300)
    # The values that count are without noise: none is below the least value, and the noise of 1e-3 leaves most of the way done.
    assert noisy.value >= noisy.evidence["known_value"]
    assert noisy.evidence["gap_relative"] < 1e-2


@pytest.mark.parametrize("problems", ["more_wild", "more_wild_noisy"])
def test_a_trial_gives_the_same_bits_again_whatever_ran_between(problems):
    first = solve(problems, "nlopt_praxis", "bard_good_start", 100, start=2)
    solve(problems, "scipy_basinhopping", "box_3d", 50)
    again = solve(problems, "nlopt_praxis", "bard_good_start", 100, start=2)
    assert np.array_equal(first.values, again.values, equal_nan=True)
    assert np.array_equal(first.evaluations, again.evaluations)
    assert first.evidence == again.evidence


def test_every_algorithm_begins_at_the_same_start():
    starts = {
        solve("more_wild", name, "meyer", 5, start=3).evidence["start_value"] for name in ("scipy_bfgs", "scipy_ls_lm", "nlopt_sbplx")
    }
    assert len(starts) == 1
    assert solve("more_wild", "scipy_bfgs", "meyer", 5).evidence["start_value"] not in starts


def test_exact_gradients_cost_less_than_differences():
    exact, differences = (
        solve("global_functions", "scipy_lbfgsb", "rosenbrock_10", 2000, derivatives=how) for how in ("exact", "differences")
    )
    assert max(exact.evidence["gap_relative"], differences.evidence["gap_relative"]) < 1e-7
    assert exact.evaluations[-1] < differences.evaluations[-1] / 3


def test_evidence_of_a_value_above_at_and_below_the_listed_one():
    instance = load_problem_set("more_wild").load("freudenstein_roth_good_start")
    known = instance.known_value
    above, at, below = (weigh(instance, value, known + 100) for value in (known + 1, known, 1.0))
    assert above["gap_relative"] == pytest.approx(0.01, rel=1e-12)
    assert (at["gap_relative"], at["below_known"]) == (0, 0)
    assert (below["gap_relative"], below["below_known"]) == (0, 1)
    assert below["gap_known"] == 1 - known


def test_an_algorithm_that_breaks_off_is_a_row_with_what_it_saw():
    # nlopt's generic failure on a line search far out.
    solution = solve("more_wild", "nlopt_lbfgsb", "meyer", 1000)
    assert solution.status in ("failed", "converged", "stopped")
    assert np.isfinite(solution.value)


def test_a_grid_is_as_fine_as_the_budget_pays_for():
    # 30^2 = 900 would fit, optimagic's own 20 points a variable are the most; 3^6 = 729 and 4^6 = 4096; 2^10 = 1024.
    assert solve("global_functions", "scipy_brute", "branin", 1000).evaluations[-1] == 1 + 400
    assert solve("global_functions", "scipy_brute", "hartmann_6", 1000).evaluations[-1] == 1 + 729
    assert "2**10 points, which are more than 1000" in solve("global_functions", "scipy_brute", "sphere_10", 1000).message


@pytest.mark.parametrize("chunk", [2, 5])
def test_no_byte_depends_on_the_chunk_size(tmp_path, chunk):
    sweep = "{algorithm: [nlopt_praxis, scipy_ls_lm], problem: [box_3d, meyer], budget: 60, starts: 2}"
    study = f"{{benchmark: more_wild_noisy, sweep: {sweep}, chunk: %s}}"
    for size in (8, chunk):
        (tmp_path / f"{size}").mkdir(exist_ok=True)
        make_tables(Plan(read(tmp_path, study % size)), tmp_path / f"{size}")
    files = [path for path in sorted((tmp_path / "8/results/optimize").rglob("*")) if path.is_file()]
    assert len(files) == 8
    for file in files:
        assert file.read_bytes() == (tmp_path / f"{chunk}" / file.relative_to(tmp_path / "8")).read_bytes(), file.name


def test_all_is_written_out_with_what_suits_the_set(tmp_path):
    study = read(tmp_path, "{benchmark: more_wild}").studies["it"]
    block = study.sweep[0]
    assert len(block["problem"]) == 54
    assert {"scipy_ls_lm", "pounders", "scipy_bfgs", "nlopt_newuoa"} <= set(block["algorithm"])
    assert not {"nlopt_direct", "scipy_trust_exact", "scipy_differential_evolution"} & set(block["algorithm"])
    assert len(block["algorithm"]) >= 20
    assert [target.value for target in study.targets] == [1e-1, 1e-3, 1e-5, 1e-7]
    boxed = read(tmp_path, "{benchmark: global_functions}").studies["it"].sweep[0]["algorithm"]
    assert {"nlopt_direct", "scipy_shgo", "scipy_lbfgsb"} <= set(boxed)
    assert not {"scipy_bfgs", "scipy_ls_trf"} & set(boxed)


def test_targets_change_no_chunk_and_another_tolerance_all(tmp_path):
    plan = Plan(read(tmp_path, MANY))
    other = Plan(read(tmp_path, MANY.replace("benchmark: more_wild", "benchmark: more_wild, targets: [0.5], confidence: 0.9")))
    assert plan.chunks("optimize", "it") == other.chunks("optimize", "it")
    assert plan.origin("optimize", "it").key != other.origin("optimize", "it").key
    loose = Plan(read(tmp_path, MANY.replace("benchmark: more_wild", "benchmark: {problems: more_wild, tolerance: 1e-8}")))
    assert not set(plan.chunks("optimize", "it")) & set(loose.chunks("optimize", "it"))


def test_algorithms_and_budgets_share_a_problem_s_random_stream_and_problems_do_not(tmp_path):
    study = read(tmp_path, MANY.replace("problem: [", "budget: [10, 20], starts: 2, problem: [")).studies["it"]
    trials = lay_out_trials(study)
    assert len(trials) == len(set(trials.ids.tolist())) == 2 * 2 * 2 * 2
    streams = pd.DataFrame({"problem": trials.columns["problem"], "stream": trials.streams}).drop_duplicates()
    assert len(streams) == 2


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ("{benchmark: more_wyld}", "there is no set of test problems 'more_wyld'; did you mean 'more_wild'?"),
        ("{benchmark: {problems: more_wild, derivatives: none}}", "derivatives"),
        ("{benchmark: more_wild, sweep: {algorithm: nlopt_direct}}", "nlopt_direct searches a box, and the problems of more_wild have no"),
        ("{benchmark: more_wild, sweep: {algorithm: scipy_trust_exact}}", "needs exact second derivatives, and more_wild has none"),
        ("{benchmark: global_functions, sweep: {algorithm: scipy_bfgs}}", "scipy_bfgs cannot keep the bounds of global_functions"),
        ("{benchmark: global_functions, sweep: {algorithm: scipy_ls_trf}}", "needs single residuals, and global_functions has none"),
        ("{benchmark: more_wild, sweep: {problem: box_3}}", "there is no problem 'box_3'; did you mean 'box_3d'?"),
        ("{benchmark: more_wild, sweep: {budget: 10.5}}", "10.5 is not a whole number of evaluations"),
        ("{benchmark: more_wild, sweep: {budget: [0]}}", "0 is not a whole number of evaluations, 1 or more"),
        ("{benchmark: more_wild, targets: [1e-3, 2]}", "2 must be greater than 0 and less than 1"),
        ("{benchmark: more_wild, targets: []}", "one target or more are wanted"),
        ("{benchmark: more_wild, confidence: 1}", "1 must be 0.5 or more and less than 1"),
        ("{benchmark: more_wild, roots: true}", "optimize.it.roots: a benchmark's problems have their own"),
    ],
)
def test_a_mistake_says_what_is_wanted(tmp_path, study, message):
    with pytest.raises(ConfigError, match=r"optimize\.it") as error:
        read(tmp_path, study)
    assert message in str(error.value)


def find(trials, **statistics):
    settings = {"targets": ["0.1", "1e-05"], "confidence": "0.95"}
    return load_plugin("findings", "benchmark").find(settings, pd.DataFrame(trials), statistics)


def make_trials(solved, status="converged", below=0.0):
    rows = [
        {"algorithm": algorithm, "problem": f"p{place}", "status": status, "gap_relative": 0.0 if ok else 0.5, "below_known": below}
        for algorithm, oks in solved.items()
        for place, ok in enumerate(oks)
    ]
    return [row | {"budget": 100.0} for row in rows]


def make_ranks(p_value):
    row = {"budget": 100.0, "problems": 3, "friedman_p": p_value, "critical_difference": 1.0}
    return [row | {"algorithm": name, "mean_rank": rank} for name, rank in (("a", 1.2), ("b", 1.9), ("c", 2.9))]


def pair(one, other, verdict):
    return {"budget": 100.0, "algorithm": one, "other": other, "verdict": verdict}


def test_findings_count_problems_and_name_what_is_more_than_chance():
    trials = make_trials({"a": [1, 1, 0], "b": [1, 0, 1], "c": [0, 0, 0]})
    pairs = [pair("a", "b", "chance"), pair("c", "a", "worse"), pair("b", "c", "chance")]
    solved, ranking = find(trials, ranks=make_ranks(0.001), comparisons=pairs)
    assert (
        solved.claim == "a and b solved the most problems to 1e−5 with 100 evaluations: 2 of 3; 3 were solved by one algorithm or another."
    )
    assert ranking.standing == "supported"
    assert ranking.claim.endswith("its lead on b is no more than chance, its lead on the other is more.")
    assert "1 of 3 pairs differ by more than chance" in ranking.evidence


def test_findings_say_when_all_is_chance_and_when_nothing_was_tested():
    trials = make_trials({"a": [1, 1], "b": [1, 1]})
    assert (
        find(trials, ranks=make_ranks(0.3), comparisons=[])[1].claim == "The algorithms differ by no more than chance with 100 evaluations."
    )
    assert "is not shown" in find(trials)[1].claim
    assert find([])[0].claim == "There are no trials, so nothing can be said."
    assert find(make_trials({"a": [0]}))[0].standing == "open"


def test_findings_flag_values_below_the_list_and_count_what_failed():
    claims = [finding.claim for finding in find(make_trials({"a": [1, 1]}, status="failed", below=1.0))]
    assert "Values below the listed optimum were seen on p0 and p1; they count as solved." in claims
    assert "2 of 2 trials broke off with an error." in claims
