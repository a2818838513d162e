"""Which forecaster errs least on data that it has not seen, and whether it beats the plain ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from phaseflow.findings import Finding, Findings, format_number, join_names, to_numbers

BASELINES = ("persistence", "linear")


def find_in_terms(_settings: Mapping[str, Any], terms: pd.DataFrame, _statistics: Mapping[str, Any]) -> list[Finding]:
    """Say how the networks compare with the best baseline, and with each other, beyond their intervals."""
    rows = terms.set_index("term")
    baselines = rows[rows.index.isin(BASELINES)]
    networks = rows[~rows.index.isin(BASELINES)]
    if baselines.empty or networks.empty:
        return [Finding("open", "There is nothing to compare, so nothing can be said.")]
    plain = to_numbers(baselines, "estimate").idxmin()
    listed = join_names([f"{name} {format_number(row['estimate'], 3)}" for name, row in rows.iterrows()])
    evidence = f"Root mean square errors on the later part, held out: {listed}."
    better = [str(name) for name, row in networks.iterrows() if row["ci_high"] < baselines.loc[plain, "ci_low"]]
    findings = []
    if better:
        findings.append(Finding("supported", f"{join_names(better)} err less than the best plain forecast, {plain}.", evidence))
    if others := [str(name) for name in networks.index if str(name) not in better]:
        claim = f"That {join_names(others)} beats the best plain forecast, {plain}, is not shown."
        findings.append(Finding("open", claim, evidence if not better else ""))
    return [*findings, *_rank(networks), *_find_unfinished(networks)]


def _rank(networks: pd.DataFrame) -> list[Finding]:
    if len(networks) < 2:
        return []
    ordered = networks.sort_values("estimate")
    first, second = ordered.iloc[0], ordered.iloc[1]
    if first["ci_high"] < second["ci_low"]:
        claim = f"Of the solvers, {ordered.index[0]} errs least from these initial weights."
        return [Finding("supported", claim, "Its interval lies below the next.")]
    return [Finding("open", f"{ordered.index[0]} errs least here, but its interval meets that of {ordered.index[1]}.")]


def _find_unfinished(networks: pd.DataFrame) -> list[Finding]:
    stopped = [str(name) for name, row in networks.iterrows() if not bool(row.get("converged", True))]
    if not stopped:
        return []
    return [Finding("open", f"The training of {join_names(stopped)} was stopped before it converged.", "More iterations may help.")]


FINDINGS = Findings(find_in_terms)
