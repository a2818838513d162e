"""What the tables say in plain words, each sentence with what stands behind it.

The rules are plain, so that a reader can check them by eye. Where a table supports no claim, the sentence says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

# Two values of an objective count as the same within this, relative to the larger of 1 and their size.
AGREEMENT = 1e-8
_SHOWN_DIGITS = 6
# What the last bits of a double may differ by without a reader being told: 0.475 made by steps of 0.025.
_SAME = 1e-14
_NO_VALUE = "–"


@dataclass(frozen=True)
class Finding:
    """One sentence about an entry.

    Attributes
    ----------
    standing : supported (by the table), open (nothing supports it either way) or failed (something went wrong).
    evidence : what stands behind the claim; may be empty.
    """

    standing: Literal["supported", "open", "failed"]
    claim: str
    evidence: str = ""


def find_in_members(settings: Mapping[str, Any], members: pd.DataFrame) -> list[Finding]:
    """Say which members of a scenario reached the stop, and how long they are reliable."""
    if members.empty:
        return [Finding("open", "There are no members, so nothing can be said.")]
    stop = str(settings.get("time", {}).get("stop", "its stop"))
    is_ok = members["status"] == "ok"
    reached = _count_of(int(is_ok.sum()), len(members), "member")
    findings = []
    if is_ok.any():
        findings.append(Finding("supported", f"{reached} reached t = {stop}.", _describe_solver(settings, members[is_ok])))
    if not is_ok.all():
        claim = f"{_count_of(int((~is_ok).sum()), len(members), 'member')} ended before t = {stop}."
        findings.append(Finding("failed", claim, _describe_ends(members[~is_ok])))
    return [*findings, _find_reliability(settings, members)]


def _describe_solver(settings: Mapping[str, Any], members: pd.DataFrame) -> str:
    solver = settings.get("solver", {})
    tolerance = "swept" if "solver.tolerance" in members else solver.get("tolerance", "not stated")
    steps = _to_numbers(members, "steps").dropna()
    taken = f"; {_span(steps)} steps" if len(steps) else ""
    return f"Method {solver.get('method', 'not stated')}, tolerance {tolerance} in each step{taken}."


def _describe_ends(members: pd.DataFrame) -> str:
    times = _to_numbers(members, "status_time")
    parts = []
    for status, ends in times.groupby(members["status"], sort=True):
        known = ends.dropna()
        when = f", the first at t = {format_number(known.min())}" if len(known) else ""
        parts.append(f"{len(ends)} with status {status}{when}")
    return f"{'; '.join(parts)}. Their rows stay in the table."


def _find_reliability(settings: Mapping[str, Any], members: pd.DataFrame) -> Finding:
    method = settings.get("certify", {}).get("method", "none")
    until = _to_numbers(members, "reliable_until").dropna()
    if until.empty:
        evidence = f"certify: {method}. A tolerance bounds the error of one step, not that of a trajectory."
        return Finding("open", "How long the trajectories stay close to the exact solution was not checked.", evidence)
    censored = int(members["reliable_censored"].eq(True).sum()) if "reliable_censored" in members else 0
    missing = len(members) - len(until)
    claim = f"{_count_of(len(until), len(members), 'member')} can be relied on up to t = {format_number(until.min())} at least."
    evidence = f"certify: {method}; the median is t = {format_number(until.median())}; {censored} are good to the end"
    return Finding("supported", claim, f"{evidence}; {missing} have no value." if missing else f"{evidence}.")


def find_in_trials(kind: str, variables: Sequence[str], trials: pd.DataFrame) -> list[Finding]:
    """Say what the trials of a study found, how many of them, and whether anything proves it."""
    if trials.empty:
        return [Finding("open", "There are no trials, so nothing can be said.")]
    if kind != "minimize":
        counts = ", ".join(f"{n} {status}" for status, n in trials["status"].value_counts().sort_index().items())
        return [Finding("open", f"No rule says yet what follows from the trials of a study of kind {kind}.", f"Status: {counts}.")]
    values = _to_numbers(trials, "value")
    is_answer = (trials["status"] != "failed") & values.map(math.isfinite) & (_to_numbers(trials, "feasibility") <= 0)
    findings = []
    if is_answer.any():
        best = float(values[is_answer].min())
        is_best = is_answer & (values - best <= AGREEMENT * max(1.0, abs(best)))
        findings += [_find_least(variables, trials, values, is_best), _find_proof(trials[is_best])]
    else:
        findings.append(Finding("open", "No trial has an answer that is finite and feasible, so no least value can be named."))
    return [*findings, *_find_unfinished(trials)]


def _find_least(variables: Sequence[str], trials: pd.DataFrame, values: pd.Series, is_best: pd.Series) -> Finding:
    best = values[is_best].min()
    n_converged = int((trials.loc[is_best, "status"] == "converged").sum())
    claim = f"The least value seen is {format_number(best)}, reached by {_count_of(int(is_best.sum()), len(trials), 'trial')}"
    point = trials.loc[values[is_best].idxmin()]
    residuals = _to_numbers(trials[is_best], "kkt_residual").dropna()
    parts = [f"Reached: to within {format_number(AGREEMENT)} × max(1, |value|)."]
    if variables:
        parts.append(f"Seen at {join_names([f'{name} = {format_number(point[name])}' for name in variables])}.")
    if len(residuals):
        parts.append(f"KKT residuals of these trials: {_span(residuals, 2)}.")
    if "algorithm" in trials and trials["algorithm"].nunique() > 1:
        groups = is_best.groupby(trials["algorithm"], sort=False)
        parts.append(f"By algorithm: {join_names([f'{name} {group.sum()} of {len(group)}' for name, group in groups])}.")
    if n_converged == 0:
        return Finding("open", f"{claim}; none of them converged, so it may lie lower.", " ".join(parts))
    return Finding("supported", f"{claim}.", " ".join(parts))


def _find_proof(best: pd.DataFrame) -> Finding:
    certificates = _to_texts(best, "certificate")
    gaps = _to_numbers(best, "gap_proven").dropna()
    reasons = "; ".join(sorted(set(_to_texts(best, "certificate_reason"))))
    named = ", ".join(f"{name} for {n}" for name, n in certificates[certificates != "none"].value_counts().sort_index().items())
    evidence = f"Certificates: {named or 'none'}{f' ({reasons})' if reasons else ''}."
    if (certificates == "exact_optimal").any():
        return Finding("supported", "It is proven to be the least possible.", evidence)
    if len(gaps):
        return Finding("supported", f"It is proven to lie at most {format_number(gaps.min(), 3)} above the least possible.", evidence)
    return Finding("open", "Nothing proves that it is the least possible.", evidence)


def _find_unfinished(trials: pd.DataFrame) -> list[Finding]:
    findings = []
    for status, standing, verb in (("failed", "failed", "failed"), ("stopped", "open", "stopped before they converged")):
        chosen = trials[trials["status"] == status]
        if len(chosen):
            messages = _to_texts(chosen, "message").value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
            said = "; ".join(f"{n} × “{message}”" for message, n in messages.head(3).items())
            claim = f"{_count_of(len(chosen), len(trials), 'trial')} {verb}."
            findings.append(Finding("failed" if standing == "failed" else "open", claim, f"{said}." if said else "They gave no reason."))
    return findings


def find_in_terms(statistics: Mapping[str, Any], terms: pd.DataFrame) -> list[Finding]:
    """Say how well a linear model fits, which coefficients differ from 0, and how many digits are right."""
    if terms.empty:
        return [Finding("open", "There are no terms, so nothing can be said.")]
    return [_find_quality(statistics), *_find_signs(statistics, terms), _find_digits(statistics, terms)]


def _find_quality(statistics: Mapping[str, Any]) -> Finding:
    r_squared, rows = statistics.get("r_squared"), statistics.get("observations", "an unknown number of")
    freedom = f"{statistics.get('degrees_of_freedom', 'unknown')} degrees of freedom"
    if r_squared is None:
        return Finding("open", "R² has no value, since the response does not vary or is not known.", f"{rows} rows, {freedom}.")
    is_centred = statistics.get("r_squared_is_centred", True)
    spread = f"residual standard deviation {format_number(statistics.get('residual_std'))}"
    claim = f"R² = {format_number(r_squared, 4)}, the share of the response’s variation about its mean that the model takes up."
    if not is_centred:
        claim = f"R² = {format_number(r_squared, 4)} about zero, since there is no intercept: not to be compared with an R² about the mean."
    return Finding("supported", claim, f"{rows} rows, {freedom}, {spread}.")


def _find_signs(statistics: Mapping[str, Any], terms: pd.DataFrame) -> list[Finding]:
    low, high = _to_numbers(terms, "ci_low"), _to_numbers(terms, "ci_high")
    has_interval = low.notna() & high.notna()
    is_apart = has_interval & ((low > 0) | (high < 0))
    confidence = statistics.get("confidence")
    level = f"{format_number(100 * float(confidence))} %" if confidence is not None else "confidence"
    caveat = f"Intervals of {level}, each taken alone, for independent normal errors of one size."
    findings = []
    if is_apart.any():
        claim = f"The {level} intervals of {join_names(terms.loc[is_apart, 'term'])} exclude 0."
        findings.append(Finding("supported", claim, caveat))
    if (has_interval & ~is_apart).any():
        names = join_names(terms.loc[has_interval & ~is_apart, "term"])
        findings.append(Finding("open", f"The data leave the sign of {names} open.", f"Their {level} intervals contain 0."))
    if (~has_interval).any():
        findings.append(Finding("open", f"There is no interval for {join_names(terms.loc[~has_interval, 'term'])}."))
    return findings


def _find_digits(statistics: Mapping[str, Any], terms: pd.DataFrame) -> Finding:
    digits = _to_numbers(terms, "certified_digits")
    if digits.notna().all():
        return Finding("supported", f"At least {format_number(digits.min())} digits of every coefficient and its error are right.")
    condition = statistics.get("condition_number")
    evidence = ""
    if condition is not None and float(condition) >= 1:
        lost = format_number(math.log10(float(condition)), 2)
        evidence = f"The condition number {format_number(condition, 3)} lets rounding take about {lost} of the 16 digits of a double."
    return Finding("open", "How many digits of the coefficients are right was not checked.", evidence)


def format_number(value: Any, digits: int = _SHOWN_DIGITS) -> str:
    """Return a number as a person reads it: few digits, a real minus sign, a dash for no value.

    A number that had to be rounded shows all the digits asked for, zeros too: 1.00000 is not 1.
    """
    if value is None or pd.isna(value):
        return _NO_VALUE
    number = float(value)
    if math.isinf(number):
        return "−∞" if number < 0 else "∞"
    text = f"{number + 0.0:.{digits}g}"
    if not math.isclose(float(text), number, rel_tol=_SAME, abs_tol=0.0):
        text = f"{number:#.{digits}g}"
    mantissa, _, exponent = text.partition("e")
    mantissa = mantissa.removesuffix(".")
    return (f"{mantissa}e{int(exponent)}" if exponent else mantissa).replace("-", "−")


def join_names(names: Sequence[str], limit: int = 12) -> str:
    """Return names as a phrase: `a, b and c`; beyond the limit only their number."""
    shown = [str(name) for name in names]
    if len(shown) > limit:
        shown = [*shown[:limit], f"{len(shown) - limit} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def _count_of(part: int, whole: int, noun: str) -> str:
    return f"{part} of {whole} {noun}s"


def _span(numbers: pd.Series, digits: int = _SHOWN_DIGITS) -> str:
    low, high = format_number(numbers.min(), digits), format_number(numbers.max(), digits)
    return low if low == high else f"{low} to {high}"


def _to_numbers(table: pd.DataFrame, column: str) -> pd.Series:
    """Return a column as floats, NaN where it or its value is missing."""
    if column not in table:
        return pd.Series(math.nan, index=table.index)
    return pd.to_numeric(table[column], errors="coerce").astype("float64")


def _to_texts(table: pd.DataFrame, column: str) -> pd.Series:
    """Return the texts of a column, without missing ones."""
    return table[column].dropna().astype(str) if column in table else pd.Series([], dtype=str)
