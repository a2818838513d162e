"""Which equations were found in the data, and how they compare with the true ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from phaseflow.findings import Finding, Findings, format_number, join_names, to_numbers


def find_in_terms(_settings: Mapping[str, Any], terms: pd.DataFrame, statistics: Mapping[str, Any]) -> list[Finding]:
    """Say what was found, and whether it is the truth where that is known."""
    equations = [str(equation.get("text")) for equation in statistics.get("equations", {}).values()]
    if terms.empty or not equations:
        return [Finding("open", "No term was found, so there is no equation.")]
    size = f"{statistics.get('observations', 'unknown')} samples, {len(statistics.get('library', []))} candidate terms an equation; "
    findings = [
        Finding("supported", f"Found: {'; '.join(equations)}.", f"{size}coefficients by {statistics.get('coefficients_by', 'unknown')}.")
    ]
    if undecided := [str(term) for term in statistics.get("undecided") or []]:
        claim = f"The data do not decide on {join_names(undecided)}: equations with and without explain them as well."
        findings.append(Finding("open", claim, "Extended Bayesian information criterion within 2 of the best."))
    if not statistics.get("is_truth_known"):
        return [*findings, Finding("open", "The true equations are not known, so nothing says whether these are they.")]
    return [*findings, _judge(terms, statistics), *_find_horizon(statistics)]


def _judge(terms: pd.DataFrame, statistics: Mapping[str, Any]) -> Finding:
    false, missing = int(statistics.get("terms_false", 0)), int(statistics.get("terms_missing", 0))
    if false or missing:
        return Finding("failed", f"These are not the true equations: {false} terms too many, {missing} missing.")
    worst = to_numbers(terms, "relative_error").max()
    claim = f"These are the terms of the true equations, and every coefficient is right to within {format_number(worst, 2)}, relative."
    return Finding("supported", claim, "Compared with the system that made the data.")


def _find_horizon(statistics: Mapping[str, Any]) -> list[Finding]:
    if statistics.get("valid_time") is None:
        return []
    starts, censored = statistics.get("valid_starts"), statistics.get("valid_censored") or 0
    evidence = f"Median over {starts} starts along the trajectory, to an error of 0.4 of the total standard deviation"
    evidence += f"; {censored} of them were right to the end." if censored else "."
    time = f"{format_number(statistics['valid_time'], 3)} {statistics.get('valid_time_unit')}"
    return [Finding("supported", f"They predict the true solution for {time}.", evidence)]


FINDINGS = Findings(find_in_terms)
