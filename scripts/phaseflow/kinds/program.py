"""A study that solves a linear or mixed-integer program: a transportation problem, a facility location problem, or one written out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phaseflow.errors import KeyPath, Mistake
from phaseflow.expressions.quantity import Quantity
from phaseflow.kinds import AxisKind, Context, StudyKind
from phaseflow.kinds._linear_statement import check_linear
from phaseflow.kinds._number_tables import check_names, write_out
from phaseflow.settings.programs import Linear, Statement
from phaseflow.settings.studies import Study
from phaseflow.settings.sweeps import Range

DEFAULT_METHOD = "highs"
# The methods of scipy's HiGHS: its own choice, the dual simplex method, an interior-point method with crossover.
METHODS = {DEFAULT_METHOD: "highs", "highs_ds": "highs-ds", "highs_ipm": "highs-ipm"}
MAX_ARCS = 10_000
_AMOUNTS = ("supply.", "demand.", "capacity.", "fixed.")


def list_axes(study: Study) -> Mapping[str, AxisKind]:
    """Return what can be swept: the method, and every number of the problem by its name."""
    statement = study.planned.statement
    methods = frozenset({DEFAULT_METHOD} if statement.has_integers else METHODS)
    axes = {"algorithm": AxisKind("word", "algorithm", DEFAULT_METHOD, is_aside=True, allowed=methods)}
    return axes | {name: AxisKind("number", name, quantity.value) for name, quantity in statement.list_numbers()}


def list_evidence(study: Study) -> list[str]:
    """Return the bound of a program with integers, or three columns of prices for each constraint: the slope, to the left, to the right."""
    statement = study.planned.statement
    if statement.has_integers:
        return ["best_bound"]
    return [f"{kind}.{name}" for kind in ("price", "price_less", "price_more") for name in statement.list_priced()]


def check(study: Study, path: KeyPath, context: Context) -> list[Mistake]:
    """Check the tables, the names, the size, that expressions are linear, and the values of the sweep."""
    here = (*path, "program", study.planned.word)
    stated = study.planned.statement
    if isinstance(stated, Linear):
        return check_linear(stated, here)[:20]
    stated, mistakes = write_out(stated, here, context)
    if mistakes:
        return mistakes
    mistakes = check_names(stated, list(stated.supplies), "supply" if study.planned.transport else "site", here)
    if not 0 < len(stated.arcs) <= MAX_ARCS:
        mistakes.append(Mistake((*here, "cost"), f"{len(stated.arcs)} ways; 1 to {MAX_ARCS} can be planned"))
    return [*mistakes, *_check_amounts(study, path)][:20]


def _check_amounts(study: Study, path: KeyPath) -> list[Mistake]:
    """Check that nothing is swept below 0 that cannot be."""
    mistakes = []
    for block in study.sweep or []:
        for name, values in block.items():
            listed = [values.start, values.stop] if isinstance(values, Range) else [v for v in values if isinstance(v, Quantity)]
            wrong = [value for value in listed if name.startswith(_AMOUNTS) and value.value < 0]
            mistakes += [Mistake((*path, "sweep", name), f"{value.text} must be 0 or greater") for value in wrong[:1]]
    return mistakes


def resolve(study: Study, context: Context) -> Study:
    """Return the study with the numbers of its tables written out."""
    program, stated = study.planned, study.planned.statement
    written: Statement = stated if isinstance(stated, Linear) else write_out(stated, (), context)[0]
    changed: dict[str, Any] = {program.word: written}
    return study.model_copy(update={"program": program.model_copy(update=changed)})


KIND = StudyKind(
    list_axes,
    lambda study: study.planned.statement.define(),
    lambda study: study.planned.statement.list_columns(),
    check,
    resolve,
    evidence=list_evidence,
)
