"""What the trials of a study found, how many of them, and whether anything proves it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from phaseflow.findings import Finding, Findings, count_of, format_number, join_names, span, to_numbers, to_texts

# Two values of an objective count as the same within this, relative to the larger of 1 and their size.
AGREEMENT = 1e-8


def find_in_trials(settings: Mapping[str, Any], trials: pd.DataFrame, statistics: Mapping[str, Any]) -> list[Finding]:
    """Say what the trials of a study found, how many of them, and whether anything proves it."""
    if trials.empty:
        return [Finding("open", "There are no trials, so nothing can be said.")]
    variables = list(settings.get("variables", {}))
    values = to_numbers(trials, "value")
    is_answer = (trials["status"] != "failed") & values.map(math.isfinite) & (to_numbers(trials, "feasibility") <= 0)
    findings = []
    if is_answer.any():
        best = float(values[is_answer].min())
        is_best = is_answer & (values - best <= AGREEMENT * max(1.0, abs(best)))
        findings += [_find_least(variables, trials, values, is_best), _find_proof(trials[is_best])]
    else:
        findings.append(Finding("open", "No trial has an answer that is finite and feasible, so no least value can be named."))
    roots = _find_roots(statistics.get("roots", [])) if settings.get("roots") else []
    return [*findings, *roots, *_find_unfinished(trials)]


def _find_least(variables: Sequence[str], trials: pd.DataFrame, values: pd.Series, is_best: pd.Series) -> Finding:
    best = values[is_best].min()
    n_converged = int((trials.loc[is_best, "status"] == "converged").sum())
    claim = f"The least value seen is {format_number(best)}, reached by {count_of(int(is_best.sum()), len(trials), 'trial')}"
    point = trials.loc[values[is_best].idxmin()]
    residuals = to_numbers(trials[is_best], "kkt_residual").dropna()
    parts = [f"Reached: to within {format_number(AGREEMENT)} × max(1, |value|)."]
    if variables:
        parts.append(f"Seen at {join_names([f'{name} = {format_number(point[name])}' for name in variables])}.")
    if len(residuals):
        parts.append(f"KKT residuals of these trials: {span(residuals, 2)}.")
    if "algorithm" in trials and trials["algorithm"].nunique() > 1:
        groups = is_best.groupby(trials["algorithm"], sort=False)
        parts.append(f"By algorithm: {join_names([f'{name} {group.sum()} of {len(group)}' for name, group in groups])}.")
    if n_converged == 0:
        return Finding("open", f"{claim}; none of them converged, so it may lie lower.", " ".join(parts))
    return Finding("supported", f"{claim}.", " ".join(parts))


def _find_proof(best: pd.DataFrame) -> Finding:
    certificates = to_texts(best, "certificate")
    gaps = to_numbers(best, "gap_proven").dropna()
    reasons = "; ".join(sorted(set(to_texts(best, "certificate_reason"))))
    named = ", ".join(f"{name} for {n}" for name, n in certificates[certificates != "none"].value_counts().sort_index().items())
    evidence = f"Certificates: {named or 'none'}{f' ({reasons})' if reasons else ''}."
    if (certificates == "exact_optimal").any():
        return Finding("supported", "It is proven to be the least possible.", evidence)
    if len(gaps):
        return Finding("supported", f"It is proven to lie at most {format_number(gaps.min(), 3)} above the least possible.", evidence)
    return Finding("open", "Nothing proves that it is the least possible.", evidence)


def _find_roots(roots: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Say where the function is zero, which zeros are enclosed, and that a scan can miss some."""
    enclosed = [root for root in roots if math.isfinite(root["enclosure_low"]) and math.isfinite(root["enclosure_high"])]
    shown = [root for root in roots if root not in enclosed]
    findings = []
    if enclosed:
        places = join_names([format_number(root["root"], 12) for root in enclosed])
        widest = max(root["enclosure_high"] - root["enclosure_low"] for root in enclosed)
        evidence = f"The sign changes across an interval about each, the widest {format_number(widest, 2)} wide."
        findings.append(Finding("supported", f"The function is zero at {places}.", evidence))
    if shown:
        claim = f"It may be zero at {join_names([format_number(root['root']) for root in shown])}, which is not shown."
        findings.append(Finding("open", claim, "It touches zero there without a change of sign."))
    claim = "Whether there are more roots is not shown." if roots else "No root was found; that there is none is not shown."
    return [*findings, Finding("open", claim, "They come from a scan, and two close together can hide between its points.")]


def _find_unfinished(trials: pd.DataFrame) -> list[Finding]:
    findings = []
    for status, standing, verb in (("failed", "failed", "failed"), ("stopped", "open", "stopped before they converged")):
        chosen = trials[trials["status"] == status]
        if len(chosen):
            messages = to_texts(chosen, "message").value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
            said = "; ".join(f"{n} × “{message}”" for message, n in messages.head(3).items())
            claim = f"{count_of(len(chosen), len(trials), 'trial')} {verb}."
            findings.append(Finding("failed" if standing == "failed" else "open", claim, f"{said}." if said else "They gave no reason."))
    return findings


FINDINGS = Findings(find_in_trials)
