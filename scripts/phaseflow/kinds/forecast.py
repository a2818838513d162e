"""Forecasters compared on the later part of a record."""

from __future__ import annotations

from phaseflow.errors import KeyPath, Mistake
from phaseflow.kinds import Context, FitKind
from phaseflow.kinds.discover import find_scenario, resolve
from phaseflow.settings.fits import Fit

FEWEST_STARTS = 10


def check(fit: Fit, path: KeyPath, context: Context) -> list[Mistake]:
    """Check the columns, that training and horizon fit into the record, and the truth."""
    mistakes = context.check_kept((*path, "to"), fit.to)
    wanted = ["t", *(fit.inputs or [])]
    mistakes += context.check_columns((*path, "inputs" if fit.inputs else "to"), fit.to, wanted, "trajectories")
    if (scenario := find_scenario(fit, context)) is not None and fit.horizon is not None:
        span = scenario.time.stop.value - scenario.time.start.value
        asked = fit.horizon.value + (fit.training.value if fit.training is not None else span / 2)
        if asked >= span:
            mistakes.append(Mistake((*path, "horizon"), f"training and horizon take {asked:g}, and {fit.to} is {span:g} long"))
    if fit.starts is not None and fit.starts < FEWEST_STARTS:
        text = f"{fit.starts} starts are too few to compare forecasters; at least {FEWEST_STARTS} are wanted"
        mistakes.append(Mistake((*path, "starts"), text))
    return mistakes + context.check_system((*path, "truth"), fit.truth)


KIND = FitKind(check, resolve, "trajectories", is_random=True)
