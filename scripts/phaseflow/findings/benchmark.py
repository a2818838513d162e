"""What a comparison of algorithms shows: who solved how many problems, and which differences are more than chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from phaseflow.catalogues import read_algorithms
from phaseflow.findings import Finding, Findings, count_of, format_number, join_names, to_numbers, to_texts

_USUAL_TARGET = 1e-5
_ALL = "(all)"
_SHOWN = 5
Rows = Sequence[Mapping[str, Any]]


def find_in_trials(settings: Mapping[str, Any], trials: pd.DataFrame, statistics: Mapping[str, Any]) -> list[Finding]:
    """Say what the algorithms solved, which of them differ by more than chance, and what went wrong; for each budget."""
    if trials.empty:
        return [Finding("open", "There are no trials, so nothing can be said.")]
    targets = [float(target) for target in settings.get("targets", [])]
    target = _USUAL_TARGET if _USUAL_TARGET in targets else min(targets, default=_USUAL_TARGET)
    findings: list[Finding] = []
    for budget, part in _split(trials):
        named = f" with {format_number(budget)} evaluations" if budget is not None else ""
        times, ranks, pairs = (_choose(statistics.get(name, []), budget) for name in ("running_times", "ranks", "comparisons"))
        findings += [*_find_solved(part, times, target, named), *_find_ranking(ranks, pairs, settings, named)]
    return [*findings, *_find_below(trials), *_find_failures(trials)]


def _split(trials: pd.DataFrame) -> Iterator[tuple[float | None, pd.DataFrame]]:
    if "budget" not in trials:
        yield None, trials
        return
    for budget, part in trials.groupby("budget", sort=True):
        yield float(str(budget)), part


def _choose(rows: Rows, budget: float | None) -> Rows:
    return [row for row in rows if budget is None or float(row["budget"]) == budget]


def _find_solved(trials: pd.DataFrame, times: Rows, target: float, named: str) -> list[Finding]:
    """Say how many problems the best algorithms solved, and how many the best one for each problem."""
    is_solved = to_numbers(trials, "gap_relative") <= target
    n_problems = trials["problem"].nunique() if "problem" in trials else 1
    by = trials.assign(is_solved=is_solved)
    counts = by[by["is_solved"]].groupby("algorithm", sort=False)["problem"].nunique().sort_values(ascending=False, kind="stable")
    together = by[by["is_solved"]]["problem"].nunique()
    if counts.empty:
        return [Finding("open", f"No algorithm solved a problem to {format_number(target)}{named}.")]
    best = counts.index[counts == counts.max()]
    more = join_names([f"{name} {count}" for name, count in counts.iloc[len(best) :].head(_SHOWN).items()])
    claim = (
        f"{join_names(list(best))} solved the most problems to {format_number(target)}{named}: {counts.max()} of {n_problems}; "
        f"{together} were solved by one algorithm or another."
    )
    algorithms = read_algorithms()
    fastest = [row for row in times if row["problem"] == _ALL and math.isclose(float(row["target"]), target)]
    evidence = f"Next: {more}. " if more else ""
    if fastest:
        first = min(fastest, key=lambda row: float(row["expected"]))
        evidence += f"The least expected running time has {first['algorithm']}, {_say_time(first)}. "
    if insiders := [name for name in dict.fromkeys(by["algorithm"]) if name in algorithms and algorithms[name].least_squares]:
        evidence += f"Of all, {join_names(insiders)} see the single residuals; the others see the sum of their squares. "
    evidence += "Solved: f − f* is at most so large a part of f(start) − f*, from at least one start, where f* is the least value known."
    return [Finding("supported", claim, evidence)]


def _say_time(row: Mapping[str, Any]) -> str:
    low, middle, high = (format_number(float(row[name]), 3) for name in ("expected_low", "expected", "expected_high"))
    return f"{middle} units of n + 1 evaluations a success ({low} to {high})"


def _find_ranking(ranks: Rows, pairs: Rows, settings: Mapping[str, Any], named: str) -> list[Finding]:
    """Say whether the algorithms differ at all, and which of them from the first."""
    if not ranks:
        text = f"Whether algorithms differ{named} is not shown: a test wants two algorithms and two problems."
        return [Finding("open", text)]
    level = 1 - float(settings.get("confidence", 0.95))
    first = ranks[0]
    p_value, n = float(first["friedman_p"]), int(first["problems"])
    evidence = f"Friedman's test of mean ranks over {n} problems: chance {format_number(p_value, 2)}."
    if p_value > level:
        return [Finding("open", f"The algorithms differ by no more than chance{named}.", evidence)]
    name = str(first["algorithm"])
    alike, beaten = _compare_first(name, ranks, pairs)
    claim = f"{name} has the best mean rank{named}, {format_number(first['mean_rank'], 3)} of {len(ranks)}"
    if not alike:
        claim += "; it is ahead of every other algorithm by more than chance."
    elif not beaten:
        claim += ", but no other algorithm falls behind it by more than chance."
    else:
        claim += f"; its lead on {join_names(alike)} is no more than chance, its lead on {_count_others(len(beaten))} is more."
    test = "Pairs: Wilcoxon's signed-rank test over problems with Holm's correction for all pairs."
    different = sum(pair["verdict"] != "chance" for pair in pairs)
    return [Finding("supported", claim, f"{evidence} {test} {count_of(different, len(pairs), 'pair')} differ by more than chance.")]


def _count_others(count: int) -> str:
    return "the other" if count == 1 else f"the other {count}"


def _compare_first(name: str, ranks: Rows, pairs: Rows) -> tuple[list[str], list[str]]:
    """Return the algorithms that the first is not told apart from, and those that it is ahead of."""
    alike: list[str] = []
    beaten: list[str] = []
    # Who is ahead in each pair by more than chance, if anyone.
    ahead = {
        frozenset((p["algorithm"], p["other"])): p["algorithm" if p["verdict"] == "better" else "other"]
        for p in pairs
        if p["verdict"] != "chance"
    }
    for row in ranks[1:]:
        other = str(row["algorithm"])
        (beaten if ahead.get(frozenset((name, other))) == name else alike).append(other)
    return alike, beaten


def _find_below(trials: pd.DataFrame) -> list[Finding]:
    """Say where a value below the listed optimum was seen, which counts as solved."""
    below = trials[to_numbers(trials, "below_known") > 0]
    if below.empty:
        return []
    problems = list(dict.fromkeys(to_texts(below, "problem")))
    claim = f"Values below the listed optimum were seen on {join_names(problems)}; they count as solved."
    return [Finding("open", claim, "The list has a local minimum there, or one that is not the least.")]


def _find_failures(trials: pd.DataFrame) -> list[Finding]:
    findings: list[Finding] = []
    for status, verb in (("failed", "broke off with an error"), ("time_limit", "ran into the limit of time")):
        chosen = trials[trials["status"] == status]
        if len(chosen):
            counts = chosen["algorithm"].value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
            by = join_names([f"{name} {count}" for name, count in counts.items()])
            text = f"By algorithm: {by}. What they had reached until then counts."
            # A crash is an outcome of a comparison; only when nothing else is left has the study failed.
            claim = f"{count_of(len(chosen), len(trials), 'trial')} {verb}."
            findings.append(Finding("failed" if len(chosen) == len(trials) else "open", claim, text))
    return findings


FINDINGS = Findings(find_in_trials)
