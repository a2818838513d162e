"""A study that solves a linear program: a transportation problem."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from phaseflow.errors import DataError, KeyPath, Mistake, shorten, suggest
from phaseflow.expressions.quantity import Quantity
from phaseflow.kinds import AxisKind, Context, StudyKind
from phaseflow.settings.programs import Transport
from phaseflow.settings.studies import Study

# The methods of scipy's HiGHS: its own choice, the dual simplex method, an interior-point method with crossover.
METHODS = {"highs": "highs", "highs_ds": "highs-ds", "highs_ipm": "highs-ipm"}
MAX_ARCS = 10_000
_COLUMNS = {"supply": ("node", "supply"), "demand": ("node", "demand"), "cost": ("from", "to", "cost")}


def list_axes(study: Study) -> Mapping[str, AxisKind]:
    """Return what can be swept: the method, and every number of the problem by its name."""
    axes = {"algorithm": AxisKind("word", "algorithm", "highs", is_aside=True, allowed=frozenset(METHODS))}
    return axes | {name: AxisKind("number", name, quantity.value) for name, quantity in name_numbers(study.transport).items()}


def name_numbers(transport: Transport) -> dict[str, Quantity]:
    """Return the numbers of a problem that is written out: `supply.<node>`, `demand.<node>`, `cost.<from>.<to>`."""
    named = {f"supply.{node}": amount for node, amount in transport.supplies.items()}
    named |= {f"demand.{node}": amount for node, amount in transport.demands.items()}
    return named | {f"cost.{source}.{target}": cost for (source, target), cost in transport.arcs.items()}


def define(study: Study) -> str:
    """Return the canonical text of the problem; its numbers are among the values of a trial."""
    return f"transport {json.dumps(list(name_numbers(study.transport)))}"


def list_columns(study: Study) -> list[str]:
    """Return a column for what goes each way."""
    return [f"flow.{source}.{target}" for source, target in study.transport.arcs]


def list_evidence(study: Study) -> list[str]:
    """Return a column for each shadow price."""
    transport = study.transport
    return [*(f"price.supply.{node}" for node in transport.supplies), *(f"price.demand.{node}" for node in transport.demands)]


def check(study: Study, path: KeyPath, context: Context) -> list[Mistake]:
    """Check the tables, the names of the places, and the size."""
    here = (*path, "program", "transport")
    stated, mistakes = write_out(study.transport, here, context)
    if mistakes:
        return mistakes
    for source, target in stated.arcs:
        ends = ((source, "supply", stated.supplies), (target, "demand", stated.demands))
        wrong = [(node, side, known) for node, side, known in ends if node not in known]
        mistakes += [Mistake((*here, "cost", source), f"there is no {side} {node!r}{suggest(node, known)}") for node, side, known in wrong]
    if not 0 < len(stated.arcs) <= MAX_ARCS:
        mistakes.append(Mistake((*here, "cost"), f"{len(stated.arcs)} ways; 1 to {MAX_ARCS} can be planned"))
    if len(name_numbers(stated)) != len(stated.supplies) + len(stated.demands) + len(stated.arcs):
        mistakes.append(Mistake(here, "two places have names that cannot be told apart when they are joined by a point"))
    return mistakes[:20]


def write_out(transport: Transport, path: KeyPath, context: Context) -> tuple[Transport, list[Mistake]]:
    """Return the problem with the numbers of its tables written out, and what is wrong with the tables."""
    written: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for side in _COLUMNS:
        stated = getattr(transport, side)
        if isinstance(stated, str):
            rows, found = _read_rows((*path, side), side, stated, context)
            mistakes += found
            written[side] = _nest(rows) if side == "cost" else {names[0]: quantity for names, quantity in rows.items()}
    return transport.model_copy(update=written), mistakes


def _nest(rows: Mapping[tuple[str, ...], Quantity]) -> dict[str, dict[str, Quantity]]:
    nested: dict[str, dict[str, Quantity]] = {}
    for (source, target), quantity in rows.items():
        nested.setdefault(source, {})[target] = quantity
    return nested


def _read_rows(path: KeyPath, side: str, name: str, context: Context) -> tuple[dict[tuple[str, ...], Quantity], list[Mistake]]:
    """Return the numbers of a table by the names before them."""
    columns = _COLUMNS[side]
    mistakes = context.check_table(path, name) + context.check_columns(path, name, columns)
    if mistakes or name not in context.tables:
        text = f"{shorten(name)} is no table from outside: write data.<name>, or the numbers themselves"
        return {}, mistakes or [Mistake(path, text)]
    rows: dict[tuple[str, ...], Quantity] = {}
    try:
        frame = context.tables[name].read()
    except DataError as error:
        return {}, [Mistake(path, str(error))]
    for line, values in enumerate(frame[list(columns)].itertuples(index=False, name=None), 2):
        names, value = tuple(str(part).strip() for part in values[:-1]), values[-1]
        if not isinstance(value, (int, float)) or not math.isfinite(value) or (side != "cost" and value < 0):
            mistakes.append(Mistake(path, f"{name}, line {line}: {shorten(value)} is not a number{' of 0 or more' * (side != 'cost')}"))
        elif names in rows:
            mistakes.append(Mistake(path, f"{name}, line {line}: {', '.join(names)} comes twice"))
        else:
            rows[names] = Quantity.parse(float(value))
    return rows, mistakes[:20]


def resolve(study: Study, context: Context) -> Study:
    """Return the study with the numbers of its tables written out."""
    stated, _ = write_out(study.transport, (), context)
    return study.model_copy(update={"program": study.program.model_copy(update={"transport": stated}) if study.program else None})


KIND = StudyKind(list_axes, define, list_columns, check, resolve, evidence=list_evidence)
