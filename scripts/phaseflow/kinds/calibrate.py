"""A study that finds parameters and initial values of a system from a record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from phaseflow.catalogues import read_algorithms
from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.quantity import Expression, Quantity
from phaseflow.expressions.tree import TIME
from phaseflow.kinds import AxisKind, Context, StudyKind, list_algorithms
from phaseflow.kinds.minimize import check_bounds
from phaseflow.petab import PetabError
from phaseflow.settings.calibrations import Calibrate, Estimated, Experiment
from phaseflow.settings.scenarios import Scenario
from phaseflow.settings.studies import Study
from phaseflow.settings.systems import System, check_known

TIME_COLUMN = "t"
OWN_ALGORITHM = "gauss_newton"


def list_axes(study: Study) -> Mapping[str, AxisKind]:
    """Return what can be swept; trials that differ in algorithm or start alone see the same noise."""
    allowed = frozenset({OWN_ALGORITHM, *read_algorithms()})
    axes = {
        "starts": AxisKind("count", "start", 0, is_aside=True, is_random=True),
        "algorithm": AxisKind("word", "algorithm", OWN_ALGORITHM, is_aside=True, allowed=allowed),
    }
    if study.calibration.is_simulated:
        axes["noise"] = AxisKind("number", "noise", 0.0, is_random=True)
        axes["replicates"] = AxisKind("count", "replicate", 0, is_random=True)
    return axes


def define(study: Study) -> str:
    """Return the canonical text of the problem; what the records hold counts by its content."""
    return f"calibrate {json.dumps(study.calibration.model_dump(mode='json', exclude_none=True))}"


def list_evidence(study: Study) -> list[str]:
    """Return the columns of evidence: the error where the truth is known, the sizes of the errors, and how sure the data are."""
    stated = study.calibration
    sizes = [f"sigma_{column}" for column in stated.observe]
    intervals = [f"{name}_{end}" for name in stated.sought for end in ("low", "high")]
    return ["error", *sizes, "chi2_per_dof", "redrawn", "gap", "attempts", "n_identified", "least_information", *intervals]


def check(study: Study, path: KeyPath, context: Context) -> list[Mistake]:
    """Check the records, the names, and what the algorithms need."""
    stated, here = study.calibration, (*path, "calibrate")
    if stated.petab is not None:
        return _check_petab(study, stated.petab, path, context)
    mistakes = []
    for name, record in stated.records.items():
        mistakes += _check_record((*here, "experiments", name) if name else here, stated, record, context)
    system = _find_system(stated, context)
    if any(table.startswith("data.") for table in stated.tables):
        mistakes += context.check_system((*here, "system"), stated.system)
        if stated.system is None:
            mistakes.append(Mistake((*here, "system"), "'system' is wanted where `to` is a table: it does not say this itself"))
    if system is not None:
        mistakes += _check_system(here, stated, system) + _check_sizes(here, stated, system)
    if not stated.sought:
        mistakes.append(Mistake(here, "nothing is sought: give parameters, initial or both"))
    mistakes += check_bounds(study, path, {name: estimated.bounds for name, estimated in stated.sought.items()})
    return mistakes + _check_algorithms(study, (*path, "sweep", "algorithm")) + _check_noise(study, path)


def _check_petab(study: Study, file: str, path: KeyPath, context: Context) -> list[Mistake]:
    """Check that a PEtab problem can be read, and that the config says nothing that the problem says itself."""
    from phaseflow.petab.problem import read_problem  # only where it is asked for: it takes half a second

    stated, here = study.calibration, (*path, "calibrate")
    own = ("system", "time", "observe", "times", "error", "sigma", "parameters", "initial", "noise", "shooting")
    # A study that is written out in full has what the problem says.
    given = [key for key in own if key in stated.model_fields_set and key not in ("observe", "parameters")]
    mistakes = [Mistake((*here, key), f"the PEtab problem says this itself: leave {key!r} out") for key in given]
    try:
        setup = read_problem(context.folder / file)
    except PetabError as error:
        return mistakes + [Mistake((*here, "petab"), problem) for problem in error.problems]
    bounds = {name: (low, high) for name, low, high in zip(setup.sought.names, setup.sought.lower, setup.sought.upper, strict=True)}
    mistakes += check_known((*here, "profile", "parameters"), _list_profiled(stated), set(bounds), "value sought")
    return mistakes + check_bounds(study, path, bounds) + _check_algorithms(study, (*path, "sweep", "algorithm"))


def _resolve_petab(study: Study, file: str, context: Context) -> Study:
    """Return the study with what is observed and sought written out, for the columns of its table."""
    from phaseflow.petab.problem import list_files, read_problem

    setup = read_problem(context.folder / file)
    sought = setup.sought
    parameters = {
        name: Estimated(
            start=Quantity.parse(float(sought.start[place])),
            lower=Quantity.parse(float(sought.lower[place])),
            upper=Quantity.parse(float(sought.upper[place])),
            scale="log" if sought.is_log[place] else "linear",
        )
        for place, name in enumerate(sought.names)
    }
    written = {
        "observe": {column.name: column.formula for column in setup.columns},
        "parameters": parameters,
        "files": list_files(context.folder / file),
    }
    return study.model_copy(update={"calibrate": study.calibration.model_copy(update=written)})


def find_files(study: Study, folder: Path) -> Mapping[str, Path]:
    """Return the files of a PEtab problem, its own first."""
    file = study.calibration.petab
    if file is None:
        return {}
    from phaseflow.petab.problem import list_files

    path = folder / file
    return {f"data.{file}:{name}": path.parent / name for name in list_files(path)}


def list_sources(study: Study) -> list[str]:
    """Return the tables that a study reads."""
    stated = study.calibration
    return stated.tables if stated.petab is None else [f"data.{stated.petab}:{name}" for name in stated.files]


def _check_record(path: KeyPath, stated: Calibrate, record: Experiment, context: Context) -> list[Mistake]:
    section, _, name = record.to.partition(".")
    mistakes = context.check_table((*path, "to"), record.to)
    if section not in ("data", "simulate") and not mistakes:
        mistakes.append(Mistake((*path, "to"), f"{record.to!r} is no record: data.<name> or simulate.<name> is wanted"))
    if section == "simulate":
        mistakes += _check_scenario(path, stated, record, context.scenarios.get(name))
    elif section == "data":
        if record.time is None:
            mistakes.append(Mistake((*path, "time"), "'time' is wanted where `to` is a table: it does not say this itself"))
        mistakes += context.check_columns((*path, "time"), record.to, [record.time] if record.time is not None else [])
        # One of several records may lack a column that another has.
        if stated.experiments is None:
            mistakes += context.check_columns((*path, "observe"), record.to, list(stated.observe))
    return mistakes


def _check_scenario(path: KeyPath, stated: Calibrate, record: Experiment, scenario: Scenario | None) -> list[Mistake]:
    if scenario is None:
        return []
    # A study that is written out in full has both, as the scenario says them.
    own = {"system": scenario.definition.strip().model_dump(), "time": TIME_COLUMN}
    system = stated.system if stated.is_simulated else None
    given = {"system": system.strip().model_dump() if isinstance(system, System) else system, "time": record.time}
    if stated.experiments is not None:
        del given["system"]
    mistakes = [
        Mistake((*path, key), f"{record.to} is a simulated record and says this itself: leave {key!r} out")
        for key, value in given.items()
        if value is not None and value != own[key]
    ]
    wanted = {
        "one trajectory: it has a sweep or an ensemble": scenario.sweep is None and scenario.ensemble is None,
        "a stored trajectory: give it time.samples": scenario.keeps_trajectories,
        "a record that begins at its initial values: it has a transient": scenario.time.transient.value == 0,
    }
    return mistakes + [Mistake((*path, "to"), f"{record.to} is not {text}") for text, is_met in wanted.items() if not is_met]


def _check_system(path: KeyPath, stated: Calibrate, system: System) -> list[Mistake]:
    states, parameters = set(system.equations), set(system.parameters)
    mistakes = check_known((*path, "parameters"), dict(stated.parameters), parameters, "parameter")
    mistakes += check_known((*path, "initial"), dict(stated.initial), states, "state")
    known = states | parameters | {TIME}
    for column, formula in stated.observe.items():
        mistakes += _check_names((*path, "observe", column), formula, known, "a state, a parameter or t")
    for name, record in (stated.experiments or {}).items():
        here = (*path, "experiments", name)
        mistakes += check_known((*here, "parameters"), dict(record.parameters), parameters, "parameter")
        mistakes += check_known((*here, "initial"), dict(record.initial), states, "state")
        given = {("initial", state): value for state, value in record.initial.items() if not isinstance(value, Estimated)}
        given |= {("parameters", parameter): value for parameter, value in record.parameters.items()}
        for key, value in given.items():
            mistakes += _check_names((*here, *key), value, set(stated.sought), "sought")
    if any(table.startswith("simulate.") for table in stated.tables):
        mistakes += check_known((*path, "observe"), dict(stated.observe), states, "column")
    if system.noise:
        mistakes.append(Mistake(path, "a system with noise has no one trajectory to compare with the record"))
    return mistakes


def _check_names(path: KeyPath, formula: Expression, known: set[str], kind: str) -> list[Mistake]:
    hints = {name: suggest(name, known) for name in sorted(formula.names - known)}
    return [Mistake(path, f"{formula.text!r} needs {name!r}, which is not {kind}{hint}") for name, hint in hints.items()]


def _check_sizes(path: KeyPath, stated: Calibrate, system: System) -> list[Mistake]:
    """Check that every column has a size where one has, and that its names are known."""
    known = {*system.equations, *system.parameters, *stated.noise, *stated.observe, TIME}
    sizes = stated.sigma or {}
    mistakes = [
        Mistake((*path, "noise", n), f"{n!r} is the name of a state or a parameter") for n in stated.noise if n in system.parameters
    ]
    mistakes += check_known((*path, "sigma"), {name: size for name, size in sizes.items() if name != "*"}, set(stated.observe), "column")
    if stated.sizes != "given":
        used = set[str]()
    else:
        used = set().union(*(size.names for size in sizes.values()))
        missing = [column for column in stated.observe if stated.find_size(column) is None]
        mistakes += [Mistake((*path, "sigma"), f"the column {column!r} has no size, though others have") for column in missing]
        for name, size in sizes.items():
            mistakes += _check_names((*path, "sigma", name), size, known, "a state, a parameter, a column, t or in `noise`")
    if stated.shooting is not None and stated.profile is not None:
        mistakes.append(Mistake((*path, "profile"), "profiles are not built for multiple shooting: see the intervals in the table"))
    mistakes += check_known((*path, "profile", "parameters"), _list_profiled(stated), set(stated.sought), "value sought")
    if stated.shooting is not None and stated.noise:
        text = "multiple shooting keeps the sizes of errors while it steps: give numbers, or the word estimated in `sigma`"
        mistakes.append(Mistake((*path, "noise"), text))
    mistakes += [Mistake((*path, "noise", name), f"{name!r} does not occur in `sigma`") for name in stated.noise if name not in used]
    if stated.sizes == "squares" and (believed := [name for name, one in stated.sought.items() if one.prior]):
        text = f"priors ({', '.join(believed)}) need a likelihood: give `sigma`, a number, an expression or the word estimated"
        mistakes.append(Mistake(path, text))
    return mistakes


def _list_profiled(stated: Calibrate) -> dict[str, None]:
    return dict.fromkeys((stated.profile.parameters if stated.profile else None) or [])


def _check_algorithms(study: Study, path: KeyPath) -> list[Mistake]:
    algorithms = read_algorithms()
    if study.calibration.shooting is not None:
        others = [name for name in list_algorithms(study) if name != OWN_ALGORITHM]
        text = f"multiple shooting has a structure that only {OWN_ALGORITHM} uses: leave"
        return [Mistake(path, f"{text} {', '.join(others)} out")] if others else []
    used = [name for name in list_algorithms(study) if name in algorithms]
    is_squares = study.calibration.sizes == "squares"
    suited = ", ".join(n for n, a in algorithms.items() if not a.hessian and (is_squares or not a.least_squares))
    text = "needs second derivatives, which a calibration does not have"
    mistakes = [Mistake(path, f"{name} {text} (these suit: {suited})") for name in used if algorithms[name].hessian]
    if is_squares:
        return mistakes
    text = "needs a sum of squares, which a likelihood is not"
    return mistakes + [Mistake(path, f"{name} {text} (these suit: {suited})") for name in used if algorithms[name].least_squares]


def _check_noise(study: Study, path: KeyPath) -> list[Mistake]:
    """Check that a likelihood has a maximum: with sizes solved it grows without end as the errors vanish."""
    is_noisy = all("noise" in block for block in study.sweep or [{}])
    if study.calibration.sizes != "solved" or not study.calibration.is_simulated or is_noisy:
        return []
    text = "a simulated record has no errors of its own: sizes that are estimated need `noise` in the sweep"
    return [Mistake((*path, "sweep"), text)]


def _find_system(stated: Calibrate, context: Context) -> System | None:
    """Return the system, that of the first scenario where one says it."""
    for table in stated.tables:
        section, _, name = table.partition(".")
        if section == "simulate" and (stated.is_simulated or stated.system is None):
            return context.scenarios[name].definition if name in context.scenarios else None
    return context.find_system(stated.system)


def resolve(study: Study, context: Context) -> Study:
    """Return the study with its system written out, where it is sound; that of a scenario has the true values."""
    stated = study.calibration
    if stated.petab is not None:
        return _resolve_petab(study, stated.petab, context)
    system = _find_system(stated, context)
    if system is None:
        return study
    named = {"system": system.strip(), "time": stated.time or TIME_COLUMN}
    if stated.experiments is not None:
        named["experiments"] = {n: _complete(stated, record, system, context) for n, record in stated.experiments.items()}
    return study.model_copy(update={"calibrate": stated.model_copy(update=named)})


def _complete(stated: Calibrate, record: Experiment, system: System, context: Context) -> Experiment:
    """Return an experiment with what its scenario has other than the first."""
    section, _, name = record.to.partition(".")
    if section != "simulate" or name not in context.scenarios:
        return record
    own = context.scenarios[name].definition
    parameters = {
        key: value for key, value in own.parameters.items() if value != system.parameters.get(key) and key not in stated.parameters
    }
    initial = {state: value for state, value in own.initial.items() if state not in stated.initial}
    added = {"parameters": parameters | dict(record.parameters), "initial": initial | dict(record.initial), "time": TIME_COLUMN}
    return record.model_copy(update=added)


KIND = StudyKind(
    list_axes,
    define,
    lambda study: list(study.calibration.sought),
    check,
    resolve,
    sources=list_sources,
    evidence=list_evidence,
    files=find_files,
)
