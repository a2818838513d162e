"""A study that minimises an expression within bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from phaseflow.catalogues import Algorithm, read_algorithms
from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.tree import TIME
from phaseflow.kinds import AxisKind, Context, StudyKind, list_algorithms
from phaseflow.settings.studies import Study

DEFAULT_ALGORITHM = "scipy_lbfgsb"


def list_axes(_study: Study) -> Mapping[str, AxisKind]:
    """Return what can be swept."""
    allowed = frozenset(name for name, algorithm in read_algorithms().items() if not algorithm.least_squares)
    return {
        "starts": AxisKind("count", "start", 0, is_aside=True, is_random=True),
        "algorithm": AxisKind("word", "algorithm", DEFAULT_ALGORITHM, is_aside=True, allowed=allowed),
    }


def define(study: Study) -> str:
    """Return the canonical text of the problem."""
    bounds = ", ".join(f"{name} in [{v.bounds[0]!r}, {v.bounds[1]!r}] from {v.start.value!r}" for name, v in study.variables.items())
    return f"minimize {study.objective.text}; {bounds}"


def check(study: Study, path: KeyPath, _context: Context) -> list[Mistake]:
    """Check the names of the variables, what the algorithms can keep, and what the search for roots needs."""
    mistakes = []
    for name in sorted(study.objective.names - set(study.variables)):
        hint = "the time has no meaning here" if name == TIME else f"it is not among the variables{suggest(name, study.variables)}"
        mistakes.append(Mistake((*path, "minimize"), f"{study.objective.text!r} needs {name!r}: {hint}"))
    unused = sorted(set(study.variables) - study.objective.names)
    mistakes += [Mistake((*path, "variables", name), f"{name!r} does not occur in the expression to minimise") for name in unused]
    bounds = {name: variable.bounds for name, variable in study.variables.items()}
    return mistakes + check_bounds(study, path, bounds) + _check_roots(study, path, bounds)


def check_bounds(study: Study, path: KeyPath, bounds: Mapping[str, tuple[float, float]]) -> list[Mistake]:
    """Check that every algorithm of a study keeps the bounds that there are, and has those that it needs."""
    bounded = [name for name, sides in bounds.items() if np.isfinite(sides).any()]
    unboxed = [name for name, sides in bounds.items() if not np.isfinite(sides).all()]
    here = (*path, "sweep", "algorithm")
    mistakes = []
    careless = _name(study, lambda algorithm: not algorithm.bounds)
    if bounded and careless:
        keeping = ", ".join(name for name, algorithm in read_algorithms().items() if algorithm.bounds and not algorithm.least_squares)
        mistakes.append(Mistake(here, f"{careless} cannot keep the bounds of {', '.join(bounded)} (these can: {keeping})"))
    searching = _name(study, lambda algorithm: algorithm.needs_bounds)
    if unboxed and searching:
        mistakes.append(Mistake(here, f"{searching} searches a box: give {', '.join(unboxed)} both a lower and an upper bound"))
    return mistakes


def _name(study: Study, is_meant: Callable[[Algorithm], bool]) -> str:
    """Return the names of a study's algorithms that are meant, as a list in words."""
    algorithms = read_algorithms()
    return ", ".join(name for name in sorted(list_algorithms(study)) if name in algorithms and is_meant(algorithms[name]))


def _check_roots(study: Study, path: KeyPath, bounds: Mapping[str, tuple[float, float]]) -> list[Mistake]:
    if study.roots is None:
        return []
    if len(bounds) != 1:
        return [Mistake((*path, "roots"), f"roots are searched for a function of one variable; this one has {len(bounds)}")]
    unboxed = [name for name, sides in bounds.items() if not np.isfinite(sides).all()]
    return [Mistake((*path, "variables", name), "roots are searched between a lower and an upper bound: give both") for name in unboxed]


KIND = StudyKind(list_axes, define, lambda study: list(study.variables), check, evidence=lambda _: ["least_curvature"])
