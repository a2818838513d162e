"""What a linear program found: the optimum, what bounds it from below, and what a unit more would cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from phaseflow.findings import Finding, Findings, count_of, format_number, join_names, to_numbers

# A gap this small, relative to the larger of 1 and the value, is rounding.
ROUNDING = 1e-9


def find_in_trials(_settings: Mapping[str, Any], trials: pd.DataFrame, _statistics: Mapping[str, Any]) -> list[Finding]:
    """Say what the trials cost at least, and where prices change."""
    if trials.empty:
        return [Finding("open", "There are no trials, so nothing can be said.")]
    is_solved = trials["status"] == "converged"
    findings = []
    if is_solved.any():
        values, gaps = to_numbers(trials[is_solved], "value"), to_numbers(trials[is_solved], "gap_proven")
        span = format_number(values.min()) if values.nunique() == 1 else f"{format_number(values.min())} to {format_number(values.max())}"
        findings.append(Finding("supported", f"{count_of(int(is_solved.sum()), len(trials), 'trial')} solved; the least cost is {span}."))
        findings.append(_find_gap(values, gaps))
        findings += _find_prices(trials[is_solved])
    if (~is_solved).any():
        messages = "; ".join(sorted(set(trials.loc[~is_solved, "message"].astype(str))))
        findings.append(Finding("failed", f"{count_of(int((~is_solved).sum()), len(trials), 'trial')} have no solution.", messages))
    return findings


def _find_gap(values: pd.Series, gaps: pd.Series) -> Finding:
    if gaps.isna().any():
        return Finding("open", "Nothing proves that these are the least costs.")
    is_tight = (gaps <= ROUNDING * values.abs().clip(lower=1)).all()
    largest = format_number(gaps.max(), 2)
    evidence = f"Duality: prices that no plan can beat; the gap is at most {largest}. In double precision, not exact arithmetic."
    claim = "No plan costs less, to within rounding." if is_tight else f"No plan costs less by more than {format_number(gaps.max(), 3)}."
    return Finding("supported", claim, evidence)


def _find_prices(trials: pd.DataFrame) -> list[Finding]:
    columns = [name for name in trials if name.startswith("price.demand.")]
    if not columns:
        return []
    spans = []
    for name in columns:
        prices = to_numbers(trials, name)
        low, high = format_number(prices.min(), 4), format_number(prices.max(), 4)
        spans.append(f"{name.removeprefix('price.demand.')} {low if low == high else f'{low} to {high}'}")
    return [Finding("supported", f"One unit more of demand costs: {join_names(spans)}.", "The dual prices; they hold for small changes.")]


FINDINGS = Findings(find_in_trials)
