"""How well a curve fits, and which parameters the data determine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from phaseflow.findings import Finding, Findings, format_number, join_names, to_numbers


def find_in_terms(_settings: Mapping[str, Any], terms: pd.DataFrame, statistics: Mapping[str, Any]) -> list[Finding]:
    """Say what the parameters are and what nothing supports."""
    if terms.empty:
        return [Finding("open", "There are no parameters, so nothing can be said.")]
    estimates, errors = to_numbers(terms, "estimate"), to_numbers(terms, "std_error")
    named = [
        f"{name} = {format_number(estimate, 5)} ± {format_number(error, 2)}"
        for name, estimate, error in zip(terms["term"], estimates, errors, strict=True)
    ]
    spread = format_number(statistics.get("residual_std"), 4)
    evidence = f"{statistics.get('observations', 'unknown')} rows, residual standard deviation {spread}."
    first = Finding("supported", f"Least squares gives {join_names(named)}.", evidence)
    digits = to_numbers(terms, "certified_digits")
    if digits.notna().all():
        return [first, Finding("supported", f"At least {format_number(digits.min())} digits of every parameter are right.")]
    text = "Whether another minimum lies lower, and how many digits are right, was not checked."
    return [first, Finding("open", text, "The errors are those of the linearised model.")]


FINDINGS = Findings(find_in_terms)
