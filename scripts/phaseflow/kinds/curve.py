"""A curve fitted by nonlinear least squares."""

from __future__ import annotations

from phaseflow.errors import KeyPath, Mistake
from phaseflow.kinds import Context, FitKind
from phaseflow.settings.fits import Fit


def check(fit: Fit, path: KeyPath, context: Context) -> list[Mistake]:
    """Check that every name is a column or a parameter, and not both."""
    if fit.curve is None or fit.response is None or fit.start is None:
        return []
    parameters = frozenset(fit.start)
    mistakes = context.check_columns((*path, "curve"), fit.to, fit.curve.names - parameters)
    mistakes += context.check_columns((*path, "response"), fit.to, fit.response.names)
    for name in sorted(parameters - fit.curve.names):
        mistakes.append(Mistake((*path, "start", name), f"the curve {fit.curve.text!r} has no parameter {name!r}"))
    for name in sorted(parameters & set(context.list_columns(fit.to) or ())):
        mistakes.append(Mistake((*path, "start", name), f"{name!r} is a column of {fit.to}: give the parameter another name"))
    if not fit.response.names:
        mistakes.append(Mistake((*path, "response"), f"{fit.response.text!r} has no column in it"))
    return mistakes


KIND = FitKind(check)
