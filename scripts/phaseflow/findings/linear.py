"""How well a linear model fits, which coefficients differ from 0, and how many digits are right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from phaseflow.findings import Finding, Findings, format_number, join_names, to_numbers


def find_in_terms(_settings: Mapping[str, Any], terms: pd.DataFrame, statistics: Mapping[str, Any]) -> list[Finding]:
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
    low, high = to_numbers(terms, "ci_low"), to_numbers(terms, "ci_high")
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
    digits = to_numbers(terms, "certified_digits")
    if digits.notna().all():
        return Finding("supported", f"At least {format_number(digits.min())} digits of every coefficient and its error are right.")
    condition = statistics.get("condition_number")
    evidence = ""
    if condition is not None and float(condition) >= 1:
        lost = format_number(math.log10(float(condition)), 2)
        evidence = f"The condition number {format_number(condition, 3)} lets rounding take about {lost} of the 16 digits of a double."
    return Finding("open", "How many digits of the coefficients are right was not checked.", evidence)


FINDINGS = Findings(find_in_terms)
