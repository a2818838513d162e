"""How a scenario is integrated, measured and certified."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.quantity import Expression, Quantity
from phaseflow.expressions.tree import SWITCHES, TIME, find_operators
from phaseflow.settings.base import Count, Formula, Name, Real, Settings, positive
from phaseflow.settings.systems import System, check_known

# The plugin of `engines/` that has each method.
ENGINES = {
    "taylor": "taylor",
    **dict.fromkeys(("LSODA", "Radau", "BDF", "DOP853", "RK45"), "scipy_ivp"),
    **{method: method for method in ("euler_maruyama", "milstein", "exact")},
}
# The columns of orbits.parquet beside those of the states and of the eigenvalues.
ORBIT_COLUMNS = frozenset({"kind", "number", "period", "residual", "stability", "unit_error"})
STOCHASTIC = frozenset({"euler_maruyama", "milstein", "exact"})
# Methods that take steps of one length, which solver.step says.
STEPPED = frozenset({"euler_maruyama", "milstein"})
# The bits of a significand.
DOUBLE_BITS = 53
QUADRUPLE_BITS = 113

Precision = Literal["double", "quadruple", "auto"]
_ABSOLUTE = Quantity.parse("1e-14")
_Positive = Annotated[Real, AfterValidator(positive)]
PerState = Annotated[
    Annotated[_Positive, Tag("<number>")] | Annotated[dict[Name, _Positive], Tag("<mapping>")],
    Discriminator(lambda value: "<mapping>" if isinstance(value, Mapping) else "<number>"),
]


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
        return Quantity.parse(f"1e-{math.ceil(bits * math.log10(2))}")

    def list_absolute(self, states: Iterable[str]) -> list[float]:
        """Return the absolute error allowed in each state."""
        if not isinstance(self.absolute, Mapping):
            return [self.absolute.value for _ in states]
        return [self.absolute.get(state, _ABSOLUTE).value for state in states]

    def with_tolerance(self, tolerance: float) -> Solver:
        """Return the solver with another tolerance."""
        return self.with_values({"tolerance": tolerance})

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


def _read_list(value: Any) -> Any:
    """Accept a single word for a list of one."""
    return [value] if isinstance(value, str) else value


class Section(Settings):
    """A Poincare section."""

    when: Formula = Field(description="the section is where this expression is zero")
    direction: Literal["rising", "falling", "both"] = Field("rising", description="which crossings count")


class PeriodicOrbit(Settings):
    """A periodic orbit, sought by Newton's method from the state at the start."""

    period: Annotated[Real, AfterValidator(positive)] = Field(
        description="a guess of the period; of a driven system, the period of its drive"
    )
    tolerance: Annotated[Real, AfterValidator(positive)] = Field(
        Quantity.parse("1e-10"), description="by how much the orbit may miss its start after a period, relative to its size"
    )


class CorrelationDimension(Settings):
    """The correlation dimension of the attractor."""

    points: Count = Field(10_000, ge=1_000, le=100_000, description="how many points of the trajectory are compared")


def _read_dimension(value: Any) -> Any:
    """Accept true for the defaults and false for nothing."""
    return ({} if value else None) if isinstance(value, bool) else value


def _read_energy(value: Any) -> Any:
    """Accept a bare expression for one with the name energy."""
    return value if isinstance(value, (bool, Mapping)) else {"energy": value}


Energy = Annotated[
    Annotated[dict[Name, Formula], Tag("<mapping>")] | Annotated[bool, Tag("<true>")],
    Discriminator(lambda value: "<true>" if isinstance(value, bool) else "<mapping>"),
    BeforeValidator(_read_energy, json_schema_input_type=bool | str | dict[str, str]),
]


class Measure(Settings):
    """What is measured along a trajectory."""

    lyapunov: Literal["all", "largest"] | None = Field(None, description="Lyapunov exponents, with standard errors")
    extrema: Annotated[list[Name], BeforeValidator(_read_list, json_schema_input_type=str | list[str])] | None = Field(
        None, description="the local extrema of these states: their range and count, and each of them in events.parquet"
    )
    section: Section | None = Field(None, description="a Poincare section: how often it is crossed, and each crossing in events.parquet")
    fixed_points: bool | None = Field(
        None, description="the fixed points that Newton's method finds from the trajectory and a box around it, in orbits.parquet"
    )
    periodic_orbit: PeriodicOrbit | None = Field(None, description="the periodic orbit next to the initial state, in orbits.parquet")
    correlation_dimension: Annotated[
        CorrelationDimension | None, BeforeValidator(_read_dimension, json_schema_input_type=bool | CorrelationDimension)
    ] = Field(None, description="the correlation dimension of the attractor, with a standard error; true means the defaults")
    return_times: bool | None = Field(None, description="the times between crossings of the section, with the standard error of their mean")
    energy: Energy | None = Field(
        None,
        description="by how much quantities drift that should be conserved: an expression, expressions by name, or true: those "
        "that the system states as its invariants",
    )

    @property
    def asked(self) -> dict[str, Any]:
        """What is asked of each measure, by its name."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) not in (None, False)}

    @property
    def conserved(self) -> dict[str, Expression]:
        """What should be conserved, by name."""
        return dict(self.energy) if isinstance(self.energy, dict) else {}

    def complete(self, system: System) -> Measure:
        """Return the measure with what the system states to be conserved, where that is asked for."""
        stated = system.invariants.conserved if system.invariants else {}
        return self.model_copy(update={"energy": dict(stated)}) if self.energy is True and stated else self

    def check(self, path: KeyPath, system: System) -> list[Mistake]:
        """Check that what is measured suits the system."""
        mistakes = check_known((*path, "extrema"), dict.fromkeys(self.extrema or []), set(system.equations), "state")
        if self.section:
            mistakes += _check_formula((*path, "section", "when"), self.section.when, system)
        elif self.return_times:
            mistakes.append(Mistake((*path, "return_times"), "return times are those to a section: say section: {when: ...} too"))
        if self.energy and not self.conserved:
            mistakes.append(Mistake((*path, "energy"), "the system does not state what it conserves: give an expression, or some by name"))
        for name, formula in self.conserved.items():
            mistakes += _check_formula((*path, "energy", name), formula, system)
        if self.fixed_points and any(TIME in formula.names for formula in system.equations.values()):
            mistakes.append(Mistake((*path, "fixed_points"), "a system that depends on t has no fixed points"))
        taken = sorted(set(system.equations) & ORBIT_COLUMNS)
        for name in ("fixed_points", "periodic_orbit"):
            if getattr(self, name) and taken:
                text = f"{taken[0]!r} is a column of orbits.parquet: give the state another name"
                mistakes.append(Mistake((*path, name), text))
        return mistakes


def _check_formula(path: KeyPath, formula: Expression, system: System) -> list[Mistake]:
    """Check an expression that is followed along trajectories: its names are known, it varies, and smoothly."""
    known = set(system.equations) | set(system.parameters)
    unknown = sorted(formula.names - known - {TIME})
    mistakes = [Mistake(path, f"{formula.text!r} needs {name!r}, which is not known{suggest(name, known)}") for name in unknown]
    if not unknown and not formula.names & {*system.equations, TIME}:
        mistakes.append(Mistake(path, f"{formula.text!r} has no state in it and never changes"))
    if switches := sorted(find_operators(formula.tree) & SWITCHES):
        mistakes.append(Mistake(path, f"{formula.text!r} has {', '.join(switches)}: a quantity with corners cannot be followed"))
    return mistakes


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
