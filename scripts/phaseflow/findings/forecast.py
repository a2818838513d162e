"""For how long forecasts hold, and whether a forecaster beats those that are plainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from phaseflow.findings import Finding, Findings, format_number, join_names

SIGNIFICANCE = 0.05


def find_in_terms(settings: Mapping[str, Any], terms: pd.DataFrame, statistics: Mapping[str, Any]) -> list[Finding]:
    """Say for how long each forecaster that was asked for is right, and whether it beats the best of the plainer ones."""
    asked = [name for name in settings.get("forecast") or [] if name in set(terms.get("term", []))]
    if not asked:
        return [Finding("open", "There is no forecast, so nothing can be said.")]
    rows = terms.set_index("term")
    unit = statistics.get("valid_time_unit", "units of t")
    findings = [_find_best(rows, unit, statistics)]
    findings += [
        _compare(str(name), rows.loc[name], unit) for name in rows.index if name in asked and isinstance(rows.loc[name, "baseline"], str)
    ]
    return findings + _find_far(rows.loc[asked], statistics)


def _find_best(rows: pd.DataFrame, unit: str, statistics: Mapping[str, Any]) -> Finding:
    name = rows["estimate"].idxmax()
    row = rows.loc[name]
    low, high = (format_number(row[end], 3) for end in ("ci_low", "ci_high"))
    text = f"{name} is right for {format_number(row['estimate'], 3)} {unit} (median), between {low} and {high}."
    starts = f"{statistics.get('starts', 'unknown')} starts that follow the training, to an error of 0.4 of the total standard deviation."
    if row["censored"] > 0:
        starts += f" {int(row['censored'])} of them were still right at the horizon."
    return Finding("supported", f"The longest forecasts: {text}", starts)


def _compare(name: str, row: pd.Series, unit: str) -> Finding:
    p, statistic = row["p"], row["diebold_mariano"]
    evidence = f"Diebold and Mariano's test on how long forecasts hold, starts that overlap allowed for: {format_number(statistic, 3)}, "
    evidence += f"p = {format_number(p, 2)}; {format_number(row['estimate'], 3)} {unit}."
    if pd.isna(p) or p >= SIGNIFICANCE:
        return Finding("open", f"That {name} beats its best baseline, {row['baseline']}, is not shown.", evidence)
    if statistic > 0:
        return Finding("supported", f"{name} does not beat its best baseline: {row['baseline']} holds longer.", evidence)
    return Finding("supported", f"{name} beats its best baseline, {row['baseline']}.", evidence)


def _find_far(rows: pd.DataFrame, statistics: Mapping[str, Any]) -> list[Finding]:
    """Say which forecasters are worse than a plainer one at the horizon: where nothing can be foreseen the mean is the best guess."""
    is_worse = (rows["horizon_p"] < SIGNIFICANCE) & (rows["horizon_diebold_mariano"] > 0)
    if not is_worse.any():
        return []
    names = [f"{name} (than {rows.loc[name, 'horizon_baseline']})" for name in rows.index[is_worse]]
    claim = f"At the horizon of {format_number(statistics.get('horizon'), 3)} the squared errors of {join_names(names)} are larger."
    return [Finding("supported", claim, "So far ahead a free run is a draw from the climate, and the climate's mean errs less.")]


FINDINGS = Findings(find_in_terms)
