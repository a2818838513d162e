"""What the trials of a study found, how many of them, and whether anything proves it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from phaseflow.expressions.quantity import Quantity
from phaseflow.findings import Finding, Findings, count_of, format_number, join_names, span, to_numbers, to_texts
from phaseflow.findings._starts import find_success
from phaseflow.findings._trials import AGREEMENT, find_failed, find_stopped, find_wrong_derivatives

# By how much constraints may be violated where the study does not say.
_ALLOWANCE = 1e-6
# A certified point is shown with more digits, and with so many different reasons.
_PROVEN_DIGITS, _REASONS = 12, 3


def find_in_trials(settings: Mapping[str, Any], trials: pd.DataFrame, statistics: Mapping[str, Any]) -> list[Finding]:
    """Say what the trials of a study found, how many of them, and whether anything proves it."""
    if trials.empty:
        return [Finding("open", "There are no trials, so nothing can be said.")]
    variables = list(settings.get("variables", {}))
    values = to_numbers(trials, "value")
    allowance = _read_allowance(settings)
    is_answer = (trials["status"] != "failed") & values.map(math.isfinite) & (to_numbers(trials, "feasibility") <= allowance)
    findings = []
    if is_answer.any():
        best = float(values[is_answer].min())
        is_best = is_answer & (values - best <= AGREEMENT * max(1.0, abs(best)))
        findings += [
            _find_least(variables, trials, values, is_best),
            *_find_proof(variables, trials[is_best]),
            *find_success(trials, is_answer),
        ]
    else:
        findings.append(Finding("open", "No trial has an answer that is finite and feasible, so no least value can be named."))
        findings += _find_infeasible(trials)
    roots = _find_roots(statistics.get("roots", [])) if settings.get("roots") else []
    return [*findings, *roots, *_find_other_points(trials), *find_wrong_derivatives(trials), *find_failed(trials), *find_stopped(trials)]


def _read_allowance(settings: Mapping[str, Any]) -> float:
    """Return by how much an answer may violate its constraints, 0 where there are none."""
    stated = settings.get("constraint_tolerance")
    if not settings.get("constraints"):
        return 0.0
    return _ALLOWANCE if stated is None else Quantity.parse(stated).value


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


def _find_proof(variables: Sequence[str], best: pd.DataFrame) -> list[Finding]:
    """Say what is proven of the best answers: that nothing is lower, that they are local minima, or why nothing is."""
    gaps, is_global = to_numbers(best, "gap_proven"), _match(best, "gap_scope", "global")
    if (best["certificate"] == "exact_optimal").any():
        return [Finding("supported", "It is proven to be the least possible.", _list_certificates(best))]
    local = [] if not _match(best, "certificate", "unique_minimum").any() else [_find_local(variables, best)]
    if (is_global & gaps.notna()).any():
        return [_find_global(gaps[is_global].min(), best), *local]
    bounds = to_numbers(best, "proven_bound").dropna()
    if len(bounds):
        claim = f"That it is the least possible is not proven, but that no value lies below {format_number(bounds.max())} is."
        return [*local, Finding("open", claim, _list_certificates(best))]
    return [*local, Finding("open", "Nothing proves that it is the least possible.", _list_certificates(best))]


def _find_global(gap: float, best: pd.DataFrame) -> Finding:
    """Say how far above the least possible value the best one lies at most."""
    value = float(to_numbers(best, "value").min())
    if gap <= AGREEMENT * max(1.0, abs(value)):
        claim = f"It is proven to be the least possible, to within {format_number(max(gap, 0.0), 3)}"
    else:
        claim = f"It is proven to lie at most {format_number(gap, 3)} above the least possible"
    return Finding("supported", f"{claim}, of all points that keep bounds and constraints.", _list_certificates(best))


def _find_local(variables: Sequence[str], best: pd.DataFrame) -> Finding:
    """Say what is proven of the minimum next to the best answer."""
    certified = best[_match(best, "certificate", "unique_minimum")]
    row = (
        certified.loc[to_numbers(certified, "gap_proven").idxmin()]
        if to_numbers(certified, "gap_proven").notna().any()
        else certified.iloc[0]
    )
    places = [
        f"{name} = {format_number(row[f'certified_{name}'], _PROVEN_DIGITS)}" for name in variables if f"certified_{name}" in certified
    ]
    parts = []
    if places:
        error = float(row["certified_error"])
        parts.append(
            f"It lies {'exactly ' if error == 0 else ''}at {join_names(places)}{f', to within {format_number(error, 2)}' if error else ''}."
        )
    radius = float(row.get("certified_radius", math.nan))
    if math.isinf(radius):
        parts.append("There is no other within the bounds.")
    elif radius > 0:
        parts.append(f"There is no other within {format_number(radius, 2)} × max(1, |x|) of it in each variable.")
    parts.append(_list_certificates(best))
    return Finding(
        "supported", f"A local minimum next to it is proven, for {count_of(len(certified), len(best), 'such trial')}.", " ".join(parts)
    )


def _list_certificates(best: pd.DataFrame) -> str:
    certificates, reasons = to_texts(best, "certificate"), to_texts(best, "certificate_reason").value_counts(sort=False).sort_index()
    named = ", ".join(f"{name} for {n}" for name, n in certificates[certificates != "none"].value_counts().sort_index().items())
    listed = "; ".join(reasons.sort_values(ascending=False, kind="stable").head(_REASONS).index)
    return f"Certificates: {named or 'none'}{f' ({listed})' if listed else ''}."


def _find_other_points(trials: pd.DataFrame) -> list[Finding]:
    """Say how many trials ended at what is proven to be no minimum."""
    findings = []
    for kind, words in (("saddle", "a saddle, not a minimum"), ("stationary", "a maximum, not a minimum")):
        if n := int(_match(trials, "certificate", kind).sum()):
            findings.append(Finding("failed", f"{count_of(n, len(trials), 'trial')} ended at what is proven to be {words}."))
    return findings


def _find_infeasible(trials: pd.DataFrame) -> list[Finding]:
    if not (to_numbers(trials, "proven_bound") == math.inf).any():
        return []
    return [Finding("supported", "It is proven that no point within the bounds keeps the constraints.", _list_certificates(trials))]


def _match(table: pd.DataFrame, column: str, word: str) -> pd.Series:
    return table[column] == word if column in table else pd.Series(False, index=table.index)


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


FINDINGS = Findings(find_in_trials)
