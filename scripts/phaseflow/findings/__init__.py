"""What the tables say in plain words, each sentence with what stands behind it: one plugin a kind of entry.

The rules are plain, so that a reader can check them by eye. Where a table supports no claim, the sentence says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

_SHOWN_DIGITS = 6
# What the last bits of a double may differ by without a reader being told: 0.475 made by steps of 0.025.
_SAME = 1e-14
_NO_VALUE = "–"


@dataclass(frozen=True)
class Finding:
    """One sentence about an entry.

    Attributes
    ----------
    standing : supported (by the table), open (nothing supports it either way) or failed (something went wrong).
    evidence : what stands behind the claim; may be empty.
    """

    standing: Literal["supported", "open", "failed"]
    claim: str
    evidence: str = ""


@dataclass(frozen=True)
class Findings:
    """The findings of a kind: `find` takes the settings, the main table and the statistics of an entry."""

    find: Callable[[Mapping[str, Any], pd.DataFrame, Mapping[str, Any]], list[Finding]]


def format_number(value: Any, digits: int = _SHOWN_DIGITS) -> str:
    """Return a number as a person reads it: few digits, a real minus sign, a dash for no value.

    A number that had to be rounded shows all the digits asked for, zeros too: 1.00000 is not 1.
    """
    if value is None or pd.isna(value):
        return _NO_VALUE
    number = float(value)
    if math.isinf(number):
        return "−∞" if number < 0 else "∞"
    text = f"{number + 0.0:.{digits}g}"
    if not math.isclose(float(text), number, rel_tol=_SAME, abs_tol=0.0):
        text = f"{number:#.{digits}g}"
    mantissa, _, exponent = text.partition("e")
    mantissa = mantissa.removesuffix(".")
    return (f"{mantissa}e{int(exponent)}" if exponent else mantissa).replace("-", "−")


def format_measured(value: float, error: float, most: int = 12) -> str:
    """Return `2.06 ± 0.02`: the error with one digit, or two where it begins with 1, and the value to the same place."""
    if not (math.isfinite(value) and math.isfinite(error) and error > 0):
        return f"{format_number(value)}, its error unknown"
    place = math.floor(math.log10(error)) - (1 if f"{error:e}"[0] == "1" else 0)
    place = max(place, math.floor(math.log10(abs(value) or error)) - most + 1)
    if place > 0:
        rounded, margin = (f"{round(number / 10**place) * 10**place:g}" for number in (value, error))
    else:
        rounded, margin = f"{value:.{-place}f}", f"{error:.{-place}f}" if error >= 1e-4 else f"{error:.0e}"
    return f"{rounded} ± {margin}".replace("-", "−").replace("e−0", "e−")


def join_names(names: Sequence[str], limit: int = 12) -> str:
    """Return names as a phrase: `a, b and c`; beyond the limit only their number."""
    shown = [str(name) for name in names]
    if len(shown) > limit:
        shown = [*shown[:limit], f"{len(shown) - limit} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def count_of(part: int, whole: int, noun: str) -> str:
    """Return `3 of 5 members`."""
    return f"{part} of {whole} {noun}s"


def span(numbers: pd.Series, digits: int = _SHOWN_DIGITS) -> str:
    """Return the least and the greatest of some numbers."""
    low, high = format_number(numbers.min(), digits), format_number(numbers.max(), digits)
    return low if low == high else f"{low} to {high}"


def to_numbers(table: pd.DataFrame, column: str) -> pd.Series:
    """Return a column as floats, NaN where it or its value is missing."""
    if column not in table:
        return pd.Series(math.nan, index=table.index)
    return pd.to_numeric(table[column], errors="coerce").astype("float64")


def to_texts(table: pd.DataFrame, column: str) -> pd.Series:
    """Return the texts of a column, without missing ones."""
    return table[column].dropna().astype(str) if column in table else pd.Series([], dtype=str)
