"""`simulate`: what is integrated, from where, for how long, and how well."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.base import Count, Name, Real, Settings, not_negative, positive
from phaseflow.settings.methods import ENGINES, STOCHASTIC, Certify, Measure, Solver, read_certify
from phaseflow.settings.sweeps import Sweep, check_axis, check_size, count_values, expand_axis
from phaseflow.settings.systems import System, check_known
from phaseflow.sweeps import Axis, Identity, Members, plan_members

SOLVER_AXES = frozenset({"solver.tolerance"})
_CHUNK_ROWS = 2_000_000
_LARGEST_CHUNK = 5_000
_MEASURED_CHUNK = 200
_REFERENCED_CHUNK = 25
_MOST_REFERENCED = 100
# The tolerance of an estimate's second run is 1e-15.
_LEAST_ESTIMATED = 1e-13
_ZERO = Quantity.parse(0)


class Time(Settings):
    """The span of time, and where it is sampled."""

    start: Real = Field(_ZERO, description="the time at which the initial state holds")
    stop: Real = Field(description="the last time")
    samples: Annotated[Count | None, Field(ge=2)] = Field(
        None, description="how many times are kept, evenly spaced (numpy.linspace, both ends included)"
    )
    transient: Annotated[Real, AfterValidator(not_negative)] = Field(
        _ZERO, description="how long is integrated before the start and thrown away"
    )


class Ensemble(Settings):
    """Several members that differ by chance."""

    members: Count = Field(ge=1, description="how many members there are of each swept value")
    perturb: dict[Name, Annotated[Real, AfterValidator(positive)]] = Field(
        {}, description="the standard deviation of a normal perturbation of each state's initial value"
    )


class Scenario(Settings):
    """One question to a system: a trajectory, an ensemble, or a sweep of them."""

    system: Name | System = Field(description="the name of a system of `systems` or of the catalogue")
    parameters: dict[Name, Real] = Field({}, description="values that override the system's")
    initial: dict[Name, Real] = Field({}, description="initial values that override the system's")
    time: Time = Field(description="the span of time")
    ensemble: Ensemble | None = Field(None, description="several members that differ by chance")
    solver: Solver = Field(Solver(), description="the method of integration")
    sweep: Sweep | None = Field(
        None, description="values of parameters, of `initial.<state>` or of `solver.tolerance`: axes multiply, a list of sweeps adds up"
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
        """Return the scenario with its system written out, overrides applied and defaults filled in.

        Raises
        ------
        KeyError : an unknown system.
        """
        system = systems[self.system] if isinstance(self.system, str) else self.system
        initial = {state: self.initial.get(state, system.initial[state]) for state in system.equations}
        parameters = {name: self.parameters.get(name, value) for name, value in sorted(system.parameters.items())}
        stated = system.model_copy(update={"parameters": parameters, "initial": initial, "description": None, "source": None})
        method = self.solver.method or ("euler_maruyama" if system.noise else "taylor")
        solver = self.solver.model_copy(update={"method": method})
        keep: Literal["trajectories", "none"] = "trajectories" if self.keeps_trajectories else "none"
        certify = self.certify.model_copy(update={"method": self.certify.method or self._choose_certificate(method, keep)})
        stated_here = {"system": stated, "parameters": {}, "initial": {}, "solver": solver, "keep": keep, "certify": certify}
        resolved = self.model_copy(update=stated_here)
        return resolved.model_copy(update={"chunk": self.chunk or resolved._size_chunk(len(initial))})

    def _choose_certificate(self, method: str, keep: str) -> Literal["none", "reference", "estimate"]:
        if method != "taylor" or keep == "none":
            return "none"
        blocks = [math.prod(count_values(values, "number") for values in block.values()) for block in self.sweep or [{}]]
        n_members = sum(blocks) * (self.ensemble.members if self.ensemble else 1)
        is_small = n_members <= _MOST_REFERENCED or self._find_least_tolerance() < _LEAST_ESTIMATED
        return "reference" if is_small else "estimate"

    def list_measures(self) -> list[str]:
        """Return the columns that the measures of a resolved scenario fill."""
        measure = self.measure or Measure()
        columns: list[str] = []
        if measure.lyapunov is not None:
            count = 1 if measure.lyapunov == "largest" else len(self.definition.equations)
            columns += [f"lyapunov_{place + 1}{end}" for place in range(count) for end in ("", "_se")]
            columns += ["trace_error", "kaplan_yorke"] if measure.lyapunov == "all" else []
        columns += [f"{s}_{kind}{end}" for s in measure.extrema or [] for kind in ("max", "min") for end in ("", "_count")]
        columns += ["fixed_points", "fixed_points_stable", "fixed_points_singular"] if measure.fixed_points else []
        columns += ["section_count"] if measure.section else []
        columns += [f"return_time_{name}" for name in ("mean", "se", "min", "max")] if measure.return_times else []
        columns += [f"{name}_drift" for name in measure.conserved]
        columns += [f"correlation_dimension{end}" for end in ("", "_se", "_status")] if measure.correlation_dimension else []
        orbit = ["period", "residual", "unit_error", "multiplier", "stability", "status"] if measure.periodic_orbit else []
        return columns + [f"orbit_{name}" for name in orbit]

    def list_plugins(self) -> list[tuple[str, str]]:
        """Return the plugins that compute a resolved scenario, each by folder and name."""
        measures = [("measures", name) for name in self.measure.asked] if self.measure else []
        method = self.certify.method
        certificates = [("certificates", method)] if method and method != "none" else []
        return [("engines", ENGINES[self.solver.method or "taylor"]), *measures, *certificates]

    def _size_chunk(self, dimension: int) -> int:
        """Return a chunk that holds at most two million rows: 16 MB for each state."""
        rows = (self.time.samples or 1) if self.keeps_trajectories else 1
        largest = _REFERENCED_CHUNK if self.certify.method == "reference" else _MEASURED_CHUNK if self.measure else _LARGEST_CHUNK
        return max(1, min(largest, _CHUNK_ROWS // (rows * max(1, dimension // 4))))

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
        settings["system"] = {key: settings["system"].get(key) for key in ("equations", "noise")}
        return settings

    def identify(self) -> Identity:
        """Return what the members of a resolved scenario are made of."""
        system = self.definition
        values: dict[str, float | int | str] = {name: quantity.value for name, quantity in system.parameters.items()}
        values |= {f"initial.{state}": quantity.value for state, quantity in system.initial.items()}
        values["replicate"] = 0
        aside = SOLVER_AXES & {name for block in self.sweep or [] for name in block}
        values |= dict.fromkeys(aside, self.solver.tolerance.value)
        return Identity(system.define(), values, frozenset(aside))

    def expand_blocks(self) -> list[list[Axis]]:
        """Return the axes of each block of the sweep, with the ensemble's replicates as the fastest."""
        blocks = [[expand_axis(name, values, "number") for name, values in block.items()] for block in self.sweep or [{}]]
        if self.ensemble is not None:
            replicates = expand_axis("replicate", [Quantity.parse(self.ensemble.members)], "count")
            blocks = [[*block, replicates] for block in blocks]
        return blocks

    def lay_out(self) -> Members:
        """Return the members of a resolved scenario."""
        return plan_members(self.identify(), self.expand_blocks(), self.chunk or 1)

    def check(self, path: KeyPath, systems: Mapping[str, System], known: set[str]) -> list[Mistake]:
        """Check what the types cannot say: names, spans and sizes. `known` also has systems with mistakes of their own."""
        mistakes = self._check_span(path)
        if isinstance(self.system, str) and self.system not in systems:
            if self.system not in known:
                text = f"there is no system {self.system!r}{suggest(self.system, systems)}"
                mistakes.append(Mistake((*path, "system"), text))
            return mistakes
        system = systems[self.system] if isinstance(self.system, str) else self.system
        if not isinstance(self.system, str):
            mistakes += system.check((*path, "system"))
        states, parameters = set(system.equations), set(system.parameters)
        mistakes += check_known((*path, "parameters"), dict(self.parameters), parameters, "parameter")
        mistakes += check_known((*path, "initial"), dict(self.initial), states, "state")
        if self.ensemble is not None:
            mistakes += check_known((*path, "ensemble", "perturb"), dict(self.ensemble.perturb), states, "state")
        mistakes += self._check_method(path, system)
        return mistakes + self._check_sweep((*path, "sweep"), parameters | {f"initial.{state}" for state in states} | SOLVER_AXES)

    def _check_span(self, path: KeyPath) -> list[Mistake]:
        mistakes = []
        if not self.time.stop.value > self.time.start.value:
            text = f"{self.time.stop.text} must be later than the start, {self.time.start.text}"
            mistakes.append(Mistake((*path, "time", "stop"), text))
        if self.keep == "trajectories" and self.time.samples is None:
            mistakes.append(Mistake((*path, "keep"), "trajectories are kept where time.samples says how many times to keep"))
        if not 1e-16 <= self.solver.tolerance.value <= 0.1:
            text = f"{self.solver.tolerance.text} must be between 1e-16 and 0.1 in double precision"
            mistakes.append(Mistake((*path, "solver", "tolerance"), text))
        built = {("solver", "precision"): "double"}
        for (section, key), only in built.items():
            value = getattr(getattr(self, section), key)
            if value != only:
                mistakes.append(Mistake((*path, section, key), f"{value!r} is not built yet (built so far: {only})"))
        return mistakes

    def _check_method(self, path: KeyPath, system: System) -> list[Mistake]:
        """Check that the method and the measures suit the system."""
        method = self.solver.method or ("euler_maruyama" if system.noise else "taylor")
        here = (*path, "solver", "method")
        if method not in ENGINES:
            return [Mistake(here, f"{method!r} is not built yet (built so far: {', '.join(ENGINES)})")]
        mistakes = []
        if (method in STOCHASTIC) != bool(system.noise):
            kind = "has noise and needs a stochastic method" if system.noise else "has no noise and needs a deterministic method"
            mistakes.append(Mistake(here, f"{method!r} does not suit the system, which {kind}"))
        if self.measure is not None and method != "taylor" and self.measure.asked:
            mistakes.append(Mistake((*path, "measure"), f"measures need the method taylor, not {method!r}"))
        if self.certify.method not in (None, "none") and method != "taylor":
            mistakes.append(Mistake((*path, "certify"), f"a certificate needs the method taylor, not {method!r}"))
        if self.certify.method == "estimate" and self._find_least_tolerance() < _LEAST_ESTIMATED:
            text = f"an estimate needs a solver.tolerance of {_LEAST_ESTIMATED:g} or more, so that its second run is better: use reference"
            mistakes.append(Mistake((*path, "certify"), text))
        return mistakes + (self.measure.check((*path, "measure"), system) if self.measure else [])

    def _find_least_tolerance(self) -> float:
        swept = [values for block in self.sweep or [] for name, values in block.items() if name == "solver.tolerance"]
        axes = [expand_axis("solver.tolerance", values, "number").values.min() for values in swept]
        return float(min([self.solver.tolerance.value, *axes]))

    def _check_sweep(self, path: KeyPath, allowed: set[str] | frozenset[str]) -> list[Mistake]:
        mistakes = []
        replicates = self.ensemble.members if self.ensemble else 1
        for place, block in enumerate(self.sweep or []):
            for name, values in block.items():
                here = (*path, name) if len(self.sweep or []) == 1 else (*path, place, name)
                if name not in allowed:
                    mistakes.append(Mistake(here, f"{name!r} cannot be swept{suggest(name, allowed)}"))
                else:
                    mistakes += check_axis(here, values, "number")
            mistakes += check_size(path, [*(count_values(values, "number") for values in block.values()), replicates])
        return mistakes
