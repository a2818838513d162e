"""Equations discovered from trajectories."""

from __future__ import annotations

from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.kinds import Context, FitKind
from phaseflow.settings.fits import Fit
from phaseflow.settings.scenarios import Scenario

# What a sweep may change from member to member while the equations stay the same.
_SAME_EQUATIONS = ("initial.", "solver.")


def check(fit: Fit, path: KeyPath, context: Context) -> list[Mistake]:
    """Check the columns, that the members obey the same equations, and the truth."""
    mistakes = context.check_kept((*path, "to"), fit.to)
    wanted = ["t", *(fit.inputs or [])]
    mistakes += context.check_columns((*path, "inputs" if fit.inputs else "to"), fit.to, wanted, "trajectories")
    if (scenario := find_scenario(fit, context)) is not None:
        swept = {name for block in scenario.sweep or [] for name in block if not name.startswith(_SAME_EQUATIONS)}
        if swept:
            text = f"the members of {fit.to} differ in {', '.join(sorted(swept))}: equations are discovered from members that share them"
            mistakes.append(Mistake((*path, "to"), text))
    mistakes += _check_library(fit, (*path, "discover", "library"), context)
    return mistakes + context.check_system((*path, "truth"), fit.truth)


def _check_library(fit: Fit, path: KeyPath, context: Context) -> list[Mistake]:
    """Check that the user's own terms are of the states alone."""
    columns = context.list_columns(fit.to, "trajectories")
    if fit.discover is None or columns is None:
        return []
    states = fit.inputs or [name for name in columns if name not in ("member", "t")]
    mistakes = []
    for place, term in enumerate(fit.discover.library.terms or []):
        for name in sorted(term.names - set(states)):
            text = f"{term.text!r} needs {name!r}, which is no state of {fit.to}{suggest(name, states)}"
            mistakes.append(Mistake((*path, "terms", place), text))
    return mistakes


def find_scenario(fit: Fit, context: Context) -> Scenario | None:
    """Return the scenario that a fit reads, where it reads one."""
    section, _, name = fit.to.partition(".")
    return context.scenarios.get(name) if section == "simulate" else None


def resolve(fit: Fit, context: Context) -> Fit:
    """Write out the system that made the table, where it is known."""
    truth = context.find_system(fit.truth)
    if truth is None and (scenario := find_scenario(fit, context)) is not None:
        truth = scenario.definition
    return fit.model_copy(update={"truth": truth and truth.strip()})


KIND = FitKind(check, resolve, "trajectories", is_random=True)
