"""A stochastic system calibrated to a series by its likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations
from typing import Literal

from phaseflow.errors import KeyPath, Mistake
from phaseflow.expressions.polynomials import Polynomial, expand
from phaseflow.expressions.tree import TIME, Apply, Node, Number, Symbol, walk
from phaseflow.kinds import Context, FitKind
from phaseflow.settings.fits import Fit
from phaseflow.settings.systems import System

LawName = Literal["geometric_brownian_motion", "ornstein_uhlenbeck", "cox_ingersoll_ross", "scalar"]
_ROOT = "root__"
# Processes that are pulled back linearly, by what their noise grows with.
LINEAR: dict[tuple[str, ...], LawName] = {(): "ornstein_uhlenbeck", (_ROOT,): "cox_ingersoll_ross"}


@dataclass(frozen=True)
class Law:
    """A process whose transitions are known in closed form, or any other of one state, with the system's own names for its parameters.

    Attributes
    ----------
    names : of geometric Brownian motion drift and volatility; of Ornstein and Uhlenbeck's and of Cox, Ingersoll and Ross's process rate,
        mean and volatility; of any other its parameters in alphabetical order.
    """

    name: LawName
    names: tuple[str, ...]


def recognise(system: System) -> Law:
    """Tell which law a system is, however its formulas are written.

    Raises
    ------
    ValueError : it has more than one state or Wiener process, depends on the time, or has no parameters.
    """
    noise = system.noise or {}
    if len(system.equations) != 1 or len(noise) != 1 or len(next(iter(noise.values()))) != 1:
        raise ValueError("one state with one Wiener process is wanted, such as {S: mu*S} with noise {S: {W: sigma*S}}")
    (state, drift), diffusion = next(iter(system.equations.items())), next(iter(next(iter(noise.values())).values()))
    names = sorted(system.parameters)
    if TIME in drift.names | diffusion.names:
        raise ValueError("a system that depends on the time t cannot be calibrated to a series")
    if not names or not set(names) <= drift.names | diffusion.names:
        raise ValueError("every parameter is calibrated, so there must be some, and each in a formula")
    # A state that cannot be negative may be guarded by max(x, 0).
    formulas = [walk(formula.tree, Number, Symbol, lambda *parts: _unguard(state, *parts)) for formula in (drift, diffusion)]
    try:
        law = _match(state, names, *(expand(formula) for formula in formulas))
    except ValueError:
        law = None
    return law or Law("scalar", tuple(names))


def _unguard(state: str, operator: str, parts: list[Node]) -> Node:
    """Return max(x, 0) as x, and the root of the state as a name of its own."""
    zero, x = Number(Fraction(0)), Symbol(state)
    if operator == "max" and sorted(parts, key=repr) == sorted([zero, x], key=repr):
        return x
    is_root = (operator == "sqrt" and parts == [x]) or (operator == "**" and parts == [x, Number(Fraction(1, 2))])
    return Symbol(_ROOT) if is_root else Apply(operator, tuple(parts))


def _match(state: str, parameters: list[str], drift: Polynomial, diffusion: Polynomial) -> Law | None:
    one = Fraction(1)
    for sigma in parameters:
        others = [name for name in parameters if name != sigma]
        if diffusion == {_times(sigma, state): one}:
            for mu in others:
                if drift == {_times(mu, state): one}:
                    return Law("geometric_brownian_motion", (mu, sigma))
        for noise, name in LINEAR.items():
            if diffusion == {_times(*[sigma, *noise]): one}:
                for kappa, theta in permutations(others, 2):
                    if drift == {_times(kappa, theta): one, _times(kappa, state): -one}:
                        return Law(name, (kappa, theta, sigma))
    return None


def _times(*names: str) -> tuple[tuple[str, int], ...]:
    return tuple((name, 1) for name in sorted(names))


def check(fit: Fit, path: KeyPath, context: Context) -> list[Mistake]:
    """Check the system, the series and that the time between its rows is known."""
    mistakes = context.check_kept((*path, "to"), fit.to)
    mistakes += context.check_columns((*path, "series"), fit.to, [fit.series or ""], "trajectories")
    if fit.dt is None and not fit.to.startswith("simulate."):
        mistakes.append(Mistake(path, f"dt is wanted beside diffusion: the time from one row of {fit.to} to the next, such as 1/252"))
    mistakes += context.check_system((*path, "diffusion"), fit.diffusion)
    if (system := context.find_system(fit.diffusion)) is None:
        return mistakes
    try:
        law = recognise(system)
    except ValueError as error:
        return [*mistakes, Mistake((*path, "diffusion"), str(error))]
    if fit.volatility == "garch" and law.name != "geometric_brownian_motion":
        mistakes.append(
            Mistake((*path, "volatility"), "garch describes the steps of a price: the diffusion must be geometric Brownian motion")
        )
    return mistakes


def resolve(fit: Fit, context: Context) -> Fit:
    """Write the system out, where it is sound."""
    system = context.find_system(fit.diffusion)
    return fit.model_copy(update={"diffusion": system.strip()}) if system is not None else fit


KIND = FitKind(check, resolve, "trajectories", is_random=True)
