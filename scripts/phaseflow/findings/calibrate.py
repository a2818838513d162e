"""What a calibration recovered: the best fit, and how near the truth where it is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from phaseflow.findings import Finding, Findings, count_of, format_number, join_names, to_numbers
from phaseflow.findings._starts import find_success

# Two values of a misfit count as the same within this, relative to the larger of 1 and their size.
AGREEMENT = 1e-6


def find_in_trials(settings: Mapping[str, Any], trials: pd.DataFrame, _statistics: Mapping[str, Any]) -> list[Finding]:
    """Say what was found, and what nothing supports."""
    if trials.empty:
        return [Finding("open", "There are no trials, so nothing can be said.")]
    is_answer = (trials["status"] == "converged") & to_numbers(trials, "value").notna()
    findings = []
    if not is_answer.any():
        return [Finding("failed", "No trial converged, so no parameter can be named.", _count_statuses(trials))]
    if to_numbers(trials[is_answer], "error").notna().any():
        findings.append(_find_errors(trials[is_answer], len(trials)))
    else:
        findings.append(_find_best(settings, trials[is_answer], len(trials)))
    if not is_answer.all():
        claim = f"{count_of(int((~is_answer).sum()), len(trials), 'trial')} did not converge."
        findings.append(Finding("failed", claim, _count_statuses(trials)))
    findings += find_success(trials, is_answer, is_likelihood=not _is_squares(settings.get("calibrate", {})))
    best = trials[is_answer].loc[to_numbers(trials[is_answer], "value").idxmin()]
    findings += _find_certainty(list(trials.columns), best)
    text = "Nothing proves that no other parameters fit better."
    return [*findings, Finding("open", text, "A local search ends where it cannot improve; other starts may end elsewhere.")]


def _find_certainty(columns: list[str], best: pd.Series) -> list[Finding]:
    """Say how sure the data are of the best trial's parameters, how well it fits, and how well its intervals join."""
    found = []
    names = [name for name in columns if f"{name}_low" in columns and f"{name}_high" in columns]
    ends = {name: (float(best[f"{name}_low"]), float(best[f"{name}_high"])) for name in names if pd.notna(best[f"{name}_low"])}
    lost = [name for name, (_, high) in ends.items() if math.isinf(high)]
    if lost:
        found.append(
            Finding(
                "failed",
                f"The data do not identify {join_names(lost)}.",
                "Fisher’s information is singular there: others can make up for any value.",
            )
        )
    kept = [f"{name} {format_number(low, 4)} to {format_number(high, 4)}" for name, (low, high) in ends.items() if name not in lost]
    if kept:
        found.append(
            Finding("supported", f"95 % intervals: {join_names(kept)}.", "By Fisher’s information at the best fit: true to first order.")
        )
    if "chi2_per_dof" in columns and pd.notna(best["chi2_per_dof"]):
        found.append(Finding("supported", f"χ² per degree of freedom is {format_number(best['chi2_per_dof'], 3)}; 1 is expected.", ""))
    if "gap" in columns and pd.notna(best["gap"]):
        found.append(Finding("supported", f"The largest gap between intervals is {format_number(best['gap'], 2)}.", "Multiple shooting."))
    return found


def _find_errors(trials: pd.DataFrame, n_trials: int) -> Finding:
    errors = to_numbers(trials, "error")
    if "noise" not in trials:
        claim = f"The true parameters are recovered to within {format_number(errors.max(), 3)}, relative, at worst."
        return Finding("supported", claim, f"{count_of(len(trials), n_trials, 'trial')} converged.")
    medians = errors.groupby(trials["noise"]).median()
    steps = join_names([f"{format_number(error, 2)} at noise {format_number(noise, 3)}" for noise, error in medians.items()])
    claim = "The largest relative error of a parameter, at the median of the replicates, is " + steps + "."
    converged = f"{count_of(len(trials), n_trials, 'trial')} converged."
    return Finding("supported", claim, f"The truth is known, since the record is simulated. {converged}")


def _find_best(settings: Mapping[str, Any], trials: pd.DataFrame, n_trials: int) -> Finding:
    values = to_numbers(trials, "value")
    best = trials.loc[values.idxmin()]
    n_same = int((values - values.min() <= AGREEMENT * max(1.0, abs(values.min()))).sum())
    stated = settings.get("calibrate", {})
    names = [*stated.get("parameters", {}), *(f"{state}_0" for state in stated.get("initial", {})), *stated.get("noise", {})]
    kind = "misfit" if _is_squares(stated) else "negative log-likelihood"
    claim = f"The best fit has the {kind} {format_number(values.min())}, reached by {count_of(n_same, n_trials, 'trial')}."
    at = join_names([f"{name} = {format_number(best[name], 5)}" for name in names if name in best])
    sizes = [name for name in trials if name.startswith("sigma_")]
    errors = join_names([f"{name.removeprefix('sigma_')} {format_number(best[name], 3)}" for name in sizes if pd.notna(best[name])])
    return Finding("supported", claim, f"At {at}. Size of the errors: {errors}." if errors else f"At {at}.")


def _is_squares(stated: Mapping[str, Any]) -> bool:
    """Tell whether a calibration minimises a sum of squares, and not a negative log-likelihood."""
    return stated.get("error", "normal") == "normal" and not stated.get("sigma") and not stated.get("petab")


def _count_statuses(trials: pd.DataFrame) -> str:
    counts = trials["status"].value_counts().sort_index()
    return f"Status: {', '.join(f'{count} {status}' for status, count in counts.items())}."


FINDINGS = Findings(find_in_trials)
