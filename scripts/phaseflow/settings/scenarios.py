"""`simulate`: what is integrated, from where, for how long, and how well."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.base import Count, Name, Real, Settings, State, not_negative, positive
from phaseflow.settings.diffusions import explain_no_commutation, find_closed_form, has_closed_form
from phaseflow.settings.methods import STEPPED, STOCHASTIC, Certify, Measure, Solver, choose_engine, read_certify
from phaseflow.settings.sweeps import Range, Sweep, check_axis, check_size, count_values, expand_axis
from phaseflow.settings.systems import System, check_known
from phaseflow.sweeps import Axis, Identity, Members, plan_members

# Swept numbers of the solver: they say how to compute, so they enter a member's id and not its random stream.
SOLVER_AXES = frozenset({"solver.tolerance", "solver.step"})
_SOLVER_BOUNDS = {
    "solver.tolerance": (1e-16, 0.1, "between 1e-16 and 0.1 in double precision"),
    "solver.step": (math.nextafter(0, 1), math.inf, "greater than 0"),
}
_CHUNK_ROWS = 2_000_000
_LARGEST_CHUNK = 5_000
_MEASURED_CHUNK = 200
_REFERENCED_CHUNK = 25
_MOST_REFERENCED = 100
_MOST_REFINED = 1_000
# How many steps there are between two samples, at least, where the config does not say.
_STEPS = 10
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
        method = self.solver.method or _choose_method(system)
        step, tolerance = self.solver.step or self._choose_step(method), self.solver.find_tolerance()
        solver = self.solver.model_copy(update={"method": method, "step": step, "tolerance": tolerance})
        keep: Literal["trajectories", "none"] = "trajectories" if self.keeps_trajectories else "none"
        certify = self.certify.model_copy(update={"method": self.certify.method or self._choose_certificate(method, keep)})
        ensemble = self.ensemble and self.ensemble.model_copy(update={"perturb": indexed.spread(self.ensemble.perturb)})
        stated_here: dict[str, Any] = {"system": stated, "parameters": {}, "initial": {}, "ensemble": ensemble}
        stated_here["measure"] = self.measure and self.measure.complete(system)
        stated_here |= {"solver": solver, "keep": keep, "certify": certify}
        resolved = self.model_copy(update=stated_here)
        return resolved.model_copy(update={"chunk": self.chunk or resolved._size_chunk(len(initial))})

    def _choose_step(self, method: str) -> Quantity | None:
        gaps = (self.time.samples or 2) - 1
        return Quantity.parse((self.time.stop.value - self.time.start.value) / gaps / _STEPS) if method in STEPPED else None

    def _choose_certificate(self, method: str, keep: str) -> Literal["none", "reference", "estimate", "refine"]:
        if method not in {"taylor", *STEPPED} or keep == "none":
            return "none"
        if self.solver.precision != "double":
            return "reference"
        blocks = [math.prod(count_values(values, "number") for values in block.values()) for block in self.sweep or [{}]]
        n_members = sum(blocks) * (self.ensemble.members if self.ensemble else 1)
        if method in STEPPED:
            return "refine" if n_members <= _MOST_REFINED else "none"
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
        columns += [f"orbit_{name}" for name in orbit]
        return columns + (["step_error"] if self.certify.method == "refine" else [])

    def list_plugins(self) -> list[tuple[str, str]]:
        """Return the plugins that compute a resolved scenario, each by folder and name."""
        measures = [("measures", name) for name in self.measure.asked] if self.measure else []
        method = self.certify.method
        certificates = [("certificates", method)] if method and method != "none" else []
        return [("engines", choose_engine(self.solver)), *measures, *certificates]

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
        values |= {name: getattr(self.solver, name.removeprefix("solver.")).value for name in aside}
        return Identity(system.define(), values, frozenset(aside), frozenset({"replicate"} if self.solver.antithetic else ()))

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
        resized = system.resize(self.parameters)
        if system.index and (unfit := mistakes or self._check_sizes((*path, "parameters"), resized)):
            return unfit
        return mistakes + self._check_names(path, resized, resized.expand())

    def _check_sizes(self, path: KeyPath, system: System) -> list[Mistake]:
        """Check that the system is sound with the scenario's own number of states."""
        given = [name for name in system.sizes if name in self.parameters]
        return [Mistake((*path, name), f"with {name} = {self.parameters[name].text}: {m}") for name in given for m in system.check(())]

    def _check_names(self, path: KeyPath, indexed: System, system: System) -> list[Mistake]:
        """Check what is overridden, perturbed and swept; `system` is `indexed` with its index written out."""
        states, parameters = set(system.equations), set(system.parameters)
        mistakes = check_known((*path, "parameters"), dict(self.parameters), set(indexed.parameters), "parameter")
        mistakes += check_known((*path, "initial"), dict(self.initial), states | set(indexed.equations), "state")
        if self.ensemble is not None:
            mistakes += check_known((*path, "ensemble", "perturb"), dict(self.ensemble.perturb), states | set(indexed.equations), "state")
        if isinstance(self.solver.absolute, Mapping):
            mistakes += check_known((*path, "solver", "absolute"), self.solver.absolute, states, "state")
        mistakes += self._check_method(path, system)
        allowed = parameters | {f"initial.{state}" for state in states} | self._list_solver_axes(system)
        return mistakes + self._check_sweep((*path, "sweep"), allowed, indexed.sizes)

    def _list_solver_axes(self, system: System) -> set[str]:
        """Return the numbers of the solver that the method has."""
        method = self.solver.method or _choose_method(system)
        return {"solver.step"} if method in STEPPED else set() if method in STOCHASTIC else {"solver.tolerance"}

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
        return mistakes

    def _check_method(self, path: KeyPath, system: System) -> list[Mistake]:
        """Check that the method and the measures suit the system."""
        method = self.solver.method or _choose_method(system)
        here = (*path, "solver", "method")
        mistakes = self._check_precision((*path, "solver"), method)
        mistakes += self._check_stochastic((*path, "solver"), method, system) if system.noise else []
        if self.solver.step is not None and method not in STOCHASTIC:
            text = f"{method!r} chooses its own steps: a step is for euler_maruyama and milstein"
            mistakes.append(Mistake((*path, "solver", "step"), text))
        if (method in STOCHASTIC) != bool(system.noise):
            kind = "has noise and needs a stochastic method" if system.noise else "has no noise and needs a deterministic method"
            mistakes.append(Mistake(here, f"{method!r} does not suit the system, which {kind}"))
        if self.measure is not None and method != "taylor" and self.measure.asked:
            mistakes.append(Mistake((*path, "measure"), f"measures need the method taylor, not {method!r}"))
        mistakes += self._check_certificate(path, method)
        mistakes += self._check_pairs(path, method)
        return mistakes + (self.measure.complete(system).check((*path, "measure"), system) if self.measure else [])

    def _check_precision(self, path: KeyPath, method: str) -> list[Mistake]:
        """Check what goes with more digits than a double has."""
        if self.solver.precision == "double":
            return []
        here = (*path, "precision")
        swept = any(name == "solver.tolerance" for block in self.sweep or [] for name in block)
        checks = {
            f"more than double precision needs the method taylor, not {method!r}": method != "taylor",
            "the tolerance follows from the precision: leave solver.tolerance out": "tolerance" in self.solver.model_fields_set or swept,
            "measures are computed in double precision: ask for them in a scenario of its own": bool(self.measure and self.measure.asked),
            "an estimate compares with a run in double precision: use reference": self.certify.method == "estimate",
        }
        return [Mistake(here, text) for text, is_wrong in checks.items() if is_wrong]

    def _check_stochastic(self, path: KeyPath, method: str, system: System) -> list[Mistake]:
        """Check what a stochastic method wants of the noise."""
        mistakes = []
        if method == "milstein" and (reason := explain_no_commutation(system)):
            text = f"'milstein' needs noise that commutes, and this does not ({reason}): use euler_maruyama"
            mistakes.append(Mistake((*path, "method"), text))
        if self.solver.method == "exact":
            try:
                find_closed_form(system)
            except ValueError as error:
                mistakes.append(Mistake((*path, "method"), f"'exact' cannot be used: {error}"))
        if method == "exact" and self.solver.step is not None:
            chosen = "" if self.solver.method else ", the default for this system"
            text = f"the method exact{chosen}, takes no steps: leave it out, or use euler_maruyama or milstein"
            mistakes.append(Mistake((*path, "step"), text))
        return mistakes

    def _check_certificate(self, path: KeyPath, method: str) -> list[Mistake]:
        here, certificate = (*path, "certify"), self.certify.method
        if certificate == "refine":
            text = f"refine halves the step of a stochastic method; {method!r} has none that could be halved"
            return [] if method in STEPPED else [Mistake(here, text)]
        if certificate not in (None, "none") and method != "taylor":
            return [Mistake(here, f"a certificate needs the method taylor, not {method!r}")]
        if certificate == "estimate" and self._find_least_tolerance() < _LEAST_ESTIMATED:
            text = f"an estimate needs a solver.tolerance of {_LEAST_ESTIMATED:g} or more, so that its second run is better: use reference"
            return [Mistake(here, text)]
        return []

    def _check_pairs(self, path: KeyPath, method: str) -> list[Mistake]:
        """Check that antithetic members come in pairs."""
        if not self.solver.antithetic:
            return []
        if method not in STOCHASTIC:
            return [Mistake((*path, "solver", "antithetic"), f"{method!r} has no random paths that could be mirrored")]
        members = self.ensemble.members if self.ensemble else 1
        text = f"{members} must be even: antithetic members come in pairs"
        return [Mistake((*path, "ensemble", "members"), text)] if members % 2 else []

    def _find_least_tolerance(self) -> float:
        swept = [values for block in self.sweep or [] for name, values in block.items() if name == "solver.tolerance"]
        axes = [expand_axis("solver.tolerance", values, "number").values.min() for values in swept]
        return float(min([self.solver.tolerance.value, *axes]))

    def _check_sweep(self, path: KeyPath, allowed: set[str] | frozenset[str], sizes: frozenset[str]) -> list[Mistake]:
        mistakes = []
        replicates = self.ensemble.members if self.ensemble else 1
        for place, block in enumerate(self.sweep or []):
            for name, values in block.items():
                here = (*path, name) if len(self.sweep or []) == 1 else (*path, place, name)
                if name in sizes:
                    text = f"{name!r} says how many states there are, so it cannot be swept: every value wants a scenario of its own"
                    mistakes.append(Mistake(here, text))
                elif name not in allowed:
                    mistakes.append(Mistake(here, f"{name!r} cannot be swept{suggest(name, allowed)}"))
                else:
                    mistakes += check_axis(here, values, "number") or _check_bounds(here, name, values)
            mistakes += check_size(path, [*(count_values(values, "number") for values in block.values()), replicates])
        return mistakes


def _check_bounds(path: KeyPath, name: str, values: Range | list[Quantity | str]) -> list[Mistake]:
    """Check that swept numbers of the solver are such as it may have."""
    low, high, wanted = _SOLVER_BOUNDS.get(name, (-math.inf, math.inf, ""))
    numbers = expand_axis(name, values, "number").values
    wrong = numbers[~((numbers >= low) & (numbers <= high))]
    return [Mistake(path, f"{float(wrong[0])!r} must be {wanted}")] if len(wrong) else []


def _choose_method(system: System) -> str:
    """Return the default method: for noise the exact one where there is one."""
    if not system.noise:
        return "taylor"
    return "exact" if has_closed_form(system) else "euler_maruyama"
