"""Whether a scenario's parts suit each other and the system: what types cannot say."""

from __future__ import annotations

import math
from collections.abc import Mapping

from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.diffusions import explain_no_commutation, find_closed_form
from phaseflow.settings.methods import STEPPED, STOCHASTIC, TAYLOR
from phaseflow.settings.scenarios import LEAST_ESTIMATED, Scenario, choose_method
from phaseflow.settings.sweeps import Range, check_axis, check_size, count_values, expand_axis
from phaseflow.settings.systems import System, check_known

_SOLVER_BOUNDS = {
    "solver.tolerance": (1e-16, 0.1, "between 1e-16 and 0.1 in double precision"),
    "solver.step": (math.nextafter(0, 1), math.inf, "greater than 0"),
}


def check_scenario(scenario: Scenario, path: KeyPath, systems: Mapping[str, System], known: set[str]) -> list[Mistake]:
    """Check what the types cannot say: names, spans and sizes. `known` also has systems with mistakes of their own."""
    mistakes = _check_span(scenario, path)
    if isinstance(scenario.system, str) and scenario.system not in systems:
        if scenario.system not in known:
            text = f"there is no system {scenario.system!r}{suggest(scenario.system, systems)}"
            mistakes.append(Mistake((*path, "system"), text))
        return mistakes
    system = systems[scenario.system] if isinstance(scenario.system, str) else scenario.system
    if not isinstance(scenario.system, str):
        mistakes += system.check((*path, "system"))
    resized = system.resize(scenario.parameters)
    if system.index and (unfit := mistakes or _check_sizes(scenario, (*path, "parameters"), resized)):
        return unfit
    return mistakes + _check_names(scenario, path, resized, resized.expand())


def _check_sizes(scenario: Scenario, path: KeyPath, system: System) -> list[Mistake]:
    """Check that the system is sound with the scenario's own number of states."""
    given = [name for name in system.sizes if name in scenario.parameters]
    return [Mistake((*path, name), f"with {name} = {scenario.parameters[name].text}: {m}") for name in given for m in system.check(())]


def _check_names(scenario: Scenario, path: KeyPath, indexed: System, system: System) -> list[Mistake]:
    """Check what is overridden, perturbed and swept; `system` is `indexed` with its index written out."""
    states, parameters = set(system.equations), set(system.parameters)
    mistakes = check_known((*path, "parameters"), dict(scenario.parameters), set(indexed.parameters), "parameter")
    mistakes += check_known((*path, "initial"), dict(scenario.initial), states | set(indexed.equations), "state")
    if scenario.ensemble is not None:
        mistakes += check_known((*path, "ensemble", "perturb"), dict(scenario.ensemble.perturb), states | set(indexed.equations), "state")
    if isinstance(scenario.solver.absolute, Mapping):
        mistakes += check_known((*path, "solver", "absolute"), scenario.solver.absolute, states, "state")
    mistakes += _check_method(scenario, path, system) + _check_continuation(scenario, (*path, "continuation"), parameters)
    allowed = parameters | {f"initial.{state}" for state in states} | _list_solver_axes(scenario, system)
    return mistakes + _check_sweep(scenario, (*path, "sweep"), allowed, indexed.sizes)


def _list_solver_axes(scenario: Scenario, system: System) -> set[str]:
    """Return the numbers of the solver that the method has."""
    method = scenario.solver.method or choose_method(system)
    return {"solver.step"} if method in STEPPED else set() if method in STOCHASTIC else {"solver.tolerance"}


def _check_span(scenario: Scenario, path: KeyPath) -> list[Mistake]:
    mistakes = []
    if not scenario.time.stop.value > scenario.time.start.value:
        text = f"{scenario.time.stop.text} must be later than the start, {scenario.time.start.text}"
        mistakes.append(Mistake((*path, "time", "stop"), text))
    if scenario.keep == "trajectories" and scenario.time.samples is None:
        mistakes.append(Mistake((*path, "keep"), "trajectories are kept where time.samples says how many times to keep"))
    if not 1e-16 <= scenario.solver.tolerance.value <= 0.1:
        text = f"{scenario.solver.tolerance.text} must be between 1e-16 and 0.1 in double precision"
        mistakes.append(Mistake((*path, "solver", "tolerance"), text))
    return mistakes


def _check_method(scenario: Scenario, path: KeyPath, system: System) -> list[Mistake]:
    """Check that the method and the measures suit the system."""
    method = scenario.solver.method or choose_method(system)
    here = (*path, "solver", "method")
    mistakes = _check_precision(scenario, (*path, "solver"), method)
    mistakes += _check_stochastic(scenario, (*path, "solver"), method, system) if system.noise else []
    if scenario.solver.step is not None and method not in STOCHASTIC:
        text = f"{method!r} chooses its own steps: a step is for euler_maruyama and milstein"
        mistakes.append(Mistake((*path, "solver", "step"), text))
    if (method in STOCHASTIC) != bool(system.noise):
        kind = "has noise and needs a stochastic method" if system.noise else "has no noise and needs a deterministic method"
        mistakes.append(Mistake(here, f"{method!r} does not suit the system, which {kind}"))
    if scenario.measure is not None and method != "taylor" and scenario.measure.asked:
        mistakes.append(Mistake((*path, "measure"), f"measures need the method taylor, not {method!r}"))
    mistakes += _check_certificate(scenario, path, method)
    mistakes += _check_pairs(scenario, path, method)
    return mistakes + (scenario.measure.complete(system).check((*path, "measure"), system) if scenario.measure else [])


