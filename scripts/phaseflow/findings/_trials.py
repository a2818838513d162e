"""What holds of the trials of any study: whether their derivatives are right, and which of them did not end as they should."""

from __future__ import annotations

import pandas as pd

from phaseflow.findings import Finding, count_of, format_number, to_numbers, to_texts

# Two values of an objective count as the same within this, relative to the larger of 1 and their size; so do two derivatives.
AGREEMENT = 1e-8


def find_wrong_derivatives(trials: pd.DataFrame, against: str = "differences in high precision") -> list[Finding]:
    """Say where derivatives differ from others that are known to be right by more than rounding."""
    errors = to_numbers(trials, "gradient_error")
    n_wrong = int((errors > AGREEMENT).sum())
    if n_wrong == 0:
        return []
    claim = f"At {count_of(n_wrong, len(trials), 'answer')} the derivatives differ from {against} by more than rounding."
    return [Finding("failed", claim, f"By at most {format_number(errors.max(), 2)}, relative to the larger of 1 and the derivative.")]


def find_failed(trials: pd.DataFrame) -> list[Finding]:
    """Say how many trials failed, and why."""
    return _find_ended(trials, "failed", Finding("failed", "failed"))


def find_stopped(trials: pd.DataFrame) -> list[Finding]:
    """Say how many trials were stopped, and by what."""
    return _find_ended(trials, "stopped", Finding("open", "stopped before they converged"))


def _find_ended(trials: pd.DataFrame, status: str, named: Finding) -> list[Finding]:
    chosen = trials[trials["status"] == status]
    if chosen.empty:
        return []
    messages = to_texts(chosen, "message").value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
    said = "; ".join(f"{n} × “{message}”" for message, n in messages.head(3).items())
    claim = f"{count_of(len(chosen), len(trials), 'trial')} {named.claim}."
    return [Finding(named.standing, claim, f"{said}." if said else "They gave no reason.")]
