"""How a scenario is integrated and certified."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.base import Count, Name, Real, Settings, positive

# The plugin of `engines/` that has each method.
ENGINES = {
    "taylor": "taylor",
    "taylor_map": "taylor_map",
    **dict.fromkeys(("LSODA", "Radau", "BDF", "DOP853", "RK45"), "scipy_ivp"),
    **{method: method for method in ("euler_maruyama", "milstein", "exact")},
}
TAYLOR = frozenset({"taylor", "taylor_map"})
STOCHASTIC = frozenset({"euler_maruyama", "milstein", "exact"})
# Methods that take steps of one length, which solver.step says.
STEPPED = frozenset({"euler_maruyama", "milstein"})
# The bits of a significand.
DOUBLE_BITS = 53
QUADRUPLE_BITS = 113

Method = Literal["taylor", "taylor_map", "LSODA", "Radau", "BDF", "DOP853", "RK45", "euler_maruyama", "milstein", "exact"]
Precision = Literal["double", "quadruple", "auto"]
_ABSOLUTE = Quantity.parse("1e-14")
_Positive = Annotated[Real, AfterValidator(positive)]
PerState = Annotated[
    Annotated[_Positive, Tag("<number>")] | Annotated[dict[Name, _Positive], Tag("<mapping>")],
    Discriminator(lambda value: "<mapping>" if isinstance(value, Mapping) else "<number>"),
]


class Solver(Settings):
    """The method of integration and its accuracy."""

    method: Method | None = Field(
        None,
        description="taylor (the default): Taylor's method in batches; taylor_map: the same in equal steps from sample to sample, for many "
        "members much faster; the values stated for the system decide on the steps, and members that need smaller ones are integrated by "
        "taylor; LSODA, Radau, BDF: for stiff systems, by scipy, as DOP853 and RK45; "
        "where there is noise, exact: from the exact law, the default where that has a closed form; euler_maruyama: the default else; "
        "milstein: of strong order 1, for noise that commutes",
    )
    tolerance: Annotated[Real, AfterValidator(positive)] = Field(
        Quantity.parse("1e-12"), description="the error allowed in one step, relative to the state"
    )
    max_steps: Count = Field(10_000_000, ge=1, description="a member that needs more steps fails with the status step_limit")
    precision: Precision | Annotated[Count, Field(ge=16, le=1000)] = Field(
        "double",
        description="of taylor: double, quadruple (34 digits), a number of digits, or auto: raised for each member until two runs agree "
        "on every digit that is kept; beyond double, constants are exact and the tolerance is that of the precision",
    )
    absolute: PerState = Field(
        _ABSOLUTE,
        description="the absolute error allowed in one step, for scipy's methods: one number, or one for each state that needs "
        "another than 1e-14; stiff problems need it small",
    )
    step: Annotated[Real, AfterValidator(positive)] | None = Field(
        None,
        description="the longest step of euler_maruyama and milstein (default: a tenth of the time between samples); "
        "the time between samples is halved until its parts are no longer, so every step sees the same Brownian path",
    )
    antithetic: bool | None = Field(
        None, description="members come in pairs, the second driven by the mirror image of the first one's Wiener processes"
    )

    def find_tolerance(self) -> Quantity:
        """Return the tolerance; beyond double precision it follows from the digits, which for auto are those of a double."""
        if self.precision == "double":
            return self.tolerance
        bits = DOUBLE_BITS if self.precision == "auto" else count_bits(self.precision)
        return Quantity.parse(f"1e-{round(bits * math.log10(2))}")

    def list_absolute(self, states: Iterable[str]) -> list[float]:
        """Return the absolute error allowed in each state."""
        if not isinstance(self.absolute, Mapping):
            return [self.absolute.value for _ in states]
        return [self.absolute.get(state, _ABSOLUTE).value for state in states]

    def with_values(self, values: Mapping[str, float]) -> Solver:
        """Return the solver with other numbers."""
        return self.model_copy(update={name: Quantity.parse(value) for name, value in values.items()})


def choose_engine(solver: Solver) -> str:
    """Return the plugin of `engines/` that a resolved solver needs."""
    return "multiprecision" if solver.precision != "double" else ENGINES[solver.method or "taylor"]


def count_bits(precision: Precision | int) -> int:
    """Return the bits of a significand; auto begins with quadruple."""
    if isinstance(precision, int):
        return math.ceil(precision * math.log2(10))
    return {"double": DOUBLE_BITS, "quadruple": QUADRUPLE_BITS, "auto": QUADRUPLE_BITS}[precision]


class Certify(Settings):
    """How far in time a trajectory is shown to be the solution."""

    method: Literal["none", "reference", "estimate", "refine"] | None = Field(
        None,
        description="none: no claim is made; reference: against runs in higher precision with exact constants; "
        "estimate: against two more runs at tolerances of 1e-14 and 1e-15; refine: against the same Brownian paths with half the step. "
        "Default: where trajectories are kept, reference for up to 100 members of Taylor's method and estimate for more, refine for up to "
        "1,000 paths of a stochastic method with steps; else none",
    )
    tolerance: Annotated[Real, AfterValidator(positive)] = Field(
        Quantity.parse("1e-3"), description="the difference allowed, relative to each state's range"
    )


def list_averages(state: str) -> tuple[str, str]:
    """Return the columns of a state's mean over time and of its standard error."""
    return f"{state}_mean", f"{state}_mean_se"


def read_certify(value: Any) -> Any:
    """Accept a bare word for the method."""
    return {"method": value} if isinstance(value, str) else value
