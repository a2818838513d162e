"""A small neural network that predicts the state one horizon ahead."""

from __future__ import annotations

from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.kinds import Context, FitKind
from phaseflow.settings.fits import Fit
from phaseflow.settings.sweeps import check_axis

SOLVERS = ("lbfgs", "adam", "sgd")


def check(fit: Fit, path: KeyPath, context: Context) -> list[Mistake]:
    """Check the columns, and that what is swept is the solver."""
    mistakes = context.check_kept((*path, "to"), fit.to)
    wanted = ["t", *(fit.inputs or [])]
    mistakes += context.check_columns((*path, "inputs" if fit.inputs else "to"), fit.to, wanted, "trajectories")
    for block in fit.sweep or []:
        for name, values in block.items():
            here = (*path, "sweep", name)
            if name != "solver":
                mistakes.append(Mistake(here, f"{name!r} cannot be swept{suggest(name, ['solver'])}"))
            elif not (found := check_axis(here, values, "word")):
                unknown = [str(value) for value in values if str(value) not in SOLVERS]  # type: ignore[union-attr]
                found = [Mistake(here, f"there is no solver {value!r}{suggest(value, SOLVERS)}") for value in unknown]
                mistakes += found
            else:
                mistakes += found
    return mistakes


def list_solvers(fit: Fit) -> list[str]:
    """Return the solvers that a fit compares."""
    swept = [str(value) for block in fit.sweep or [] for value in block["solver"]]  # type: ignore[union-attr]
    return list(dict.fromkeys(swept)) or ([fit.network.solver] if fit.network else [])


KIND = FitKind(check, of_scenario="trajectories", is_random=True)
