"""`simulate`: what is integrated, from where, for how long, and how well."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.base import Count, Name, Real, Settings, State, not_negative, positive
from phaseflow.settings.costs import Work
from phaseflow.settings.diffusions import has_closed_form
from phaseflow.settings.measures import Measure
from phaseflow.settings.methods import STEPPED, TAYLOR, Certify, Solver, choose_engine, list_averages, read_certify
from phaseflow.settings.sweeps import Sweep, count_values, expand_axis
from phaseflow.settings.systems import System
from phaseflow.sweeps import Axis, Identity, Members, plan_members

# Swept numbers of the solver: they say how to compute, so they enter a member's id and not its random stream.
SOLVER_AXES = frozenset({"solver.tolerance", "solver.step"})
_MOST_REFERENCED = 100
_MOST_REFINED = 1_000
# How many steps there are between two samples, at least, where the config does not say.
_STEPS = 10
# The tolerances of an estimate's own runs are 1e-14 and 1e-15.
LEAST_ESTIMATED = 1e-13
_ZERO = Quantity.parse(0)


class Time(Settings):
    """The span of time, and where it is sampled."""

    start: Real = Field(_ZERO, description="the time at which the initial state holds")
    stop: Real = Field(description="the last time")
    samples: Annotated[Count | None, Field(ge=2, le=10_000_000)] = Field(
        None, description="how many times are kept, evenly spaced (numpy.linspace, both ends included)"
    )
    transient: Annotated[Real, AfterValidator(not_negative)] = Field(
        _ZERO, description="how long is integrated before the start and thrown away"
    )


class Ensemble(Settings):
    """Several members that differ by chance."""

    members: Count = Field(ge=1, description="how many members there are of each swept value")
    perturb: dict[State, Annotated[Real, AfterValidator(positive)]] = Field(
        {}, description="the standard deviation of a normal perturbation of each state's initial value"
    )


class Scenario(Settings):
    """One question to a system: a trajectory, an ensemble, or a sweep of them."""

    system: Name | System = Field(description="the name of a system of `systems` or of the catalogue")
    parameters: dict[Name, Real] = Field({}, description="values that override the system's")
    initial: dict[State, Real] = Field({}, description="initial values that override the system's; also of x_3 alone, where x has an index")
    time: Time = Field(description="the span of time")
    ensemble: Ensemble | None = Field(None, description="several members that differ by chance")
    solver: Solver = Field(Solver(), description="the method of integration")
    sweep: Sweep | None = Field(
        None,
        description="values of parameters, of `initial.<state>`, of `solver.tolerance` or of `solver.step`: axes multiply, "
        "a list of sweeps adds up",
    )
    continuation: Name | None = Field(
        None,
        description="a swept parameter along whose values, in the order of the list, each member starts where the one before ended; "
        "one sweep upwards and one downwards show hysteresis (default: every member starts from the initial state)",
    )
    measure: Measure | None = Field(None, description="what is measured along each trajectory")
    keep: Literal["trajectories", "none"] | None = Field(
        None, description="what is stored: trajectories (the default where samples are asked for) or none"
    )
    certify: Annotated[Certify, BeforeValidator(read_certify, json_schema_input_type=str | Certify)] = Field(
        Certify(), description="how the reliable time is found; a bare word is the method"
    )
    on_failure: Literal["keep", "stop"] = Field("keep", description="keep: a failed member is a row with a status; stop: the run fails")
    chunk: Annotated[Count | None, Field(ge=1, le=10_000_000)] = Field(
        None, description="about how many members a job has (default: computed from the config); no result depends on it"
    )

    @property
    def kind(self) -> str:
        """The kind of question."""
        return "trajectories"

    @property
    def keeps_trajectories(self) -> bool:
        """Whether trajectories are stored."""
        return self.time.samples is not None and self.keep != "none"

    @property
    def is_random(self) -> bool:
        """Whether the result depends on the seed."""
        return bool(self.definition.noise) or (self.ensemble is not None and bool(self.ensemble.perturb))

    def resolve(self, systems: Mapping[str, System]) -> Scenario:
        """Return the scenario with its system written out, index and all, overrides applied and defaults filled in.

        Raises
        ------
        KeyError : an unknown system.
        """
        indexed = (systems[self.system] if isinstance(self.system, str) else self.system).resize(self.parameters)
        system, given = indexed.expand(), indexed.spread(self.initial)
        initial = {state: given.get(state, system.initial[state]) for state in system.equations}
        parameters = {name: self.parameters.get(name, value) for name, value in sorted(system.parameters.items())}
        stated = system.strip().model_copy(update={"parameters": parameters, "initial": initial})
        method = self.solver.method or choose_method(system)
        step, tolerance = self.solver.step or self._choose_step(method), self.solver.find_tolerance()
        solver = self.solver.model_copy(update={"method": method, "step": step, "tolerance": tolerance})
        keep: Literal["trajectories", "none"] = "trajectories" if self.keeps_trajectories else "none"
        certify = self.certify.model_copy(update={"method": self.certify.method or self._choose_certificate(method, keep)})
        ensemble = self.ensemble and self.ensemble.model_copy(update={"perturb": indexed.spread(self.ensemble.perturb)})
        stated_here: dict[str, Any] = {"system": stated, "parameters": {}, "initial": {}, "ensemble": ensemble}
        stated_here["measure"] = self.measure and self.measure.complete(system)
        stated_here |= {"solver": solver, "keep": keep, "certify": certify}
        return self.model_copy(update=stated_here)

    def _choose_step(self, method: str) -> Quantity | None:
        gaps = (self.time.samples or 2) - 1
        return Quantity.parse((self.time.stop.value - self.time.start.value) / gaps / _STEPS) if method in STEPPED else None

    def _choose_certificate(self, method: str, keep: str) -> Literal["none", "reference", "estimate", "refine"]:
        if method not in {*TAYLOR, *STEPPED} or keep == "none":
            return "none"
        if self.solver.precision != "double":
            return "reference"
        blocks = [math.prod(count_values(values, "number") for values in block.values()) for block in self.sweep or [{}]]
        n_members = sum(blocks) * (self.ensemble.members if self.ensemble else 1)
        if method in STEPPED:
            return "refine" if n_members <= _MOST_REFINED else "none"
        is_small = n_members <= _MOST_REFERENCED or self.find_least_tolerance() < LEAST_ESTIMATED
        return "reference" if is_small else "estimate"

    def list_measures(self) -> list[str]:
        """Return the columns that the measures and the certificate of a resolved scenario fill."""
        measured = self.measure.list_columns(len(self.definition.equations)) if self.measure else []
        return [*measured, *self._list_evidence()]

    def _list_evidence(self) -> list[str]:
        """Return the columns of numbers that the certificate of a resolved scenario fills."""
        if self.certify.method == "refine":
            return ["step_error"]
        is_averaged = self.certify.method in ("reference", "estimate") and self.solver.precision != "auto"
        return [name for state in self.definition.equations for name in list_averages(state)] if is_averaged else []

    def list_plugins(self) -> list[tuple[str, str]]:
        """Return the plugins that compute a resolved scenario, each by folder and name."""
        measures = [("measures", name) for name in self.measure.asked] if self.measure else []
        method = self.certify.method
        certificates = [("certificates", method)] if method and method != "none" else []
        return [("engines", choose_engine(self.solver)), *measures, *certificates]

    @property
    def work(self) -> Work:
        """What there is to do for one member of a resolved scenario."""
        span = self.time.stop.value - self.time.start.value + self.time.transient.value
        rows = (self.time.samples or 1) if self.keeps_trajectories else 1
        method, certificate = self.solver.method or "taylor", self.certify.method or "none"
        return Work(len(self.definition.equations), span, rows, method, certificate, self.measure is not None)

    @property
    def definition(self) -> System:
        """The system of a resolved scenario.

        Raises
        ------
        TypeError : the scenario is not resolved.
        """
        if isinstance(self.system, str):
            raise TypeError(f"the system {self.system!r} is not written out: resolve the scenario first")
        return self.system

    def list_chunk_settings(self) -> dict[str, Any]:
        """Return what a chunk's content depends on besides its members' ids, which stand for their values."""
        settings = self.model_dump(mode="json", exclude_none=True, exclude={"sweep": True, "chunk": True, "ensemble": {"members"}})
        nominal = ("parameters", "initial") if self.solver.method == "taylor_map" else ()
        settings["system"] = {key: settings["system"].get(key) for key in ("equations", "noise", *nominal)}
        return settings

    def identify(self) -> Identity:
        """Return what the members of a resolved scenario are made of."""
        system = self.definition
        values: dict[str, float | int | str] = {name: quantity.value for name, quantity in system.parameters.items()}
        values |= {f"initial.{state}": quantity.value for state, quantity in system.initial.items()}
        values["replicate"] = 0
        paired = frozenset({"replicate"} if self.solver.antithetic else ())
        aside = SOLVER_AXES & {name for block in self.sweep or [] for name in block}
        values |= {name: getattr(self.solver, name.removeprefix("solver.")).value for name in aside}
        return Identity(system.define(), values, frozenset(aside), paired, self.continuation)

    def expand_blocks(self) -> list[list[Axis]]:
        """Return the axes of each block of the sweep, with the ensemble's replicates as the fastest."""
        blocks = [[expand_axis(name, values, "number") for name, values in block.items()] for block in self.sweep or [{}]]
        if self.ensemble is not None:
            replicates = expand_axis("replicate", [Quantity.parse(self.ensemble.members)], "count")
            blocks = [[*block, replicates] for block in blocks]
        return blocks

    def lay_out(self) -> Members:
        """Return the members of a resolved scenario."""
        blocks = self.expand_blocks()
        sizes = [math.prod(len(axis.values) for axis in axes) for axes in blocks]
        return plan_members(self.identify(), blocks, [self.chunk or self.work.size_chunk(size) for size in sizes])

    def find_least_tolerance(self) -> float:
        """Return the least tolerance of a member."""
        swept = [values for block in self.sweep or [] for name, values in block.items() if name == "solver.tolerance"]
        axes = [expand_axis("solver.tolerance", values, "number").values.min() for values in swept]
        return float(min([self.solver.tolerance.value, *axes]))


def choose_method(system: System) -> str:
    """Return the default method: for noise the exact one where there is one."""
    if not system.noise:
        return "taylor"
    return "exact" if has_closed_form(system) else "euler_maruyama"
