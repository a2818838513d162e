"""How well a linear model fits, which coefficients differ from 0, and how many digits are right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from phaseflow.findings import Finding, Findings, format_number, join_names, to_numbers
from phaseflow.findings._residuals import find_doubts

# From here on the terms resemble each other so much that their estimates depend on which others are in the model.
_COLLINEAR = 10.0
# Families whose mean tells their variance; of the others its size is estimated.
_OF_KNOWN_SIZE = ("binomial", "poisson")


def find_in_terms(_settings: Mapping[str, Any], terms: pd.DataFrame, statistics: Mapping[str, Any]) -> list[Finding]:
    """Say how well a linear model fits, which coefficients differ from 0, and how many digits are right."""
    if terms.empty:
        return [Finding("open", "There are no terms, so nothing can be said.")]
    if statistics.get("method") in ("ridge", "lasso"):
        return [_find_quality(statistics), *_find_penalty(statistics, terms)]
    quality = _find_deviance(statistics) if statistics.get("family") else _find_quality(statistics)
    return [quality, *_find_signs(statistics, terms), *_find_collinearity(terms), *find_doubts(statistics), _find_digits(statistics, terms)]


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
    return Finding("supported", claim, f"{rows} rows, {freedom}, {spread}." if "residual_std" in statistics else f"{rows} rows.")


def _find_deviance(statistics: Mapping[str, Any]) -> Finding:
    model = f"{statistics['family']} with the link {statistics['link']}"
    rows = f"{statistics['observations']} rows, {statistics['degrees_of_freedom']} degrees of freedom"
    explained = statistics.get("deviance_explained")
    if explained is None:
        return Finding("open", "The response does not vary, so there is nothing to explain.", f"{rows}; {model}.")
    claim = f"The model takes up {format_number(100 * float(explained), 3)} % of the deviance ({model})."
    spread = f"Pearson’s statistic is {format_number(statistics.get('overdispersion'), 3)} a degree of freedom"
    if statistics["family"] in _OF_KNOWN_SIZE:
        spread += ", where 1 is what the family supposes"
    return Finding("supported", claim, f"{rows}; {spread}.")


def _find_penalty(statistics: Mapping[str, Any], terms: pd.DataFrame) -> list[Finding]:
    kept, error = statistics.get("terms_kept"), format_number(statistics.get("cross_validated_error"), 4)
    claim = f"The {statistics['method']} that predicts best keeps {kept} of the terms, and errs by {error} on rows left out."
    evidence = (
        f"Penalty {format_number(statistics.get('penalty'), 3)}, chosen among many by cross-validation in {statistics.get('folds')} parts."
    )
    findings = [Finding("supported", claim, evidence)]
    if statistics.get("penalty_is_at_the_end"):
        findings.append(Finding("open", "The best penalty is the first or the last that was tried, so a better one may lie beyond."))
    text = f"How sure the data are of {join_names(terms['term'])} is not known."
    return [*findings, Finding("open", text, "Shrunken estimates are biased on purpose: there are no standard errors or intervals.")]


def _find_signs(statistics: Mapping[str, Any], terms: pd.DataFrame) -> list[Finding]:
    low, high = to_numbers(terms, "ci_low"), to_numbers(terms, "ci_high")
    has_interval = low.notna() & high.notna()
    is_apart = has_interval & ((low > 0) | (high < 0))
    confidence = statistics.get("confidence")
    level = f"{format_number(100 * float(confidence))} %" if confidence is not None else "confidence"
    caveat = f"Intervals of {level}, each taken alone, {_describe_errors(statistics)}."
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


def _describe_errors(statistics: Mapping[str, Any]) -> str:
    kind = statistics.get("covariance") or "classical"
    if kind == "HAC":
        return f"for errors of uneven size that may be related up to {statistics.get('lags')} rows apart (HAC)"
    if kind != "classical":
        return f"for independent errors of uneven size ({kind})"
    if statistics.get("family"):
        return "by the normal distribution, for independent rows"
    return "for independent normal errors of one size"


def _find_collinearity(terms: pd.DataFrame) -> list[Finding]:
    inflation = to_numbers(terms, "vif")
    if not (inflation > _COLLINEAR).any():
        return []
    names = join_names(terms.loc[inflation > _COLLINEAR, "term"])
    worst = format_number(inflation.max(), 3)
    evidence = f"The largest variance inflation is {worst}; above {format_number(_COLLINEAR)} is commonly called collinear."
    return [Finding("open", f"What belongs to each of {names} alone is hard to tell: other terms resemble them.", evidence)]


def _find_digits(statistics: Mapping[str, Any], terms: pd.DataFrame) -> Finding:
    digits = to_numbers(terms, "certified_digits")
    if digits.notna().all():
        proof = "By the exact solution for the data as they are written." if "certification" in statistics else ""
        return Finding("supported", f"At least {format_number(digits.min())} digits of every coefficient and its error are right.", proof)
    condition, reason = statistics.get("condition_number"), str(statistics.get("certification") or "")
    evidence = f"{reason[:1].upper()}{reason[1:]}. " if reason else ""
    if condition is not None and float(condition) >= 1:
        lost = format_number(math.log10(float(condition)), 2)
        evidence += f"The condition number {format_number(condition, 3)} lets rounding take about {lost} of the 16 digits of a double."
    return Finding("open", "How many digits of the coefficients are right was not checked.", evidence.strip())


FINDINGS = Findings(find_in_terms)
