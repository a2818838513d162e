"""A study that finds parameters and initial values of a system from a record."""

from __future__ import annotations

import json
from collections.abc import Mapping

from phaseflow.catalogues import read_algorithms
from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.kinds import AxisKind, Context, StudyKind, list_algorithms
from phaseflow.kinds.minimize import check_bounds
from phaseflow.settings.calibrations import Calibrate
from phaseflow.settings.scenarios import Scenario
from phaseflow.settings.studies import Study
from phaseflow.settings.systems import System, check_known

TIME_COLUMN = "t"


def list_axes(study: Study) -> Mapping[str, AxisKind]:
    """Return what can be swept; trials that differ in algorithm or start alone see the same noise."""
    default = "scipy_ls_trf" if study.calibration.error == "normal" else "scipy_lbfgsb"
    axes = {
        "starts": AxisKind("count", "start", 0, is_aside=True, is_random=True),
        "algorithm": AxisKind("word", "algorithm", default, is_aside=True, allowed=frozenset(read_algorithms())),
    }
    if is_simulated(study):
        axes["noise"] = AxisKind("number", "noise", 0.0, is_random=True)
        axes["replicates"] = AxisKind("count", "replicate", 0, is_random=True)
    return axes


def is_simulated(study: Study) -> bool:
    """Tell whether the record is a simulated one, so that the true values are known."""
    return study.calibration.to.startswith("simulate.")


def define(study: Study) -> str:
    """Return the canonical text of the problem; what the record holds counts by its content."""
    return f"calibrate {json.dumps(study.calibration.model_dump(mode='json', exclude_none=True))}"


def list_evidence(study: Study) -> list[str]:
    """Return the columns of evidence: the error where the truth is known, and the size of the errors of each observed column."""
    return ["error", *(f"sigma_{column}" for column in study.calibration.observe)]


def check(study: Study, path: KeyPath, context: Context) -> list[Mistake]:
    """Check the record, the names, and what the algorithms need."""
    stated, here = study.calibration, (*path, "calibrate")
    section, _, name = stated.to.partition(".")
    mistakes = context.check_table((*here, "to"), stated.to)
    if section not in ("data", "simulate") and not mistakes:
        mistakes.append(Mistake((*here, "to"), f"{stated.to!r} is no record: data.<name> or simulate.<name> is wanted"))
    if section == "simulate":
        mistakes += _check_scenario(here, stated, context.scenarios.get(name))
    elif section == "data":
        mistakes += _check_data(here, stated, context)
    system = _find_system(stated, context)
    if system is not None:
        mistakes += _check_system(here, stated, system)
    if not stated.sought:
        mistakes.append(Mistake(here, "nothing is sought: give parameters, initial or both"))
    mistakes += check_bounds(study, path, {name: estimated.bounds for name, estimated in stated.sought.items()})
    return mistakes + _check_algorithms(study, (*path, "sweep", "algorithm")) + _check_noise(study, path)


def _check_scenario(path: KeyPath, stated: Calibrate, scenario: Scenario | None) -> list[Mistake]:
    if scenario is None:
        return []
    # A study that is written out in full has both, as the scenario says them.
    own = {"system": scenario.definition.model_dump(), "time": TIME_COLUMN}
    given = {"system": stated.system.model_dump() if isinstance(stated.system, System) else stated.system, "time": stated.time}
    mistakes = [
        Mistake((*path, key), f"{stated.to} is a simulated record and says this itself: leave {key!r} out")
        for key, value in given.items()
        if value is not None and value != own[key]
    ]
    wanted = {
        "one trajectory: it has a sweep or an ensemble": scenario.sweep is None and scenario.ensemble is None,
        "a stored trajectory: give it time.samples": scenario.keeps_trajectories,
        "a record that begins at its initial values: it has a transient": scenario.time.transient.value == 0,
    }
    return mistakes + [Mistake((*path, "to"), f"{stated.to} is not {text}") for text, is_met in wanted.items() if not is_met]


def _check_data(path: KeyPath, stated: Calibrate, context: Context) -> list[Mistake]:
    missing = [key for key in ("system", "time") if getattr(stated, key) is None]
    mistakes = [Mistake((*path, key), f"{key!r} is wanted where `to` is a table: it does not say this itself") for key in missing]
    mistakes += context.check_system((*path, "system"), stated.system)
    mistakes += context.check_columns((*path, "observe"), stated.to, list(stated.observe))
    return mistakes + context.check_columns((*path, "time"), stated.to, [stated.time] if stated.time is not None else [])


def _check_system(path: KeyPath, stated: Calibrate, system: System) -> list[Mistake]:
    states = set(system.equations)
    mistakes = check_known((*path, "parameters"), dict(stated.parameters), set(system.parameters), "parameter")
    mistakes += check_known((*path, "initial"), dict(stated.initial), states, "state")
    for column, formula in stated.observe.items():
        hints = {name: suggest(name, states) for name in sorted(formula.names - states)}
        here = (*path, "observe", column)
        mistakes += [Mistake(here, f"{formula.text!r} needs {name!r}, which is not a state{hint}") for name, hint in hints.items()]
    if stated.to.startswith("simulate."):
        mistakes += check_known((*path, "observe"), dict(stated.observe), states, "column")
    if system.noise:
        mistakes.append(Mistake(path, "a system with noise has no one trajectory to compare with the record"))
    return mistakes


def _check_algorithms(study: Study, path: KeyPath) -> list[Mistake]:
    algorithms = read_algorithms()
    used = [name for name in list_algorithms(study) if name in algorithms]
    is_normal = study.calibration.error == "normal"
    suited = ", ".join(n for n, a in algorithms.items() if not a.hessian and (is_normal or not a.least_squares))
    text = "needs second derivatives, which a calibration does not have"
    mistakes = [Mistake(path, f"{name} {text} (these suit: {suited})") for name in used if algorithms[name].hessian]
    if is_normal:
        return mistakes
    text = "needs a sum of squares, which the lognormal likelihood with its sizes solved is not"
    return mistakes + [Mistake(path, f"{name} {text} (these suit: {suited})") for name in used if algorithms[name].least_squares]


def _check_noise(study: Study, path: KeyPath) -> list[Mistake]:
    """Check that a likelihood has a maximum: with sizes solved it grows without end as the errors vanish."""
    if study.calibration.error == "normal" or not is_simulated(study) or all("noise" in block for block in study.sweep or [{}]):
        return []
    return [Mistake((*path, "sweep"), "a simulated record has no errors of its own: error: lognormal needs `noise` in the sweep")]


def _find_system(stated: Calibrate, context: Context) -> System | None:
    section, _, name = stated.to.partition(".")
    if section == "simulate":
        return context.scenarios[name].definition if name in context.scenarios else None
    return context.find_system(stated.system)


def resolve(study: Study, context: Context) -> Study:
    """Return the study with its system written out, where it is sound; that of a scenario has the true values."""
    stated = study.calibration
    system = _find_system(stated, context)
    if system is None:
        return study
    named = {"system": system.strip(), "time": stated.time or TIME_COLUMN}
    return study.model_copy(update={"calibrate": stated.model_copy(update=named)})


KIND = StudyKind(
    list_axes,
    define,
    lambda study: list(study.calibration.sought),
    check,
    resolve,
    sources=lambda study: [study.calibration.to],
    evidence=list_evidence,
)
