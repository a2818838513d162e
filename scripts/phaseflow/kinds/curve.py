"""A curve fitted by nonlinear least squares."""

from __future__ import annotations

import math

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
    return mistakes + _check_weights(fit, path, context) + _check_bounds(fit, path)


def _check_weights(fit: Fit, path: KeyPath, context: Context) -> list[Mistake]:
    if fit.weights is None:
        return []
    if not fit.weights.names:
        return [Mistake((*path, "weights"), f"{fit.weights.text!r} has no column in it")]
    return context.check_columns((*path, "weights"), fit.to, fit.weights.names)


def _check_bounds(fit: Fit, path: KeyPath) -> list[Mistake]:
    """Check that bounds are those of parameters, with their starts between them."""
    mistakes = []
    for name, bounds in (fit.bounds or {}).items():
        here, start = (*path, "bounds", name), (fit.start or {}).get(name)
        low, high = (bound.value if bound is not None else end for bound, end in ((bounds.lower, -math.inf), (bounds.upper, math.inf)))
        if start is None:
            mistakes.append(Mistake(here, f"the curve {str(fit.curve)!r} has no parameter {name!r}"))
        elif not low <= start.value <= high:
            mistakes.append(Mistake(here, f"the start {start.text} is not between the bounds"))
    return mistakes


KIND = FitKind(check)
