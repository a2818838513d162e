"""How often a start leads to the best value seen, and how sure the number of starts makes that."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from phaseflow.findings import Finding, format_number, to_numbers

# The 97.5 % point of the normal distribution.
_NORMAL = 1.959963984540054
# A start has reached the best value within this: relative to the larger of 1 and its size, or absolute where values are log-likelihoods,
# of which a tenth is a twentieth of what tells parameters apart at 95 % (1.92).
_RELATIVE, _LIKELIHOOD = 1e-6, 0.1


def find_success(trials: pd.DataFrame, is_answer: Sequence[bool] | pd.Series, *, is_likelihood: bool = False) -> list[Finding]:
    """Say for each algorithm which share of its starts reached the best value that any trial of the same problem saw, with an interval.

    Parameters
    ----------
    is_answer : which trials count as ended; the others are starts without success.
    is_likelihood : values are negative log-likelihoods, so that differences have a meaning of their own.
    """
    if "start" not in trials or trials["start"].nunique() < 2:
        return []
    gaps, values = to_numbers(trials, "gap_best_seen"), to_numbers(trials, "value")
    allowed = _LIKELIHOOD if is_likelihood else _RELATIVE * (values - gaps).abs().clip(lower=1)
    is_success = pd.Series(is_answer, index=trials.index) & (gaps <= allowed)
    rates = [_describe(str(name), int(part.sum()), len(part)) for name, part in is_success.groupby(trials["algorithm"], sort=False)]
    within = f"{_LIKELIHOOD:g}" if is_likelihood else f"{format_number(_RELATIVE)} × max(1, |value|)"
    evidence = (
        f"To within {within}. In brackets: 95 % intervals of the share of starts (Wilson). The best seen need not be the least there is."
    )
    return [Finding("supported", f"Starts that reach the best value seen: {'; '.join(rates)}.", evidence)]


def _describe(algorithm: str, successes: int, starts: int) -> str:
    low, high = find_interval(successes, starts)
    return f"{algorithm} {successes} of {starts} ({low:.0%} to {high:.0%})".replace("%", " %")


def find_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a probability. Source: Wilson (1927), JASA 22, 209-212."""
    share, squared = successes / trials, _NORMAL**2
    middle = share + squared / (2 * trials)
    half = _NORMAL * math.sqrt(share * (1 - share) / trials + squared / (4 * trials**2))
    low, high = ((middle + sign * half) / (1 + squared / trials) for sign in (-1, 1))
    # Rounding may leave what is 0 or 1 a little outside.
    return (0.0 if successes == 0 else low), (1.0 if successes == trials else high)
