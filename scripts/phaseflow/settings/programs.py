"""`program`: linear and mixed-integer programs, stated by what they plan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, PlainSerializer, PlainValidator, Tag, WithJsonSchema, model_validator

from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.base import Constraint, Formula, Label, Name, Real, Settings, fail, not_negative, positive

NO_BOUND = "none"
_Amount = Annotated[Real, AfterValidator(not_negative)]
_Amounts = Annotated[
    Annotated[dict[str, _Amount], Field(min_length=1), Tag("<values>")] | Annotated[str, Tag("<table>")],
    Discriminator(lambda value: "<table>" if isinstance(value, str) else "<values>"),
]
_Costs = Annotated[
    Annotated[dict[str, dict[str, Real]], Field(min_length=1), Tag("<values>")] | Annotated[str, Tag("<table>")],
    Discriminator(lambda value: "<table>" if isinstance(value, str) else "<values>"),
]


def _parse_bound(value: Any) -> Quantity | str:
    if isinstance(value, Quantity):
        return value
    if value == NO_BOUND:
        return NO_BOUND
    try:
        return Quantity.parse(value)
    except ValueError as error:
        raise fail(f"{error}; a number is wanted, or none for no bound") from None


_Bound = Annotated[
    Any,
    PlainValidator(_parse_bound),
    PlainSerializer(str),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}], "description": "a number, or none"}),
]


def _list_arcs(costs: dict[str, dict[str, Quantity]] | str | None) -> dict[tuple[str, str], Quantity]:
    return {(source, target): cost for source, row in costs.items() for target, cost in row.items()} if isinstance(costs, dict) else {}


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
        return _list_arcs(self.cost)

    def list_numbers(self) -> Iterator[tuple[str, Quantity]]:
        """Yield the numbers of the problem by their names: `supply.<node>`, `demand.<node>`, `cost.<from>.<to>`."""
        yield from ((f"supply.{node}", amount) for node, amount in self.supplies.items())
        yield from ((f"demand.{node}", amount) for node, amount in self.demands.items())
        yield from ((f"cost.{source}.{target}", cost) for (source, target), cost in self.arcs.items())

    def list_columns(self) -> list[str]:
        """Return a column for what goes each way."""
        return [f"flow.{source}.{target}" for source, target in self.arcs]

    def list_priced(self) -> list[str]:
        """Return the names of the constraints that have a price."""
        return [*(f"supply.{node}" for node in self.supplies), *(f"demand.{node}" for node in self.demands)]

    def define(self) -> str:
        """Return the canonical text of the problem without its numbers."""
        return f"transport {json.dumps([name for name, _ in self.list_numbers()])}"

    @property
    def has_integers(self) -> bool:
        """Nothing in it need be whole."""
        return False


class Site(Settings):
    """A place where a facility can be opened."""

    capacity: _Amount = Field(description="what it can send where it is open")
    fixed: _Amount = Field(description="what it costs to open")


_Sites = Annotated[
    Annotated[dict[str, Site], Field(min_length=1), Tag("<values>")] | Annotated[str, Tag("<table>")],
    Discriminator(lambda value: "<table>" if isinstance(value, str) else "<values>"),
]


class Facility(Settings):
    """Capacitated facility location: which sites to open, and who is served from where. Source: Sridharan (1995), Eur. J. Oper. Res. 87."""

    sites: _Sites = Field(
        description="for each site `capacity`, what it can send where it is open, and `fixed`, what it costs to open; "
        "or `data.<name>` with the columns site, capacity and fixed"
    )
    demand: _Amounts = Field(
        description="what each customer wants, all of which is served; or `data.<name>` with the columns node and demand"
    )
    cost: _Costs | None = Field(
        None,
        description="for each site and each customer that it can serve, the cost of one unit; or `data.<name>` with the columns from, to "
        "and cost. This or `cost_of_all`",
    )
    cost_of_all: _Costs | None = Field(
        None, description="as `cost`, but the cost of all that the customer wants; of a part, as large a part of it"
    )
    single_source: bool = Field(False, description="whether each customer is served from one site alone")

    @model_validator(mode="after")
    def _check_cost(self) -> Facility:
        if (self.cost is None) == (self.cost_of_all is None):
            raise fail("exactly one of cost (of one unit) and cost_of_all (of all that a customer wants) is wanted")
        return self

    @property
    def places(self) -> dict[str, Site]:
        """The sites, where they are written out."""
        return {} if isinstance(self.sites, str) else self.sites

    @property
    def supplies(self) -> dict[str, Quantity]:
        """What each site can send, where it is written out."""
        return {name: site.capacity for name, site in self.places.items()}

    @property
    def demands(self) -> dict[str, Quantity]:
        """What each customer wants, where it is written out."""
        return {} if isinstance(self.demand, str) else self.demand

    @property
    def arcs(self) -> dict[tuple[str, str], Quantity]:
        """The cost of each way, where it is written out."""
        return _list_arcs(self.cost if self.cost is not None else self.cost_of_all)

    def list_numbers(self) -> Iterator[tuple[str, Quantity]]:
        """Yield the numbers by their names: `capacity.<site>`, `fixed.<site>`, `demand.<customer>`, `cost.<site>.<customer>`."""
        yield from ((f"capacity.{name}", site.capacity) for name, site in self.places.items())
        yield from ((f"fixed.{name}", site.fixed) for name, site in self.places.items())
        yield from ((f"demand.{node}", amount) for node, amount in self.demands.items())
        yield from ((f"cost.{source}.{target}", cost) for (source, target), cost in self.arcs.items())

    def list_columns(self) -> list[str]:
        """Return a column for each site, 1 where it is open, and one for what goes each way."""
        return [*(f"open.{name}" for name in self.places), *(f"flow.{source}.{target}" for source, target in self.arcs)]

    def list_priced(self) -> list[str]:
        """Return no constraint: a program with integers has no prices."""
        return []

    def define(self) -> str:
        """Return the canonical text of the problem without its numbers."""
        how = ["single source"] * self.single_source + ["cost of all"] * (self.cost is None)
        return f"facility {json.dumps([*how, *(name for name, _ in self.list_numbers())])}"

    @property
    def has_integers(self) -> bool:
        """A site is open or not."""
        return True


class Span(Settings):
    """A variable of a linear program: its bounds, and whether it must be whole."""

    lower: _Bound = Field(
        Quantity.parse(0), description="the least value allowed, or none (default: 0, as in every format of linear programs)"
    )
    upper: _Bound = Field(NO_BOUND, description="the greatest value allowed, or none")
    integer: bool = Field(False, description="whether it must be a whole number")

    @model_validator(mode="after")
    def _check_order(self) -> Span:
        bounds = [bound for bound in (self.lower, self.upper) if isinstance(bound, Quantity)]
        if len(bounds) == 2 and bounds[0].value > bounds[1].value:
            raise fail(f"the lower bound {bounds[0].text} is above the upper bound {bounds[1].text}")
        return self


class Linear(Settings):
    """A linear or mixed-integer program, written out."""

    minimize: Formula | None = Field(None, description="what is to be least: an expression that is linear in the variables")
    maximize: Formula | None = Field(None, description="or what is to be greatest")
    variables: Annotated[dict[Name, Span], Field(min_length=1)] = Field(description="the variables; `x: {}` is a number of 0 or more")
    constraints: dict[Label, Constraint] = Field(
        {},
        description="conditions by name, linear in the variables, with <=, >= or ==: `labour: 2*x + y <= hours`",
    )
    parameters: dict[Name, Real] = Field({}, description="numbers by name, for the expressions; each can be swept")

    @model_validator(mode="after")
    def _check_one(self) -> Linear:
        if (self.minimize is None) == (self.maximize is None):
            raise fail("exactly one of minimize, maximize is wanted")
        return self

    @property
    def objective(self) -> Any:
        """What is to be least or greatest."""
        return self.minimize if self.minimize is not None else self.maximize

    def list_numbers(self) -> Iterator[tuple[str, Quantity]]:
        """Yield the numbers by their names: those of the parameters, `lower.<variable>` and `upper.<variable>`."""
        yield from self.parameters.items()
        for side in ("lower", "upper"):
            bounds = ((name, getattr(span, side)) for name, span in self.variables.items())
            yield from ((f"{side}.{name}", bound) for name, bound in bounds if isinstance(bound, Quantity))

    def list_columns(self) -> list[str]:
        """Return a column for each variable."""
        return list(self.variables)

    def list_priced(self) -> list[str]:
        """Return the names of the constraints that have a price: none in a program with integers."""
        return [] if self.has_integers else list(self.constraints)

    def define(self) -> str:
        """Return the canonical text of the problem without the numbers that have names."""
        bounds = [name for name, _ in self.list_numbers()]
        whole = [name for name, span in self.variables.items() if span.integer]
        conditions = [f"{name}: {condition.text}" for name, condition in self.constraints.items()]
        verb = "minimize" if self.minimize is not None else "maximize"
        return f"linear {json.dumps([verb, self.objective.text, list(self.variables), whole, bounds, conditions])}"

    @property
    def has_integers(self) -> bool:
        """Whether a variable must be whole."""
        return any(span.integer for span in self.variables.values())


Statement = Transport | Facility | Linear
STATEMENTS: tuple[Literal["transport", "facility", "linear"], ...] = ("transport", "facility", "linear")


class Program(Settings):
    """A linear or mixed-integer program by HiGHS; without integers its optimum is exact, in the numbers as written."""

    transport: Transport | None = Field(None, description="a transportation problem")
    facility: Facility | None = Field(None, description="a facility location problem")
    linear: Linear | None = Field(
        None,
        description="a linear or mixed-integer program, written out. Without integers, in each of the three, `price.<constraint>` is the "
        "slope of the optimum when the number that bounds the constraint grows, `price_less` and `price_more` are the slopes to its left "
        "and right (infinite where the constraint could not be kept), and `price` is empty where these differ; with integers the optimum "
        "jumps, so there are no prices, and `best_bound` is the solver's, in floating point",
    )
    time_limit_s: Annotated[Real, AfterValidator(positive)] | None = Field(
        None,
        description="the most seconds that the solver may take for a trial; its status is then time_limit, its row the one thing that may "
        "differ from run to run (default: no limit)",
    )

    @model_validator(mode="after")
    def _check_one(self) -> Program:
        given = [kind for kind in STATEMENTS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise fail(f"exactly one of transport, facility, linear is wanted, not {' and '.join(given) or 'none'}")
        return self

    @property
    def word(self) -> str:
        """The key under which the program is stated."""
        return next(kind for kind in STATEMENTS if getattr(self, kind) is not None)

    @property
    def statement(self) -> Statement:
        """What is planned."""
        statement: Statement = getattr(self, self.word)
        return statement

    @property
    def is_maximum(self) -> bool:
        """Whether the greatest value is wanted."""
        return self.linear is not None and self.linear.maximize is not None
