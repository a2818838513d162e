"""How well a curve fits, and which parameters the data determine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from phaseflow.findings import Finding, Findings, format_number, join_names, to_numbers
from phaseflow.findings._residuals import find_doubts


def find_in_terms(_settings: Mapping[str, Any], terms: pd.DataFrame, statistics: Mapping[str, Any]) -> list[Finding]:
    """Say what the parameters are and what nothing supports."""
    if terms.empty:
        return [Finding("open", "There are no parameters, so nothing can be said.")]
    if statistics.get("converged") is False:
        claim = "The search ended at no minimum, so the parameters are not those of least squares."
        return [Finding("failed", claim, f"{statistics.get('message', 'No reason is known')} Start elsewhere, or give bounds.")]
    estimates, errors = to_numbers(terms, "estimate"), to_numbers(terms, "std_error")
    named = [
        f"{name} = {format_number(estimate, 5)} ± {format_number(error, 2)}"
        for name, estimate, error in zip(terms["term"], estimates, errors, strict=True)
    ]
    spread = format_number(statistics.get("residual_std"), 4)
    evidence = f"{statistics.get('observations', 'unknown')} rows, residual standard deviation {spread}."
    first = Finding("supported", f"Least squares gives {join_names(named)}.", evidence)
    return [first, *_find_bounds(statistics), *find_doubts(statistics), _find_digits(terms, statistics), _find_others(statistics)]


def _find_bounds(statistics: Mapping[str, Any]) -> list[Finding]:
    held = statistics.get("at_bound") or []
    if not held:
        return []
    claim = f"The data would have {join_names(held)} beyond {'its bound' if len(held) == 1 else 'their bounds'}."
    return [Finding("open", claim, "It has no error, and the errors of the others are those with it held there.")]


def _find_digits(terms: pd.DataFrame, statistics: Mapping[str, Any]) -> Finding:
    free = terms[~terms["at_bound"].astype(bool)] if "at_bound" in terms else terms
    digits = to_numbers(free, "certified_digits")
    source = "the Jacobian" if statistics.get("errors_from", "jacobian") == "jacobian" else "the Hessian"
    errors = f"The errors are those of {source} at the minimum."
    if digits.notna().all() and len(digits):
        claim = f"At least {format_number(digits.min())} digits of every parameter and its error are right."
        reach = statistics.get("alone_within_std_errors")
        alone = f"One minimum is proven there, and no other stationary point within {format_number(reach, 1)} standard errors. "
        return Finding("supported", claim, (alone if reach else "") + errors)
    reason = str(statistics.get("certification") or "")
    evidence = f"{reason[:1].upper()}{reason[1:]}. " if reason else ""
    return Finding("open", "How many digits are right was not checked.", evidence + errors)


def _find_others(statistics: Mapping[str, Any]) -> Finding:
    starts, found = statistics.get("starts"), statistics.get("starts_that_found_it")
    text = "Whether another minimum lies lower is not proven"
    if starts is None:
        return Finding("open", f"{text}, and was looked for from one start only.", "Give `starts` for more.")
    return Finding("open", f"{text}; of {starts} starts, {found} came to this one and none to a lower one.")


FINDINGS = Findings(find_in_terms)
