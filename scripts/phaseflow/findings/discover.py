"""Which equations were found in the data, and how they compare with the true ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from phaseflow.findings import Finding, Findings, format_number, to_numbers


def find_in_terms(_settings: Mapping[str, Any], terms: pd.DataFrame, statistics: Mapping[str, Any]) -> list[Finding]:
    """Say what was found, and whether it is the truth where that is known."""
    equations = [str(equation.get("text")) for equation in statistics.get("equations", {}).values()]
    if terms.empty or not equations:
        return [Finding("open", "No term was found, so there is no equation.")]
    size = f"{statistics.get('observations', 'unknown')} samples, {len(statistics.get('library', []))} candidate terms an equation."
    findings = [Finding("supported", f"Found: {'; '.join(equations)}.", f"{size} Thresholds chosen by the error on held-out data.")]
    if not statistics.get("is_truth_known"):
        return [*findings, Finding("open", "The true equations are not known, so nothing says whether these are they.")]
    false, missing = int(statistics.get("terms_false", 0)), int(statistics.get("terms_missing", 0))
    if false or missing:
        claim = f"These are not the true equations: {false} terms too many, {missing} missing."
        return [*findings, Finding("failed", claim)]
    worst = to_numbers(terms, "relative_error").max()
    claim = f"These are the terms of the true equations, and every coefficient is right to within {format_number(worst, 2)}, relative."
    return [*findings, Finding("supported", claim, "Compared with the system that made the data.")]


FINDINGS = Findings(find_in_terms)