def _check_precision(scenario: Scenario, path: KeyPath, method: str) -> list[Mistake]:
    """Check what goes with more digits than a double has."""
    if scenario.solver.precision == "double":
        return []
    here = (*path, "precision")
    swept = any(name == "solver.tolerance" for block in scenario.sweep or [] for name in block)
    checks = {
        f"more than double precision needs the method taylor, not {method!r}": method != "taylor",
        "the tolerance follows from the precision: leave solver.tolerance out": "tolerance" in scenario.solver.model_fields_set or swept,
        "measures are computed in double precision: ask for them in a scenario of its own": bool(
            scenario.measure and scenario.measure.asked
        ),
        "an estimate compares with a run in double precision: use reference": scenario.certify.method == "estimate",
    }
    return [Mistake(here, text) for text, is_wrong in checks.items() if is_wrong]


def _check_stochastic(scenario: Scenario, path: KeyPath, method: str, system: System) -> list[Mistake]:
    """Check what a stochastic method wants of the noise."""
    mistakes = []
    if method == "milstein" and (reason := explain_no_commutation(system)):
        text = f"'milstein' needs noise that commutes, and this does not ({reason}): use euler_maruyama"
        mistakes.append(Mistake((*path, "method"), text))
    if scenario.solver.method == "exact":
        try:
            find_closed_form(system)
        except ValueError as error:
            mistakes.append(Mistake((*path, "method"), f"'exact' cannot be used: {error}"))
    if method == "exact" and scenario.solver.step is not None:
        chosen = "" if scenario.solver.method else ", the default for this system"
        text = f"the method exact{chosen}, takes no steps: leave it out, or use euler_maruyama or milstein"
        mistakes.append(Mistake((*path, "step"), text))
    return mistakes


def _check_certificate(scenario: Scenario, path: KeyPath, method: str) -> list[Mistake]:
    here, certificate = (*path, "certify"), scenario.certify.method
    if certificate == "refine":
        text = f"refine halves the step of a stochastic method; {method!r} has none that could be halved"
        return [] if method in STEPPED else [Mistake(here, text)]
    if certificate not in (None, "none") and method not in TAYLOR:
        return [Mistake(here, f"a certificate needs the method taylor or taylor_map, not {method!r}")]
    if certificate not in (None, "none") and method == "taylor_map" and not scenario.keeps_trajectories:
        return [Mistake(here, "'taylor_map' goes from sample to sample, and only these are certified: say time.samples, or use taylor")]
    if certificate == "estimate" and scenario.find_least_tolerance() < LEAST_ESTIMATED:
        text = f"an estimate needs a solver.tolerance of {LEAST_ESTIMATED:g} or more, so that its own runs are better: use reference"
        return [Mistake(here, text)]
    return []


def _check_pairs(scenario: Scenario, path: KeyPath, method: str) -> list[Mistake]:
    """Check that antithetic members come in pairs."""
    if not scenario.solver.antithetic:
        return []
    if method not in STOCHASTIC:
        return [Mistake((*path, "solver", "antithetic"), f"{method!r} has no random paths that could be mirrored")]
    members = scenario.ensemble.members if scenario.ensemble else 1
    text = f"{members} must be even: antithetic members come in pairs"
    return [Mistake((*path, "ensemble", "members"), text)] if members % 2 else []


def _check_sweep(scenario: Scenario, path: KeyPath, allowed: set[str] | frozenset[str], sizes: frozenset[str]) -> list[Mistake]:
    mistakes = []
    replicates = scenario.ensemble.members if scenario.ensemble else 1
    for place, block in enumerate(scenario.sweep or []):
        for name, values in block.items():
            here = (*path, name) if len(scenario.sweep or []) == 1 else (*path, place, name)
            if name in sizes:
                text = f"{name!r} says how many states there are, so it cannot be swept: every value wants a scenario of its own"
                mistakes.append(Mistake(here, text))
            elif name not in allowed:
                mistakes.append(Mistake(here, f"{name!r} cannot be swept{suggest(name, allowed)}"))
            else:
                mistakes += check_axis(here, values, "number") or _check_bounds(here, name, values)
    grids = [[*(count_values(values, "number") for values in block.values()), replicates] for block in scenario.sweep or [{}]]
    return mistakes + check_size(path if scenario.sweep else (*path[:-1], "ensemble", "members"), grids)


def _check_continuation(scenario: Scenario, path: KeyPath, parameters: set[str]) -> list[Mistake]:
    """Check that members are continued along a parameter that every sweep has."""
    name = scenario.continuation
    if name is None or (name in parameters and all(name in block for block in scenario.sweep or [{}])):
        return []
    swept = {axis for block in scenario.sweep or [] for axis in block} & parameters
    return [Mistake(path, f"{name!r} is not a parameter that every sweep of the scenario has{suggest(name, swept)}")]


def _check_bounds(path: KeyPath, name: str, values: Range | list[Quantity | str]) -> list[Mistake]:
    """Check that swept numbers of the solver are such as it may have."""
    low, high, wanted = _SOLVER_BOUNDS.get(name, (-math.inf, math.inf, ""))
    numbers = expand_axis(name, values, "number").values
    wrong = numbers[~((numbers >= low) & (numbers <= high))]
    return [Mistake(path, f"{float(wrong[0])!r} must be {wanted}")] if len(wrong) else []
