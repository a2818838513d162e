"""What a stochastic model says of a series, and whether the series bears the model out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from phaseflow.findings import Finding, Findings, format_number

SIGNIFICANCE = 0.05


def find_in_terms(_settings: Mapping[str, Any], terms: pd.DataFrame, statistics: Mapping[str, Any]) -> list[Finding]:
    """Say how well drift and volatility are known, and which assumptions fail."""
    if terms.empty:
        return [Finding("open", "There are no parameters, so nothing can be said.")]
    rows = terms.set_index("term")
    findings = [_find_parameter(str(name), rows.loc[name], statistics) for name in rows.index]
    return [*findings, *_find_length(statistics), *_find_walk(statistics), *_find_garch(statistics), *_find_assumptions(statistics)]


def _find_length(statistics: Mapping[str, Any]) -> list[Finding]:
    """Warn of a series of few relaxation times."""
    if statistics.get("is_long_enough", True):
        return []
    plain = ", ".join(f"{name} {format_number(value, 3)}" for name, value in (statistics.get("uncorrected") or {}).items())
    claim = f"The series is short, {format_number(statistics.get('relaxation_times'), 3)} relaxation times: the rate is hard to know."
    evidence = f"Corrected for it: intervals by {statistics.get('intervals')}. The greatest likelihood alone says {plain}."
    return [Finding("open", claim, evidence)]


def _find_garch(statistics: Mapping[str, Any]) -> list[Finding]:
    """Say whether a variance that follows its own past foresees the size of the next step better than a constant one."""
    p, statistic = statistics.get("garch_diebold_mariano_p"), statistics.get("garch_diebold_mariano")
    if p is None or statistic is None:
        return []
    own, constant = (format_number(statistics.get(f"{kind}_coverage"), 3) for kind in ("garch", "constant"))
    covered = f"Of the second half's steps {own} lay in its 90 % range, {constant} in that of a constant volatility; "
    covered += f"test of the losses: p = {format_number(p, 2)}."
    if p < SIGNIFICANCE and statistic < 0:
        half_life = format_number(statistics.get("garch_half_life"), 3)
        return [
            Finding(
                "supported",
                f"The volatility can be foreseen: GARCH beats a constant one, and its bursts halve in {half_life} steps.",
                covered,
            )
        ]
    return [Finding("open", "That the volatility can be foreseen one step ahead is not shown.", covered)]


def _find_parameter(name: str, row: pd.Series, statistics: Mapping[str, Any]) -> Finding:
    low, high = format_number(row["ci_low"], 3), format_number(row["ci_high"], 3)
    years = f"{statistics.get('observations', 'unknown')} steps over a time of {format_number(statistics.get('duration'), 4)}."
    claim = f"{name} = {format_number(row['estimate'], 4)}, between {low} and {high}."
    if row["ci_low"] <= 0 <= row["ci_high"]:
        return Finding("open", f"{claim} The series leaves its sign open.", years)
    return Finding("supported", claim, years)


def _find_walk(statistics: Mapping[str, Any]) -> list[Finding]:
    p, ratio = statistics.get("random_walk_p"), statistics.get("walk_forward_error_ratio")
    if p is None:
        return []
    out = f" One step ahead, its error is {format_number(ratio, 4)} times that of a random walk." if ratio is not None else ""
    evidence = f"Test of no drift: p = {format_number(p, 2)}.{out}"
    if p >= SIGNIFICANCE:
        return [Finding("open", "The model does not beat a random walk: its drift cannot be told from none.", evidence)]
    return [Finding("supported", "The drift differs from that of a random walk without one.", evidence)]


def _find_assumptions(statistics: Mapping[str, Any]) -> list[Finding]:
    tests = {
        "jarque_bera_p": "the steps are not normal",
        "ljung_box_p": "successive steps are correlated",
        "ljung_box_squares_p": "the volatility comes in bursts",
    }
    failed = [text for key, text in tests.items() if statistics.get(key) is not None and statistics[key] < SIGNIFICANCE]
    if not failed:
        return [Finding("supported", "No test speaks against the model.", "Normality and correlation of the steps and of their squares.")]
    kurtosis = statistics.get("excess_kurtosis")
    evidence = f"Excess kurtosis {format_number(kurtosis, 3)}; a normal law has 0." if kurtosis is not None else ""
    return [Finding("supported", f"The model's assumptions do not hold: {'; '.join(failed)}. Its intervals are too narrow.", evidence)]


FINDINGS = Findings(find_in_terms)
