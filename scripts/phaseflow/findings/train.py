"""What the trainings of a network reached, whether it pays on rows held out, and which algorithm got furthest from the same starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from phaseflow.findings import Finding, Findings, count_of, format_measured, format_number, join_names, span, to_numbers
from phaseflow.findings._trials import AGREEMENT, find_failed, find_wrong_derivatives

# A difference is called more than chance beyond so many standard errors, or where a sign test gives less than this.
_ERRORS, _RARE = 2.0, 0.05
# A loss of rows held out that had been lower by more than this share tells of learning by heart.
_SHARE = 0.1
_SETTINGS = ("learning_rate", "batch", "epochs")


def find_in_trials(settings: Mapping[str, Any], trials: pd.DataFrame, _statistics: Mapping[str, Any]) -> list[Finding]:
    """Say what was reached, what it is worth, how the algorithms compare, and what went wrong."""
    if trials.empty:
        return [Finding("open", "There are no trials, so nothing can be said.")]
    answers = trials[(trials["status"] != "failed") & to_numbers(trials, "value").map(math.isfinite)]
    wrong = [*find_wrong_derivatives(trials, "those along the imaginary axis"), *find_failed(trials)]
    if answers.empty:
        return [Finding("failed", "No training has an answer."), *wrong]
    best = answers.loc[to_numbers(answers, "value").idxmin()]
    found = [_find_least(best, answers), _find_worth(settings, best), *_find_learned_by_heart(best), *_find_ranking(answers)]
    return [*found, _find_proof(answers), *wrong]


def _find_least(best: pd.Series, answers: pd.DataFrame) -> Finding:
    """Say which loss was the least, and that of each algorithm."""
    claim = f"The least loss of the training rows is {format_number(best['value'], 3)}, by {_name(best)}"
    least = to_numbers(answers, "value").groupby(answers["algorithm"], sort=False).min()
    spent = f"After {format_number(best['evaluations'])} passes over {format_number(best['training_rows'])} rows."
    parts = [spent, "A loss of 1 is that of the mean."]
    if len(least) > 1:
        parts.append(f"Least by algorithm: {join_names([f'{name} {format_number(value, 3)}' for name, value in least.items()])}.")
    parts.append(f"Length of the gradient there: {format_number(best['gradient_norm'], 2)}.")
    return Finding("supported", f"{claim}.", " ".join(parts))


def _name(row: pd.Series) -> str:
    """Return an algorithm with its own settings, where these were swept."""
    rate = row.get("learning_rate")
    return str(row["algorithm"]) + (f" (learning rate {format_number(rate)})" if rate is not None and rate > 0 else "")


def _find_worth(settings: Mapping[str, Any], best: pd.Series) -> Finding:
    """Say how the best network does on rows held out, beside the linear map by least squares."""
    gain, error = float(best["gain"]), float(best["gain_se"])
    losses = f"{format_number(best['validation_loss'], 3)} against {format_number(best['linear_validation_loss'], 3)} by least squares"
    evidence = f"{format_number(best['validation_rows'])} rows held out; {format_number(best['mean_validation_loss'], 3)} by the mean."
    if not (settings.get("train") or {}).get("layers"):
        return Finding("supported", f"On rows held out its loss is {losses}, which is a linear map too.", evidence)
    evidence += f" Difference {format_measured(gain, error)}, from means of blocks of neighbours."
    if gain > _ERRORS * error:
        return Finding("supported", f"On rows held out it errs less than a linear map: its loss is {losses}.", evidence)
    if gain < -_ERRORS * error:
        return Finding("failed", f"On rows held out it errs more than a linear map: its loss is {losses}.", evidence)
    return Finding("open", f"That it errs less than a linear map on rows held out is not shown: its loss is {losses}.", evidence)


def _find_learned_by_heart(best: pd.Series) -> list[Finding]:
    """Say where the loss of the rows held out had been lower before."""
    last, least = float(best["validation_loss"]), float(best["best_validation_loss"])
    if not least < (1 - _SHARE) * last:
        return []
    claim = f"After pass {format_number(best['best_validation_epoch'])} its loss of the rows held out was lower, {format_number(least, 3)}."
    return [Finding("open", claim, "To stop there would be to choose by the rows held out, which would then test nothing.")]


def _find_ranking(answers: pd.DataFrame) -> list[Finding]:
    """Say which algorithm got furthest, start by start, each with its best settings, and whether that is more than chance."""
    if "start" not in answers:
        return []
    chosen = _choose_settings(answers)
    losses = chosen.pivot_table(index="start", columns="algorithm", values="value", aggfunc="min").dropna()
    if losses.shape[1] < 2 or len(losses) < 2:
        return []
    order = losses.median().sort_values(kind="stable").index
    first, second = str(order[0]), str(order[1])
    n_less, n = int((losses[first] < losses[second]).sum()), len(losses)
    p = min(1.0, 2 * sum(math.comb(n, k) for k in range(max(n_less, n - n_less), n + 1)) / 2**n)
    medians = join_names([f"{name} {format_number(losses[name].median(), 3)}" for name in order])
    names = {str(row["algorithm"]): _name(row) for _, row in chosen.iterrows()}
    claim = f"{names[first]} ends lower than {names[second]} from {count_of(n_less, n, 'start')}"
    evidence = f"Sign test: p = {format_number(p, 2)}. Medians over starts, each with its best settings: {medians}."
    if p > _RARE:
        return [Finding("open", f"{claim}, which may be chance.", evidence)]
    return [Finding("supported", f"{claim}.", evidence)]


def _choose_settings(answers: pd.DataFrame) -> pd.DataFrame:
    """Return the trials of each algorithm with the settings whose median loss is least, all with the most epochs that there are."""
    if "epochs" in answers:
        answers = answers[answers["epochs"] == answers["epochs"].max()]
    names = [name for name in _SETTINGS if name in answers]
    kept = []
    for _, part in answers.groupby("algorithm", sort=False):
        if names:
            medians = part.groupby(names, sort=True)["value"].median()
            groups = part.groupby(names, sort=True)
            kept.append(groups.get_group(medians.idxmin() if len(names) > 1 else (medians.idxmin(),)))
        else:
            kept.append(part)
    return pd.concat(kept)


def _find_proof(answers: pd.DataFrame) -> Finding:
    """Say whether the least loss is known: of a linear map it is."""
    gaps = to_numbers(answers, "gap_known")
    if gaps.isna().all():
        return Finding("open", "Nothing proves that it is the least possible.", "A network’s loss may have many minima.")
    reached = int((gaps <= AGREEMENT).sum())
    evidence = f"The least is known, by least squares. Above it: {span(gaps, 2)}."
    standing: Any = "supported" if reached else "open"
    return Finding(standing, f"{count_of(reached, len(answers), 'training')} reached the least loss that a linear map can have.", evidence)


FINDINGS = Findings(find_in_trials)
