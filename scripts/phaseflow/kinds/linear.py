"""A linear regression."""

from __future__ import annotations

from phaseflow.errors import KeyPath, Mistake
from phaseflow.expressions.formula import parse_formula
from phaseflow.kinds import Context, FitKind
from phaseflow.settings.fits import FAMILIES, Fit


def check(fit: Fit, path: KeyPath, context: Context) -> list[Mistake]:
    """Check the formula, its columns and which settings go together."""
    mistakes = _check_settings(fit, path)
    if fit.weights is not None:
        mistakes += context.check_columns((*path, "weights"), fit.to, fit.weights.names)
        if not fit.weights.names:
            mistakes.append(Mistake((*path, "weights"), f"{fit.weights.text!r} has no column in it"))
    try:
        formula = parse_formula(fit.linear or "")
    except ValueError as error:
        return [*mistakes, Mistake((*path, "linear"), str(error))]
    return mistakes + context.check_columns((*path, "linear"), fit.to, formula.columns)


def _check_settings(fit: Fit, path: KeyPath) -> list[Mistake]:
    """Check which settings go together."""
    rules = [
        (fit.link is not None and fit.family is None, "link", "a link needs family beside it"),
        (fit.lags is not None and fit.covariance != "HAC", "lags", "lags are those of covariance: HAC"),
        (fit.folds is not None and fit.penalty is None, "folds", "folds are those of a penalty"),
        (fit.penalty is not None and fit.family is not None, "penalty", "a penalty is for least squares: leave out family"),
        (fit.penalty is not None and fit.covariance is not None, "covariance", "a fit with a penalty has no standard errors"),
        (fit.penalty is not None and fit.weights is not None, "weights", "a penalty with weights is not built: leave one out"),
        (fit.family is not None and fit.covariance in ("HC2", "HC3"), "covariance", "of a family, classical, HC0, HC1 or HAC is wanted"),
    ]
    mistakes = [Mistake((*path, key), message) for is_wrong, key, message in rules if is_wrong]
    if fit.family is not None and fit.link is not None and fit.link not in FAMILIES[fit.family]:
        mistakes.append(Mistake((*path, "link"), f"{fit.link!r} is no link of {fit.family} (allowed: {', '.join(FAMILIES[fit.family])})"))
    return mistakes


KIND = FitKind(check)
