"""A stochastic system calibrated to a series by its exact likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from phaseflow.errors import KeyPath, Mistake
from phaseflow.expressions.polynomials import Polynomial, expand
from phaseflow.kinds import Context, FitKind
from phaseflow.settings.fits import Fit
from phaseflow.settings.systems import System


@dataclass(frozen=True)
class Law:
    """A process whose transitions are known in closed form, with the system's own names for its parameters.

    Attributes
    ----------
    names : of geometric Brownian motion drift and volatility; of Ornstein-Uhlenbeck rate, mean and volatility.
    """

    name: Literal["geometric_brownian_motion", "ornstein_uhlenbeck"]
    names: tuple[str, ...]


def recognise(system: System) -> Law:
    """Tell which law a system is, however its polynomials are written.

    Raises
    ------
    ValueError : it is none of those built so far.
    """
    wanted = "so far geometric Brownian motion, {S: mu*S} with noise {S: {W: sigma*S}}, and Ornstein and Uhlenbeck's process, "
    wanted += "{x: kappa*(theta - x)} with noise {x: {W: sigma}}, can be calibrated; others are not built yet"
    noise = system.noise or {}
    if len(system.equations) != 1 or len(noise) != 1 or len(next(iter(noise.values()))) != 1:
        raise ValueError(f"one state with one Wiener process is wanted: {wanted}")
    (state, drift), diffusion = next(iter(system.equations.items())), next(iter(next(iter(noise.values())).values()))
    try:
        law = _match(state, sorted(system.parameters), expand(drift.tree), expand(diffusion.tree))
    except ValueError as error:
        raise ValueError(f"{error}: {wanted}") from None
    if law is None:
        raise ValueError(f"{state}' = {drift.text} with noise {diffusion.text}: {wanted}")
    return law


def _match(state: str, parameters: list[str], drift: Polynomial, diffusion: Polynomial) -> Law | None:
    one = Fraction(1)
    for sigma in parameters:
        others = [name for name in parameters if name != sigma]
        if diffusion == {_times(sigma, state): one}:
            for mu in others:
                if drift == {_times(mu, state): one}:
                    return Law("geometric_brownian_motion", (mu, sigma))
        if diffusion == {_times(sigma): one}:
            for kappa in others:
                for theta in others:
                    if kappa != theta and drift == {_times(kappa, theta): one, _times(kappa, state): -one}:
                        return Law("ornstein_uhlenbeck", (kappa, theta, sigma))
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
        recognise(system)
    except ValueError as error:
        mistakes.append(Mistake((*path, "diffusion"), str(error)))
    return mistakes


def resolve(fit: Fit, context: Context) -> Fit:
    """Write the system out, where it is sound."""
    system = context.find_system(fit.diffusion)
    return fit.model_copy(update={"diffusion": system.strip()}) if system is not None else fit


KIND = FitKind(check, resolve, "trajectories")
