"""From a formula and a table to the columns of a regression, in doubles and exactly.

A column is a product of factors: expressions of columns, and indicators of a category's levels, the first of which is
left out where the term without the category is in the formula too, as R does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from flint import arb, fmpq

from phaseflow.data import check_numbers, read_exactly
from phaseflow.errors import DataError
from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.formula import Category, Factor, Formula, Term
from phaseflow.expressions.intervals import Jet, NotSmoothError, OutsideDomainError, evaluate_jet, to_ball
from phaseflow.expressions.quantity import Expression
from phaseflow.expressions.rationals import evaluate_exactly, to_rational
from phaseflow.models._least_squares import Array

INTERCEPT = "Intercept"
MOST_LEVELS = 200


@dataclass(frozen=True)
class Level:
    """One where a column has a value, else zero."""

    column: str
    value: Any


@dataclass(frozen=True)
class Column:
    """A column of a regression: a product of factors; of none for the intercept."""

    name: str
    factors: tuple[Expression | Level, ...] = ()


@dataclass(frozen=True)
class Rows:
    """The rows of a table that a regression reads, in doubles and as they are written.

    Attributes
    ----------
    numbers : the columns that are read as numbers.
    """

    table: pd.DataFrame
    numbers: frozenset[str]
    source: str

    def __len__(self) -> int:
        return len(self.table)

    def evaluate(self, column: Column, what: str = "term") -> Array:
        """Return a column in doubles.

        Raises
        ------
        DataError : it has no finite value in some row.
        """
        values = np.ones(len(self))
        for factor in column.factors:
            values = values * self._evaluate_factor(factor)
        if not np.isfinite(values).all():
            row = int((~np.isfinite(values)).argmax())
            raise DataError(f"{self.source}: the {what} {column.name!r} has no finite value in row {row + 1}")
        return values

    def _evaluate_factor(self, factor: Expression | Level) -> Array:
        if isinstance(factor, Level):
            return np.asarray(self._find_level(factor), dtype=float)
        return np.asarray(evaluate(factor.tree, {name: self.table[name].to_numpy(dtype=float) for name in factor.names}))

    def _find_level(self, level: Level) -> Any:
        return (self.table[level.column] == level.value).to_numpy()

    @cached_property
    def written(self) -> dict[str, list[Fraction]]:
        """The numbers as they are written."""
        return read_exactly(self.table, sorted(self.numbers))

    @cached_property
    def _rationals(self) -> dict[str, list[Any]]:
        return {name: [to_rational(value) for value in values] for name, values in self.written.items()}

    def evaluate_exactly(self, column: Column) -> list[Any] | None:
        """Return a column's rationals, or None where it has others among its numbers."""
        values = [fmpq(1)] * len(self)
        for factor in column.factors:
            found = self._find_rationals(factor)
            if found is None:
                return None
            values = [a * b for a, b in zip(values, found, strict=True)]
        return values

    def _find_rationals(self, factor: Expression | Level) -> list[Any] | None:
        if isinstance(factor, Level):
            return [fmpq(int(is_there)) for is_there in self._find_level(factor)]
        return evaluate_exactly(factor.tree, self._rationals, len(self))

    def enclose(self, column: Column) -> list[Any]:
        """Return a column's balls at the working precision; one that says nothing where an expression cannot be enclosed."""
        values = [arb(1)] * len(self)
        for factor in column.factors:
            values = [a * b for a, b in zip(values, self._enclose_factor(factor), strict=True)]
        return values

    def _enclose_factor(self, factor: Expression | Level) -> list[Any]:
        if (exact := self._find_rationals(factor)) is not None:
            return [arb(value) for value in exact]
        if isinstance(factor, Level):
            return []
        names = sorted(factor.names)
        rows = zip(*(self.written[name] for name in names), strict=True)
        return [_enclose_value(factor, dict(zip(names, row, strict=True))) for row in rows]


def _enclose_value(factor: Expression, values: Mapping[str, Fraction]) -> Any:
    jets = {name: Jet(to_ball(value), exact=value) for name, value in values.items()}
    try:
        return evaluate_jet(factor.tree, jets, 0).value
    except (NotSmoothError, OutsideDomainError):
        return arb.nan()


def read_rows(table: pd.DataFrame, numbers: frozenset[str], categories: frozenset[str], source: str) -> Rows:
    """Check the columns that a regression reads.

    Raises
    ------
    DataError : a column is missing, holds no numbers where they are wanted, or has no value in some row.
    """
    problems = []
    for name in sorted(categories):
        if name not in table.columns:
            problems.append(f"{source} has no column {name!r} (it has {', '.join(map(repr, table.columns))})")
        elif table[name].isna().any():
            row = int(table[name].isna().to_numpy().argmax())
            problems.append(f"{source}, column {name!r} has no value in {table[name].isna().sum()} rows, first in row {row + 1}")
    try:
        check_numbers(table, sorted(numbers), source)
    except DataError as error:
        problems.append(str(error))
    if problems:
        raise DataError("\n".join(problems))
    return Rows(table, numbers, source)


def list_columns(formula: Formula, rows: Rows) -> list[Column]:
    """Return the columns of a formula, the intercept first.

    A category keeps all of its levels where the rest of its term is not a term of the formula; the rest of a category alone is
    the intercept, whose place the first category takes where there is none.

    Source: Chambers and Hastie (1992), Statistical Models in S, sec. 2.4.1.

    Raises
    ------
    DataError : a category has one level only, or too many.
    """
    columns = [Column(INTERCEPT)] * formula.has_intercept
    has_full_set = formula.has_intercept
    present = {frozenset(term.factors) for term in formula.terms}
    for term in formula.terms:
        margins = [frozenset(term.factors) - {factor} for factor in term.factors]
        is_whole = [not (margin in present or (not margin and has_full_set)) for margin in margins]
        columns += _expand(term, rows, is_whole)
        has_full_set = has_full_set or (all(is_whole) and all(isinstance(factor, Category) for factor in term.factors))
    return columns


def name_response(formula: Formula) -> Column:
    """Return the column that a formula explains."""
    return Column(formula.response.name, tuple(factor for factor in formula.response.factors if isinstance(factor, Expression)))


def _expand(term: Term, rows: Rows, is_whole: Sequence[bool]) -> list[Column]:
    """Return a term's columns, one a combination of its categories' levels.

    Parameters
    ----------
    is_whole : for each factor, whether a category keeps its first level.
    """
    if not any(isinstance(factor, Category) for factor in term.factors):
        return [Column(term.name, tuple(factor for factor in term.factors if isinstance(factor, Expression)))]
    choices = [
        _list_choices(factor, name, rows, whole) for factor, name, whole in zip(term.factors, term.name.split(":"), is_whole, strict=True)
    ]
    return [Column(":".join(name for name, _ in chosen), tuple(factor for _, factor in chosen)) for chosen in product(*choices)]


def _list_choices(factor: Factor, name: str, rows: Rows, keeps_first: bool) -> Sequence[tuple[str, Expression | Level]]:
    if isinstance(factor, Expression):
        return [(name, factor)]
    levels = sorted(rows.table[factor.column].unique().tolist(), key=lambda value: (str(type(value)), value))
    if not 1 < len(levels) <= MOST_LEVELS:
        held = f"{levels[0]!r} in every row" if len(levels) == 1 else f"{len(levels)} levels"
        raise DataError(f"{rows.source}, column {factor.column!r} has {held}, and a category 2 to {MOST_LEVELS}")
    return [(f"C({factor.column})[{level}]", Level(factor.column, level)) for level in levels[0 if keeps_first else 1 :]]
