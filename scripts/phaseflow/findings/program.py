"""What a linear or mixed-integer program found: the optimum, what proves it, and what a unit more would cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from phaseflow.findings import Finding, Findings, count_of, format_number, join_names, span, to_numbers, to_texts

# A gap this small, relative to the larger of 1 and the value, is rounding.
ROUNDING = 1e-9
_MOST_PRICES, _MOST_REASONS = 8, 4


def find_in_trials(settings: Mapping[str, Any], trials: pd.DataFrame, _statistics: Mapping[str, Any]) -> list[Finding]:
    """Say what the trials cost at least, what proves it, what prices are, and why some have no answer."""
    if trials.empty:
        return [Finding("open", "There are no trials, so nothing can be said.")]
    is_solved = trials["status"] == "converged"
    what = "greatest value" if "maximize" in (settings.get("program", {}).get("linear") or {}) else "least cost"
    findings = []
    if is_solved.any():
        solved = trials[is_solved]
        values = span(to_numbers(solved, "value"), 10)
        findings.append(Finding("supported", f"{count_of(len(solved), len(trials), 'trial')} solved; the {what} is {values}."))
        findings += [*_find_proof(solved, what), *_find_prices(solved)]
    return [*findings, *_find_unsolved(trials[~is_solved], len(trials))]


def _find_proof(solved: pd.DataFrame, what: str) -> list[Finding]:
    """Say of how many trials the optimum is exact, and how far the others can be from theirs."""
    findings = []
    is_exact = to_texts(solved, "certificate").reindex(solved.index) == "exact_optimal"
    reasons = list(dict.fromkeys(to_texts(solved[is_exact], "certificate_reason")))
    proof = (
        reasons[0]
        if len(reasons) == 1
        else "a basis and its prices, checked in exact rational arithmetic; the table has each as a fraction"
    )
    if is_exact.any():
        claim = f"That this is the {what} is proven in exact arithmetic for {count_of(int(is_exact.sum()), len(solved), 'trial')}."
        findings.append(Finding("supported", claim, f"{proof[0].upper()}{proof[1:]}."))
    rest = solved[~is_exact]
    gaps, values = to_numbers(rest, "gap_proven"), to_numbers(rest, "value")
    evidence = "; ".join(list(dict.fromkeys(to_texts(rest, "certificate_reason")))[:_MOST_REASONS]) + "."
    if len(rest) and gaps.isna().any():
        findings.append(Finding("open", f"Nothing proves that this is the {what} for {int(gaps.isna().sum())} of them.", evidence))
    elif len(rest):
        is_tight = (gaps <= ROUNDING * values.abs().clip(lower=1)).all()
        by = "to within rounding" if is_tight else f"to within {format_number(gaps.max(), 3)}"
        claim = f"The solver's bound closes the gap {by} for {count_of(len(rest), len(solved), 'trial')}."
        findings.append(Finding("supported", claim, evidence))
    return findings


def _find_prices(trials: pd.DataFrame) -> list[Finding]:
    """Say what one unit more costs: of demand where there is such a thing, of what a constraint allows elsewhere."""
    named = [name for name in trials if name.startswith("price_more.")]
    shown = [name for name in named if name.startswith("price_more.demand.")] or named
    if not shown:
        return []
    spans = []
    for name in shown[:_MOST_PRICES]:
        constraint = name.removeprefix("price_more.")
        prices = to_numbers(trials, name).fillna(to_numbers(trials, f"price.{constraint}"))
        is_out = prices.map(math.isinf)
        parts = [span(prices[~is_out], 4)] * (not is_out.all()) + ["cannot be had"] * bool(is_out.any())
        spans.append(f"{constraint.removeprefix('demand.')} {' or '.join(parts)}")
    more = f", and {len(shown) - _MOST_PRICES} more" if len(shown) > _MOST_PRICES else ""
    what = "of demand costs" if shown[0].startswith("price_more.demand.") else "changes the value by"
    evidence = "The slopes of the optimum to the right; they hold for small changes."
    return [Finding("supported", f"One unit more {what}: {join_names(spans)}{more}.", evidence)]


def _find_unsolved(trials: pd.DataFrame, n_trials: int) -> list[Finding]:
    """Say which trials have no answer, and why."""
    if trials.empty:
        return []
    limited = trials["status"].isin(["stopped", "time_limit"])
    findings = []
    if limited.any():
        claim = f"{count_of(int(limited.sum()), n_trials, 'trial')} ended at a limit, so a better answer may exist."
        findings.append(Finding("open", claim, f"Gaps: {span(to_numbers(trials[limited], 'gap_proven'), 3)}."))
    lost = trials[~limited]
    if len(lost):
        messages = list(dict.fromkeys(to_texts(lost, "message")))
        listed = "; ".join(messages[:_MOST_REASONS]) + (f"; and {len(messages) - _MOST_REASONS} more" * (len(messages) > _MOST_REASONS))
        findings.append(Finding("failed", f"{count_of(len(lost), n_trials, 'trial')} have no solution.", f"{listed}."))
    return findings


FINDINGS = Findings(find_in_trials)
