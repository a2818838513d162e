"""A study that minimises an expression within bounds and under constraints."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from phaseflow.catalogues import Algorithm, read_algorithms
from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.condition import Condition
from phaseflow.expressions.quantity import Expression, Quantity
from phaseflow.expressions.tree import TIME
from phaseflow.kinds import AxisKind, Context, StudyKind, list_algorithms
from phaseflow.settings.studies import Study
from phaseflow.settings.sweeps import Range, count_values

DEFAULT_ALGORITHM = "scipy_lbfgsb"
# Where the gradients of an algorithm come from.
EXACT, DIFFERENCES = "exact", "differences"


def list_axes(study: Study) -> Mapping[str, AxisKind]:
    """Return what can be swept; a tolerance of 0 stands for the algorithm's own."""
    allowed = frozenset(name for name, algorithm in read_algorithms().items() if not algorithm.least_squares)
    tolerance = 0.0 if study.tolerance is None else study.tolerance.value
    return {
        "starts": AxisKind("count", "start", 0, is_aside=True, is_random=True),
        "algorithm": AxisKind("word", "algorithm", DEFAULT_ALGORITHM, is_aside=True, allowed=allowed),
        "tolerance": AxisKind("number", "tolerance", tolerance, is_aside=True),
        "derivatives": AxisKind("word", "derivatives", EXACT, is_aside=True, allowed=frozenset({EXACT, DIFFERENCES})),
    }


def define(study: Study) -> str:
    """Return the canonical text of the problem; how its starts are spread is part of it."""
    bounds = ", ".join(f"{name} in [{v.bounds[0]!r}, {v.bounds[1]!r}] from {v.start.value!r}" for name, v in study.variables.items())
    conditions = "".join(f"; {condition.text}" for condition in study.constraints or [])
    spread = f"; starts by {study.sampling}" if study.sampling not in (None, "random") else ""
    spread += f" of {count_points(study)}" if study.sampling == "latin_hypercube" else ""
    return f"minimize {study.objective.text}; {bounds}{conditions}{spread}"


def count_points(study: Study) -> int:
    """Return how many starts there are besides the given one."""
    counts = [count_values(block["starts"], "count") for block in study.sweep or [] if "starts" in block]
    return max(counts, default=1) - 1


def list_evidence(study: Study) -> list[str]:
    """Return the columns of evidence; those of the certified point bear the variables' names."""
    certified = ["certified_value", "certified_error", "certified_radius", *(f"certified_{name}" for name in study.variables)]
    return ["least_curvature", "hessians", "proven_bound", *certified]


def check(study: Study, path: KeyPath, _context: Context) -> list[Mistake]:
    """Check the names of the variables, what the algorithms can keep, what the search for roots needs, and the sweep."""
    mistakes, used = [], set(study.objective.names)
    stated: dict[KeyPath, Expression | Condition] = {(*path, "minimize"): study.objective}
    stated |= {(*path, "constraints", place): condition for place, condition in enumerate(study.constraints or [])}
    for here, formula in stated.items():
        used |= formula.names
        for name in sorted(formula.names - set(study.variables)):
            hint = "the time has no meaning here" if name == TIME else f"it is not among the variables{suggest(name, study.variables)}"
            mistakes.append(Mistake(here, f"{formula.text!r} needs {name!r}: {hint}"))
    unused = sorted(set(study.variables) - used)
    mistakes += [Mistake((*path, "variables", name), f"{name!r} does not occur in the expression to minimise") for name in unused]
    bounds = {name: variable.bounds for name, variable in study.variables.items()}
    mistakes += check_bounds(study, path, bounds) + _check_constraints(study, path)
    return mistakes + _check_roots(study, path, bounds) + _check_sweep(study, path)


def _check_constraints(study: Study, path: KeyPath) -> list[Mistake]:
    """Check that every algorithm keeps the constraints that there are."""
    if not study.constraints:
        return []
    has_equation = any(condition.is_equation for condition in study.constraints)
    enough = {"all"} if has_equation else {"all", "inequalities"}
    careless = _name(study, lambda algorithm: algorithm.constraints not in enough)
    if not careless:
        return []
    keeping = ", ".join(name for name, algorithm in read_algorithms().items() if algorithm.constraints in enough)
    text = "constraints that are equations" if has_equation else "constraints"
    return [Mistake((*path, "sweep", "algorithm"), f"{careless} cannot keep {text} (these can: {keeping})")]


def _check_sweep(study: Study, path: KeyPath) -> list[Mistake]:
    """Check tolerances, that no Hessian is to be had by differences, and that a Latin hypercube has one count."""
    here, algorithms, mistakes = (*path, "sweep"), read_algorithms(), []
    for block in study.sweep or []:
        values = block.get("tolerance", [])
        ends = [values.start, values.stop] if isinstance(values, Range) else [v for v in values if isinstance(v, Quantity)]
        mistakes += [Mistake((*here, "tolerance"), f"{end.text} must be greater than 0") for end in ends if not end.value > 0]
        chosen = [str(name) for name in _list(block.get("algorithm")) or [DEFAULT_ALGORITHM]]
        if DIFFERENCES in map(str, _list(block.get("derivatives"))):
            needy = [name for name in chosen if name in algorithms and algorithms[name].hessian]
            text = "uses the exact Hessian, which there is not by differences: give it a block of the sweep of its own"
            mistakes += [Mistake((*here, "derivatives"), f"{name} {text}") for name in needy]
    counts = {count_values(block["starts"], "count") if "starts" in block else 1 for block in study.sweep or []}
    if study.sampling == "latin_hypercube" and len(counts) > 1:
        mistakes.append(Mistake((*here, "starts"), "a Latin hypercube is made for its count: give every block of the sweep the same"))
    return mistakes


def _list(values: Range | list[Quantity | str] | None) -> list[Quantity | str]:
    return values if isinstance(values, list) else []


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


KIND = StudyKind(list_axes, define, lambda study: list(study.variables), check, evidence=list_evidence)
