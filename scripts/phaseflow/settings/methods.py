"""How a scenario is integrated, measured and certified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.base import PLANNED, Count, Formula, Name, Real, Settings, positive

# The plugin of `engines/` that has each method.
ENGINES = {
    "taylor": "taylor",
    **dict.fromkeys(("LSODA", "Radau", "BDF", "DOP853", "RK45"), "scipy_ivp"),
    **{method: method for method in ("euler_maruyama", "milstein", "exact")},
}
STOCHASTIC = frozenset({"euler_maruyama", "milstein", "exact"})
# Methods that take steps of one length, which solver.step says.
STEPPED = frozenset({"euler_maruyama", "milstein"})


class Solver(Settings):
    """The method of integration and its accuracy."""

    method: Literal["taylor", "LSODA", "Radau", "BDF", "DOP853", "RK45", "euler_maruyama", "milstein", "exact"] | None = Field(
        None,
        description="taylor (the default): Taylor's method in batches; LSODA, Radau, BDF: for stiff systems, by scipy, as DOP853 and RK45; "
        "where there is noise, exact: from the exact law, the default where that has a closed form; euler_maruyama: the default else; "
        "milstein: of strong order 1, for noise that commutes",
    )
    tolerance: Annotated[Real, AfterValidator(positive)] = Field(
        Quantity.parse("1e-12"), description="the error allowed in one step, relative to the state"
    )
    max_steps: Count = Field(10_000_000, ge=1, description="a member that needs more steps fails with the status step_limit")
    precision: Literal["double", "quadruple", "auto"] | Count = Field("double", description="built so far: double")
    absolute: Annotated[Real, AfterValidator(positive)] = Field(
        Quantity.parse("1e-14"), description="the absolute error allowed in one step, for scipy's methods; stiff problems need it small"
    )
    step: Annotated[Real, AfterValidator(positive)] | None = Field(
        None,
        description="the longest step of euler_maruyama and milstein (default: a tenth of the time between samples); "
        "the time between samples is halved until its parts are no longer, so every step sees the same Brownian path",
    )
    antithetic: bool | None = Field(
        None, description="members come in pairs, the second driven by the mirror image of the first one's Wiener processes"
    )

    def with_tolerance(self, tolerance: float) -> Solver:
        """Return the solver with another tolerance."""
        return self.with_values({"tolerance": tolerance})

    def with_values(self, values: Mapping[str, float]) -> Solver:
        """Return the solver with other numbers."""
        return self.model_copy(update={name: Quantity.parse(value) for name, value in values.items()})


def _read_list(value: Any) -> Any:
    """Accept a single word for a list of one."""
    return [value] if isinstance(value, str) else value


class Section(Settings):
    """A Poincare section."""

    when: Formula = Field(description="the section is where this expression is zero")
    direction: Literal["rising", "falling", "both"] = Field("rising", description="which crossings count")


class Measure(Settings):
    """What is measured along a trajectory."""

    lyapunov: Literal["all", "largest"] | None = Field(None, description="Lyapunov exponents, with standard errors")
    extrema: Annotated[list[Name], BeforeValidator(_read_list, json_schema_input_type=str | list[str])] | None = Field(
        None, description="the local extrema of these states: their range and count, and each of them in events.parquet"
    )
    section: Annotated[Section | None, PLANNED] = Field(None, description="a Poincare section")
    fixed_points: Annotated[bool | None, PLANNED] = Field(None, description="fixed points with their eigenvalues")
    periodic_orbit: Annotated[bool | None, PLANNED] = Field(None, description="the periodic orbit next to the initial state")
    correlation_dimension: Annotated[bool | None, PLANNED] = Field(None, description="the correlation dimension")
    return_times: Annotated[bool | None, PLANNED] = Field(None, description="the times between crossings of the section")
    energy: Annotated[Formula | None, PLANNED] = Field(None, description="a quantity that should be conserved")

    @property
    def asked(self) -> dict[str, Any]:
        """What is asked of each measure, by its name."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


class Certify(Settings):
    """How far in time a trajectory is shown to be the solution."""

    method: Literal["none", "reference", "estimate", "refine"] | None = Field(
        None,
        description="none: no claim is made; reference: against runs in higher precision with exact constants; "
        "estimate: against a second run at a tolerance of 1e-15; refine: against the same Brownian paths with half the step. Default: "
        "where trajectories are kept, reference for up to 100 members of Taylor's method and estimate for more, refine for up to 1,000 "
        "paths of a stochastic method with steps; else none",
    )
    tolerance: Annotated[Real, AfterValidator(positive)] = Field(
        Quantity.parse("1e-3"), description="the difference allowed, relative to each state's range"
    )


def read_certify(value: Any) -> Any:
    """Accept a bare word for the method."""
    return {"method": value} if isinstance(value, str) else value
