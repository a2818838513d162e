"""A study that minimises an expression within bounds."""

from __future__ import annotations

from collections.abc import Mapping

from phaseflow.catalogues import read_algorithms
from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.tree import TIME
from phaseflow.kinds import AxisKind, Context, StudyKind
from phaseflow.settings.studies import Study

DEFAULT_ALGORITHM = "scipy_lbfgsb"


def list_axes(_study: Study) -> Mapping[str, AxisKind]:
    """Return what can be swept."""
    return {
        "starts": AxisKind("count", "start", 0, is_random=True),
        "algorithm": AxisKind("word", "algorithm", DEFAULT_ALGORITHM, is_aside=True, allowed=frozenset(read_algorithms())),
    }


def define(study: Study) -> str:
    """Return the canonical text of the problem."""
    bounds = ", ".join(f"{name} in [{v.bounds[0]!r}, {v.bounds[1]!r}] from {v.start.value!r}" for name, v in study.variables.items())
    return f"minimize {study.objective.text}; {bounds}"


def check(study: Study, path: KeyPath, _context: Context) -> list[Mistake]:
    """Check the names of the variables and what the algorithms can keep."""
    mistakes = []
    for name in sorted(study.objective.names - set(study.variables)):
        hint = "the time has no meaning here" if name == TIME else f"it is not among the variables{suggest(name, study.variables)}"
        mistakes.append(Mistake((*path, "minimize"), f"{study.objective.text!r} needs {name!r}: {hint}"))
    unused = sorted(set(study.variables) - study.objective.names)
    mistakes += [Mistake((*path, "variables", name), f"{name!r} does not occur in the expression to minimise") for name in unused]
    return mistakes + check_bounds(study, path)


def check_bounds(study: Study, path: KeyPath) -> list[Mistake]:
    """Check that every algorithm of a study with bounds keeps bounds."""
    bounded = [name for name, variable in study.variables.items() if variable.lower or variable.upper]
    algorithms = read_algorithms()
    used = {str(value) for block in study.sweep or [] for value in block.get("algorithm", [])}  # type: ignore[union-attr]
    careless = sorted(name for name in used if name in algorithms and not algorithms[name].bounds)
    if not bounded or not careless:
        return []
    keeping = ", ".join(name for name, algorithm in algorithms.items() if algorithm.bounds)
    text = f"{', '.join(careless)} cannot keep the bounds of {', '.join(bounded)} (these can: {keeping})"
    return [Mistake((*path, "sweep", "algorithm"), text)]


KIND = StudyKind(list_axes, define, lambda study: list(study.variables), check)
