"""A linear regression."""

from __future__ import annotations

from phaseflow.errors import KeyPath, Mistake
from phaseflow.expressions.formula import parse_formula
from phaseflow.kinds import Context, FitKind
from phaseflow.settings.fits import Fit


def check(fit: Fit, path: KeyPath, context: Context) -> list[Mistake]:
    """Check the formula and its columns."""
    try:
        formula = parse_formula(fit.linear or "")
    except ValueError as error:
        return [Mistake((*path, "linear"), str(error))]
    return context.check_columns((*path, "linear"), fit.to, formula.columns)


KIND = FitKind(check)
