"""Dynamical systems as a user states them."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.quantity import Expression
from phaseflow.expressions.tree import SWITCHES, TIME, find_operators
from phaseflow.settings.base import Formula, Name, Real, Settings

_RESERVED_COLUMNS = frozenset({"member", "status", "engine", "steps", "replicate", "step_error"})


class System(Settings):
    """A system of ordinary differential equations: the time derivative of each state as an expression."""

    equations: dict[Name, Formula] = Field(min_length=1, description="the time derivative of each state")
    parameters: dict[Name, Real] = Field({}, description="the value of each parameter; it can be overridden and swept")
    initial: dict[Name, Real] = Field(description="the initial value of each state")
    noise: dict[Name, dict[Name, Formula]] | None = Field(
        None, description="the diffusion of each state for each Wiener process (Ito); states that name the same process share it"
    )
    description: str | None = Field(None, description="what the system models")
    source: str | None = Field(None, description="where it was published")

    def define(self) -> str:
        """Return the canonical text of the equations, which with the values is what a member is."""
        equations = [f"{state}' = {formula.text}" for state, formula in self.equations.items()]
        equations += [f"{state}' += ({formula.text}) {process}'" for state, process, formula in self.list_noise()]
        return f"{'; '.join(equations)}; parameters {', '.join(sorted(self.parameters))}"

    def list_noise(self) -> list[tuple[str, str, Expression]]:
        """Return each diffusion with its state and its Wiener process, in the order of the states and the processes' names."""
        noise = self.noise or {}
        return [(state, process, noise[state][process]) for state in self.equations if state in noise for process in sorted(noise[state])]

    def list_processes(self) -> list[str]:
        """Return the names of the Wiener processes, sorted."""
        return sorted({process for _, process, _ in self.list_noise()})

    def check(self, path: KeyPath) -> list[Mistake]:
        """Check that the parts of the definition fit each other."""
        states, parameters = set(self.equations), set(self.parameters)
        mistakes = [Mistake((*path, "parameters", name), f"{name!r} is a state already") for name in sorted(states & parameters)]
        for name in sorted((states | parameters) & _RESERVED_COLUMNS):
            section = "equations" if name in states else "parameters"
            mistakes.append(Mistake((*path, section, name), f"{name!r} is a column of every table: choose another name"))
        for state, formula in self.equations.items():
            here = (*path, "equations", state)
            hints = {name: suggest(name, states | parameters) for name in sorted(formula.names - states - parameters - {TIME})}
            mistakes += [Mistake(here, f"{formula.text!r} needs {name!r}, which is not known{hint}") for name, hint in hints.items()]
            # Stochastic methods take short steps of one length, whose order a kink lowers at worst.
            if not self.noise and (switches := sorted(find_operators(formula.tree) & SWITCHES)):
                text = f"equations with {', '.join(switches)} are not built yet: a step across the switch would be silently wrong"
                mistakes.append(Mistake(here, text))
        for state, process, formula in self.list_noise():
            hints = {name: suggest(name, states | parameters) for name in sorted(formula.names - states - parameters - {TIME})}
            here = (*path, "noise", state, process)
            mistakes += [Mistake(here, f"{formula.text!r} needs {name!r}, which is not known{hint}") for name, hint in hints.items()]
        mistakes += check_known((*path, "noise"), self.noise or {}, states, "state")
        mistakes += [Mistake((*path, "initial"), f"the state {name!r} has no initial value") for name in states - set(self.initial)]
        return mistakes + check_known((*path, "initial"), self.initial, states, "state")


def check_known(path: KeyPath, given: Mapping[str, object], allowed: set[str], kind: str) -> list[Mistake]:
    """Check that keys are names of states, parameters and the like."""
    unknown = [name for name in given if name not in allowed]
    return [Mistake((*path, name), f"there is no {kind} {name!r}{suggest(name, allowed)}") for name in unknown]
