"""Profiles, running times and tests: by hand on small cases, and against scipy and statsmodels."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from phaseflow.rankings import Record, read_records
from phaseflow.rankings.bands import draw_problems, find_band
from phaseflow.rankings.profiles import count_within_ratio, count_within_units, tabulate_profiles
from phaseflow.rankings.running_times import divide, find_running_times, tabulate_running_times
from phaseflow.rankings.significance import (
    correct_holm,
    find_friedman,
    find_losses,
    find_wilcoxon,
    rank_algorithms,
    tabulate_pairs,
    tabulate_ranks,
)
from phaseflow.rankings.tables import SCHEMAS, compare, make_empty

INF = math.inf


def make_record(reached, spent=100.0, dimensions=(1, 3), budget=100.0, targets=(1e-1, 1e-5)):
    reached = np.array(reached, dtype=float)
    shape = reached.shape
    names = tuple("abcdefgh"[: shape[0]]), tuple(f"p{place}" for place in range(shape[1]))
    return Record(*names, np.array(targets), reached, np.full(shape[:3], spent), np.array(dimensions, dtype=float), budget)


# Two algorithms, two problems of 1 and 3 variables, two starts, two targets.
RECORD = make_record([[[[2, 10], [4, 30]], [[8, INF], [16, 80]]], [[[4, 20], [4, INF]], [[4, 40], [4, 40]]]])


def test_running_times_pool_starts_and_charge_failures_with_all_that_they_had():
    paid, successes = find_running_times(RECORD)
    assert paid.tolist() == [[[6, 40], [24, 180]], [[8, 120], [8, 80]]]
    assert successes.tolist() == [[[2, 2], [2, 1]], [[2, 1], [2, 2]]]
    assert divide(paid, successes).tolist() == [[[3, 20], [12, 180]], [[4, 120], [4, 40]]]


def test_a_running_time_without_a_success_is_infinite():
    record = make_record([[[[INF]], [[50]]]], targets=(1e-3,))
    rows = tabulate_running_times(record, draw_problems(0, 2, 200), 0.95)
    assert [(row["problem"], row["expected"]) for row in rows] == [("p0", INF), ("p1", 50.0), ("(all)", (100 / 2 + 50 / 4) / 1)]
    # A quarter of the draws of two problems have the unsolved one alone: the upper end is infinite.
    assert rows[-1]["expected_high"] == INF


def test_a_performance_profile_by_hand():
    # Expected times to the second target are 20 and 120 on the first problem, 180 and 40 on the second: ratios 1, 6 and 4.5, 1.
    counts = count_within_ratio(RECORD, 1, np.array([1.0, 4.4, 4.5, 6.0]))
    assert counts.mean(axis=1).tolist() == [[0.5, 0.5, 1, 1], [0.5, 0.5, 0.5, 1]]


def test_a_problem_that_nobody_solves_is_within_no_ratio():
    record = make_record([[[[INF]], [[5]]], [[[INF]], [[10]]]], targets=(1e-3,))
    assert count_within_ratio(record, 0, np.array([1.0, 2.0, 1e9])).mean(axis=1).tolist() == [[0.5, 0.5, 0.5], [0, 0.5, 0.5]]


def test_a_data_profile_by_hand():
    # In units of 2 and 4 evaluations the first algorithm reaches the second target after 5, 15 and (never), 20.
    counts = count_within_units(RECORD, slice(1, 2), np.array([4.9, 5, 15, 20]))
    assert counts[0].sum(axis=0).tolist() == [0, 1, 2, 3]
    both = count_within_units(RECORD, slice(None), np.array([1, 20]))
    # The first target is reached after 1, 2 and 2, 4 units.
    assert both[0].sum(axis=0).tolist() == [1, 7]


def test_a_loss_is_the_area_above_the_distribution_over_targets():
    record = make_record([[[[1, INF]], [[10, 100]]]])
    # log(1) = 0 and the whole budget 1; log(10)/log(100) = 1/2 and 1.
    assert find_losses(record).tolist() == [[0.5, 0.75]]


def test_friedman_agrees_with_scipy_ties_included():
    losses = np.random.default_rng(0).integers(0, 4, (5, 23)).astype(float)
    ours, theirs = find_friedman(rank_algorithms(losses), 0.95), scipy.stats.friedmanchisquare(*losses)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-10)


def test_friedman_without_any_difference_says_chance():
    assert find_friedman(rank_algorithms(np.ones((3, 6))), 0.95).p_value == 1


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_critical_differences_are_those_of_the_published_table(k, q):
    # Demšar (2006), table 5(a): q at 0.05, with three decimals.
    ranks = rank_algorithms(np.random.default_rng(k).random((k, 14)))
    assert find_friedman(ranks, 0.95).critical_difference == pytest.approx(q * math.sqrt(k * (k + 1) / (6 * 14)), rel=4e-4)


@pytest.mark.parametrize("n", [5, 12, 40])
def test_wilcoxon_agrees_with_scipys_exact_law(n):
    differences = np.random.default_rng(n).standard_normal(n) + 0.3
    theirs = scipy.stats.wilcoxon(differences, method="exact")
    assert find_wilcoxon(differences).p_value == pytest.approx(theirs.pvalue, rel=1e-10)


def test_wilcoxon_with_ties_and_zeros_agrees_with_counting_every_sign():
    differences = np.array([0.0, 1, 1, -1, 2, 2, 0, -3, 4])
    ranks = scipy.stats.rankdata(np.abs(differences))[differences != 0]
    seen = ranks[differences[differences != 0] > 0].sum()
    sums = np.array([ranks[np.array(signs, dtype=bool)].sum() for signs in itertools.product((0, 1), repeat=len(ranks))])
    expected = min(1.0, 2 * min((sums <= seen).mean(), (sums >= seen).mean()))
    assert find_wilcoxon(differences).rank_sum == seen
    assert find_wilcoxon(differences).p_value == pytest.approx(expected, rel=1e-12)


def test_wilcoxon_of_many_is_near_its_exact_law():
    differences = np.random.default_rng(2).standard_normal(201) + 0.1
    # The normal law is off by terms in 1/n.
    assert find_wilcoxon(differences).p_value == pytest.approx(find_wilcoxon(differences[:200]).p_value, abs=0.05)
    theirs = scipy.stats.wilcoxon(differences, method="approx", correction=False)
    assert find_wilcoxon(differences).p_value == pytest.approx(theirs.pvalue, rel=1e-9)


def test_no_difference_at_all_is_chance():
    assert find_wilcoxon(np.zeros(7)).p_value == 1


def test_holm_agrees_with_statsmodels():
    p_values = np.array([0.01, 0.04, 0.03, 0.005, 0.04, 0.9])
    assert correct_holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], rel=1e-14)


def test_a_clear_winner_is_told_from_chance_and_equals_are_not():
    random = np.random.default_rng(5)
    slow = 50 + random.integers(0, 40, (1, 30, 1, 1))
    reached = np.concatenate([slow, slow, slow // 10], axis=0)
    record = make_record(reached, dimensions=np.full(30, 2), targets=(1e-5,))
    verdicts = {(row["algorithm"], row["other"]): row["verdict"] for row in tabulate_pairs(record, 0.95)}
    assert verdicts == {("a", "b"): "chance", ("a", "c"): "worse", ("b", "c"): "worse"}
    rows = tabulate_ranks(record, draw_problems(0, 30, 200), 0.95)
    assert [(row["algorithm"], row["mean_rank"]) for row in rows] == [("c", 1.0), ("a", 2.5), ("b", 2.5)]
    assert rows[0]["friedman_p"] < 1e-10
    assert (rows[0]["rank_low"], rows[0]["rank_high"]) == (1.0, 1.0)


def test_draws_of_problems_are_the_same_again_and_fair():
    draws = draw_problems(3, 10, 4000)
    assert np.array_equal(draws, draw_problems(3, 10, 4000))
    assert not np.array_equal(draws, draw_problems(4, 10, 4000))
    assert (draws.sum(axis=1) == 10).all()
    # Each count is binomial with mean 1 and variance 0.9: its mean of 4,000 lies within five standard errors.
    assert np.abs(draws.mean(axis=0) - 1).max() < 5 * math.sqrt(0.9 / 4000)


def test_a_band_covers_what_is_between_its_ends():
    low, high = find_band(np.arange(1001.0), 0.95)
    assert (low, high) == (25, 975)


def test_profiles_end_where_counts_say_and_bands_hold_them():
    rows = pd.DataFrame(tabulate_profiles(RECORD, draw_problems(1, 2, 500), 0.95))
    ends = rows.groupby(["profile", "target", "algorithm"], dropna=False)["share"].last()
    assert ends["data", 1e-5].tolist() == [0.75, 0.75]
    assert ends["performance", 1e-5].tolist() == [1, 1]
    assert (rows["low"] <= rows["share"]).all()
    assert (rows["share"] <= rows["high"]).all()
    assert (rows.groupby(["profile", "target", "algorithm"], dropna=False)["share"].diff().dropna() >= 0).all()


def make_tables(missing=False):
    """Two algorithms on two problems: `a` halves the gap at each evaluation, `b` takes a tenth off it."""
    trials, histories = [], []
    for trial, (algorithm, problem) in enumerate(itertools.product("ab", ("p0", "p1"))):
        if missing and (algorithm, problem) == ("b", "p1"):
            continue
        row = {"trial": trial, "algorithm": algorithm, "problem": problem, "budget": 50.0, "start": 0, "dimension": 2.0}
        trials.append(row | {"start_value": 9.0, "known_value": 1.0, "evaluations": 50})
        best = 1 + 8 * (0.5 if algorithm == "a" else 0.9) ** np.arange(50)
        histories.append(pd.DataFrame({"trial": trial, "evaluation": np.arange(1, 51), "best": best}))
    return pd.DataFrame(trials), pd.concat(histories, ignore_index=True)


def test_targets_are_shares_of_the_way_down_from_the_start():
    (record,) = read_records(*make_tables(), [0.1, 1e-3])
    # 0.5^4 < 0.1 at the fifth evaluation, 0.5^10 < 1e-3 at the eleventh; 0.9^22 < 0.1 at the 23rd, and 0.9^49 > 1e-3.
    assert record.reached[:, 0, 0].tolist() == [[5, 11], [23, INF]]
    assert record.spent.tolist() == [[[50], [50]], [[50], [50]]]


def test_a_problem_that_one_algorithm_was_not_given_is_left_out():
    (record,) = read_records(*make_tables(missing=True), [0.1])
    assert record.problems == ("p0",)


def test_tables_have_their_schemas_and_one_problem_has_no_ranks():
    compared = compare(*make_tables(missing=True), [0.1], 100, 0.95, 0)
    assert {name: table.schema for name, table in compared.items()} == SCHEMAS
    assert compared["ranks"].num_rows == compared["comparisons"].num_rows == 0
    assert compared["running_times"].num_rows == 4
    assert {name: table.num_rows for name, table in make_empty().items()} == dict.fromkeys(SCHEMAS, 0)
    again = compare(*make_tables(missing=True), [0.1], 100, 0.95, 0)
    assert all(compared[name].equals(again[name]) for name in SCHEMAS)
