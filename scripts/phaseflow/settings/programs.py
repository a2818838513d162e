"""`program`: linear programs, stated by what they plan."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.base import PLANNED, Real, Settings, fail, not_negative

_Amount = Annotated[Real, AfterValidator(not_negative)]
_Amounts = Annotated[
    Annotated[dict[str, _Amount], Field(min_length=1), Tag("<values>")] | Annotated[str, Tag("<table>")],
    Discriminator(lambda value: "<table>" if isinstance(value, str) else "<values>"),
]
_Costs = Annotated[
    Annotated[dict[str, dict[str, Real]], Field(min_length=1), Tag("<values>")] | Annotated[str, Tag("<table>")],
    Discriminator(lambda value: "<table>" if isinstance(value, str) else "<values>"),
]


class Transport(Settings):
    """A transportation problem: what goes from where to where at the least cost. Source: Dantzig (1963), ch. 14."""

    supply: _Amounts = Field(description="what each place can send; or `data.<name>` with the columns node and supply")
    demand: _Amounts = Field(description="what each place wants; or `data.<name>` with the columns node and demand")
    cost: _Costs = Field(
        description="for each place that sends and each that it can send to, the cost of one unit; "
        "or `data.<name>` with the columns from, to and cost. Where there is no cost there is no way"
    )

    @property
    def supplies(self) -> dict[str, Quantity]:
        """What each place can send, where it is written out."""
        return {} if isinstance(self.supply, str) else self.supply

    @property
    def demands(self) -> dict[str, Quantity]:
        """What each place wants, where it is written out."""
        return {} if isinstance(self.demand, str) else self.demand

    @property
    def arcs(self) -> dict[tuple[str, str], Quantity]:
        """The cost of each way, where it is written out."""
        costs = {} if isinstance(self.cost, str) else self.cost
        return {(source, target): cost for source, row in costs.items() for target, cost in row.items()}


class Program(Settings):
    """A linear or mixed-integer program."""

    transport: Transport | None = Field(None, description="a transportation problem")
    facility: Annotated[dict[str, Any] | None, PLANNED] = Field(None, description="a facility location problem")
    linear: Annotated[dict[str, Any] | None, PLANNED] = Field(None, description="a general linear or mixed-integer program")

    @model_validator(mode="after")
    def _check_one(self) -> Program:
        given = [kind for kind in ("transport", "facility", "linear") if getattr(self, kind) is not None]
        if len(given) != 1:
            raise fail(f"exactly one of transport, facility, linear is wanted, not {' and '.join(given) or 'none'}")
        return self
