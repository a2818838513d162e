"""Whether algorithms differ by more than chance over problems: Friedman's test, and Wilcoxon's for pairs with Holm's correction.

Source: Demšar (2006), J. Mach. Learn. Res. 7, 1-30; García and Herrera (2008), J. Mach. Learn. Res. 9, 2677-2694.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.special import chdtrc, ndtr

from phaseflow.rankings import Array, Record
from phaseflow.rankings.bands import find_band

RANK_SCHEMA = pa.schema(
    [
        ("budget", pa.float64()),
        ("algorithm", pa.string()),
        ("problems", pa.int64()),
        *((name, pa.float64()) for name in ("mean_rank", "rank_low", "rank_high", "mean_loss")),
        *((name, pa.float64()) for name in ("friedman_statistic", "friedman_p", "critical_difference")),
    ]
)
PAIR_SCHEMA = pa.schema(
    [
        ("budget", pa.float64()),
        *((name, pa.string()) for name in ("algorithm", "other")),
        *((name, pa.int64()) for name in ("better", "worse", "equal")),
        *((name, pa.float64()) for name in ("median_difference", "rank_sum", "p_value", "p_holm")),
        ("verdict", pa.string()),
    ]
)
# Beyond so many problems the law of the rank sum is taken as normal.
_EXACT = 200
_DIGITS = 12


def find_losses(record: Record) -> Array:
    """Return how far each algorithm is from reaching every target at once, from 0 to 1, shape (n_algorithms, n_problems).

    The mean over targets and starts of log(evaluations until reached) / log(budget), a target that was not reached counting as the
    whole budget: the area above the distribution over targets, on a logarithmic axis, up to the budget.
    Source: López-Ibáñez, Vermetten, Dreo and Doerr (2024), IEEE Trans. Evol. Comput.: the area under such a distribution.
    """
    evaluations = np.minimum(record.reached, record.budget)
    losses = (np.log(evaluations) / np.log(max(record.budget, 2))).mean(axis=(2, 3))
    # Careful: the last bits of a logarithm depend on a number's place in the array, and equal losses must stay equal.
    rounded: Array = np.round(losses, _DIGITS)
    return rounded


def rank_algorithms(losses: Array) -> Array:
    """Return the rank of each algorithm on each problem, 1 the best, equals sharing their mean; shape (n_algorithms, n_problems)."""
    return _rank(losses)


def _rank(values: Array) -> Array:
    """Return ranks along the first axis; the module that knows them takes half a second to import, and few studies need it."""
    from scipy.stats import rankdata

    ranks: Array = rankdata(values, axis=0)
    return ranks


@dataclass(frozen=True)
class Friedman:
    """Friedman's test: its statistic, corrected for ties, the chance of a larger one where algorithms are alike, and Nemenyi's difference.

    Attributes
    ----------
    critical_difference : mean ranks that differ by less differ by no more than chance.
    """

    statistic: float
    p_value: float
    critical_difference: float


def find_friedman(ranks: Array, confidence: float) -> Friedman:
    """Test whether the mean ranks of algorithms differ by more than chance.

    Parameters
    ----------
    ranks : shape (n_algorithms, n_problems).

    Source: Demšar (2006), sec. 3.2.2; ties as in Hollander and Wolfe (1999), Nonparametric Statistical Methods, eq. 7.8.
    """
    from scipy.stats import studentized_range

    k, n = ranks.shape
    spread = float(((ranks.sum(axis=1) - n * (k + 1) / 2) ** 2).sum())
    whole = float(((ranks - (k + 1) / 2) ** 2).sum())
    statistic = (k - 1) * spread / whole if whole > 0 else 0.0
    quantile = float(studentized_range.ppf(confidence, k, np.inf))
    return Friedman(statistic, float(chdtrc(k - 1, statistic)), quantile / np.sqrt(2) * np.sqrt(k * (k + 1) / (6 * n)))


@dataclass(frozen=True)
class Wilcoxon:
    """Wilcoxon's signed-rank test: the sum of the ranks of positive differences, and the two-sided p-value."""

    rank_sum: float
    p_value: float


