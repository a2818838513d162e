"""What is known of a system's solutions, published or exact: for its tests, its description and the reader."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.tree import TIME
from phaseflow.settings.base import Formula, Name, Real, Settings, positive


class Invariants(Settings):
    """What is known of the solutions, published or exact; no part of what a member is."""

    conserved: dict[Name, Formula] = Field({}, description="quantities that are constant along each solution: expressions of states and t")
    lyapunov: list[Real] | None = Field(
        None, min_length=1, description="the published Lyapunov exponents, the largest first, at the parameters stated"
    )
    lyapunov_error: Annotated[Real, AfterValidator(positive)] | None = Field(
        None, description="the published error of the exponents, or half a unit of the last digit published"
    )
    divergence: Formula | None = Field(
        None, description="the divergence of the field where it is constant, which is the sum of all exponents: an expression of parameters"
    )
    period: Annotated[Real, AfterValidator(positive)] | None = Field(None, description="the published period of the natural cycle")
    source: str | None = Field(None, description="where exponents and period were published")

    def check(self, path: KeyPath, states: set[str], parameters: set[str]) -> list[Mistake]:
        """Check the names, and that what was measured says by whom and how well."""
        mistakes: list[Mistake] = []
        for name, formula in self.conserved.items():
            mistakes += _check_names((*path, "conserved", name), formula.text, formula.names - {TIME}, states | parameters)
        if self.divergence is not None:
            mistakes += _check_names((*path, "divergence"), self.divergence.text, self.divergence.names, parameters)
        if (self.lyapunov is None) != (self.lyapunov_error is None):
            mistakes.append(Mistake(path, "lyapunov and lyapunov_error are wanted together"))
        if len(self.lyapunov or []) > len(states):
            mistakes.append(Mistake((*path, "lyapunov"), f"there are as many exponents as states, {len(states)}, not more"))
        if self.source is None and (self.lyapunov is not None or self.period is not None):
            mistakes.append(Mistake((*path, "source"), "where lyapunov or period was published is wanted"))
        return mistakes


def _check_names(path: KeyPath, text: str, names: frozenset[str], known: set[str]) -> list[Mistake]:
    return [Mistake(path, f"{text!r} needs {name!r}, which is not known{suggest(name, known)}") for name in sorted(names - known)]
