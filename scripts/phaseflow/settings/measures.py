"""What is measured along the trajectories of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.quantity import Expression, Quantity
from phaseflow.expressions.tree import SWITCHES, TIME, find_operators
from phaseflow.settings.base import Count, Formula, Name, Real, Settings, positive
from phaseflow.settings.systems import System, check_known

# The columns of orbits.parquet beside those of the states and of the eigenvalues.
ORBIT_COLUMNS = frozenset({"kind", "number", "period", "residual", "stability", "unit_error"})


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

    lyapunov: Literal["all", "largest"] | None = Field(
        None,
        description="Lyapunov exponents with standard errors: averages, or of the stable fixed point or cycle that a member has settled on",
    )
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

    def list_columns(self, dimension: int) -> list[str]:
        """Return the columns of members.parquet that the measures of a system of a dimension fill."""
        columns: list[str] = []
        if self.lyapunov is not None:
            count = 1 if self.lyapunov == "largest" else dimension
            columns += [f"lyapunov_{place + 1}{end}" for place in range(count) for end in ("", "_se")]
            columns += ["lyapunov_from"]
            columns += ["trace_error", "kaplan_yorke", "kaplan_yorke_se"] if self.lyapunov == "all" else []
        columns += [f"{s}_{kind}{end}" for s in self.extrema or [] for kind in ("max", "min") for end in ("", "_count")]
        columns += ["fixed_points", "fixed_points_stable", "fixed_points_singular"] if self.fixed_points else []
        columns += ["section_count"] if self.section else []
        columns += [f"return_time_{name}" for name in ("mean", "se", "min", "max")] if self.return_times else []
        columns += [f"{name}_drift" for name in self.conserved]
        columns += [f"correlation_dimension{end}" for end in ("", "_se", "_status")] if self.correlation_dimension else []
        orbit = ["period", "residual", "unit_error", "multiplier", "stability", "status"] if self.periodic_orbit else []
        return columns + [f"orbit_{name}" for name in orbit]

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