def find_wilcoxon(differences: Array) -> Wilcoxon:
    """Test whether paired differences lie about zero.

    Zeros are ranked and then dropped (Pratt (1959), J. Amer. Statist. Assoc. 54, 655-667); equal sizes share their mean rank. The law
    of the rank sum given these ranks is exact, by counting; with more than 200 problems it is taken as normal.
    """
    ranks = _rank(np.abs(differences))
    ranks, signs = ranks[differences != 0], differences[differences != 0] > 0
    rank_sum = float(ranks[signs].sum())
    if len(ranks) == 0:
        return Wilcoxon(0.0, 1.0)
    if len(ranks) > _EXACT:
        z = abs(rank_sum - ranks.sum() / 2) / np.sqrt((ranks**2).sum() / 4)
        return Wilcoxon(rank_sum, float(2 * ndtr(-z)))
    law = _count_sums(np.rint(2 * ranks).astype(int))
    twice = round(2 * rank_sum)
    return Wilcoxon(rank_sum, min(1.0, 2 * float(min(law[: twice + 1].sum(), law[twice:].sum()))))


def _count_sums(ranks: np.ndarray) -> Array:
    """Return the chance of each sum of ranks when each is in the sum or not by the toss of a coin."""
    law = np.zeros(ranks.sum() + 1)
    law[0] = 1
    for rank in ranks:
        law[rank:] = (law[rank:] + law[: len(law) - rank]) / 2
        law[:rank] /= 2
    return law


def correct_holm(p_values: Array) -> Array:
    """Return p-values corrected for their number.

    Source: Holm (1979), Scand. J. Statist. 6, 65-70.
    """
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(stepped, 1)
    return corrected


def tabulate_ranks(record: Record, draws: Array, confidence: float) -> list[dict[str, Any]]:
    """Return a row an algorithm, best first: its mean rank with a band over problems, and the test of all of them."""
    losses = find_losses(record)
    ranks = rank_algorithms(losses)
    test = find_friedman(ranks, confidence)
    n = len(record.problems)
    rows = []
    for place in np.argsort(ranks.mean(axis=1), kind="stable"):
        low, high = find_band(draws @ ranks[place] / n, confidence)
        row = {"budget": record.budget, "algorithm": record.algorithms[place], "problems": n, "mean_rank": ranks[place].mean()}
        row |= {"rank_low": float(low), "rank_high": float(high), "mean_loss": losses[place].mean()}
        tested = {"friedman_statistic": test.statistic, "friedman_p": test.p_value, "critical_difference": test.critical_difference}
        rows.append(row | tested)
    return rows


def tabulate_pairs(record: Record, confidence: float) -> list[dict[str, Any]]:
    """Return a row a pair of algorithms: on how many problems each is ahead, and whether that is more than chance."""
    losses = find_losses(record)
    pairs = list(combinations(range(len(record.algorithms)), 2))
    tests = [find_wilcoxon(losses[first] - losses[second]) for first, second in pairs]
    corrected = correct_holm(np.array([test.p_value for test in tests]))
    rows = []
    for (first, second), test, p_holm in zip(pairs, tests, corrected.tolist(), strict=True):
        difference = losses[first] - losses[second]
        counts = {"better": int((difference < 0).sum()), "worse": int((difference > 0).sum()), "equal": int((difference == 0).sum())}
        names = {"budget": record.budget, "algorithm": record.algorithms[first], "other": record.algorithms[second]}
        verdict = "chance" if p_holm > 1 - confidence else _name_better(test.rank_sum, difference)
        values = {"median_difference": float(np.median(difference)), "rank_sum": test.rank_sum, "p_value": test.p_value}
        rows.append(names | counts | values | {"p_holm": p_holm, "verdict": verdict})
    return rows


def _name_better(rank_sum: float, differences: Array) -> str:
    whole = _rank(np.abs(differences))[differences != 0].sum()
    return "worse" if rank_sum > whole / 2 else "better"
