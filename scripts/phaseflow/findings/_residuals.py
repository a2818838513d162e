"""What tests of the residuals say against the intervals of a regression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phaseflow.findings import Finding, format_number, join_names

# A test speaks against what the intervals suppose below this; tests that are made together share it.
_RARE = 0.05


def find_doubts(statistics: Mapping[str, Any]) -> list[Finding]:
    """Say which tests of the residuals speak against what the intervals suppose."""
    is_robust = (statistics.get("covariance") or "classical") != "classical"
    doubts = [
        ("breusch_pagan_p", "of uneven size (Breusch and Pagan)", is_robust),
        ("breusch_godfrey_p", "related from row to row (Breusch and Godfrey)", statistics.get("covariance") == "HAC"),
        ("jarque_bera_p", "not normal (Jarque and Bera)", False),
    ]
    tested = [(statistics[key], text) for key, text, is_allowed in doubts if statistics.get(key) is not None and not is_allowed]
    found = [(p, text) for p, text in tested if p < _RARE / len(tested)]
    if not found:
        return []
    evidence = ", ".join(f"p = {format_number(p, 2)}" for p, _ in found)
    what = join_names([text for _, text in found])
    return [Finding("open", f"The residuals are {what}, which the intervals do not allow for.", f"Tests of the residuals: {evidence}.")]
