"""Columns that differ from dependent ones by less than their own rounding determine nothing, however exactly they are solved."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from phaseflow.errors import DataError
from phaseflow.expressions.quantity import Expression
from phaseflow.models._design import Column, Rows
from phaseflow.models._least_squares import Array, LeastSquares

# A unit in the last of the 53 bits of a double: a sum that was computed in doubles is off by half of one or a little more.
_ULP = 2.0**-52
# A decimal of 15 digits comes back from a double as it was; a number with more has most likely been rounded to one.
_MOST_STATED_DIGITS = 15
# Of the combination of columns that nearly vanishes, those count whose part is this share of the largest.
_PART = 1e-3


def check_rounding(rows: Rows, columns: Sequence[Column], design: Array, solution: LeastSquares) -> None:
    """Check that no change of the numbers below their rounding as doubles makes the columns dependent.

    The least singular value of the columns scaled to length 1 is their distance from dependent ones. Numbers stated with up to
    15 digits, whole ones, and decimals that are not the shortest text of any double count as exact.

    Raises
    ------
    DataError : names the columns that are dependent to within the rounding of their numbers.
    """
    spans = np.linalg.norm(design, axis=0)[:, None] * solution.inverse
    directions, sizes, _ = np.linalg.svd(spans)
    if 1 / sizes[0] > _ULP * np.sqrt(len(columns)):
        return
    shares = np.abs(directions[:, 0])
    involved = [column for column, share in zip(columns, shares, strict=True) if share > _PART * shares.max()]
    if any(_is_rounded(rows, column) for column in involved):
        names = ", ".join(repr(column.name) for column in involved)
        raise DataError(f"{rows.source}: the terms {names} are linearly dependent to within the rounding of their numbers; leave one out")


def _is_rounded(rows: Rows, column: Column) -> bool:
    names = {name for factor in column.factors if isinstance(factor, Expression) for name in factor.names}
    return any(_are_rounded(rows.written[name]) for name in names)


def _are_rounded(values: Sequence[Fraction]) -> bool:
    """Tell whether numbers are doubles, exactly or in their shortest text, and some of them with more digits than people state."""
    shortest = [repr(float(value)) for value in values]
    if any(value not in (Fraction(text), Fraction(float(text))) for value, text in zip(values, shortest, strict=True)):
        return False
    stated = zip(values, shortest, strict=True)
    return any(value.denominator != 1 and _count_digits(text) > _MOST_STATED_DIGITS for value, text in stated)


def _count_digits(text: str) -> int:
    return len(text.partition("e")[0].replace(".", "").lstrip("-0").rstrip("0"))
