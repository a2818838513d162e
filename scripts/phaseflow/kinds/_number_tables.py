"""The numbers of a program that stand in tables from outside, written out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phaseflow.errors import DataError, KeyPath, Mistake, shorten, suggest
from phaseflow.expressions.quantity import Quantity
from phaseflow.kinds import Context
from phaseflow.settings.programs import Facility, Site, Transport


@dataclass(frozen=True)
class _Layout:
    """The columns of a table: names, then numbers."""

    names: tuple[str, ...]
    numbers: tuple[str, ...]
    can_be_negative: bool = False


_COSTS = _Layout(("from", "to"), ("cost",), can_be_negative=True)
_LAYOUTS = {
    "supply": _Layout(("node",), ("supply",)),
    "demand": _Layout(("node",), ("demand",)),
    "sites": _Layout(("site",), ("capacity", "fixed")),
    "cost": _COSTS,
    "cost_of_all": _COSTS,
}
_Rows = dict[tuple[str, ...], list[Quantity]]


def write_out(stated: Transport | Facility, path: KeyPath, context: Context) -> tuple[Any, list[Mistake]]:
    """Return the problem with the numbers of its tables written out, and what is wrong with the tables."""
    written: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for key, layout in _LAYOUTS.items():
        name = getattr(stated, key, None)
        if isinstance(name, str):
            rows, found = _read_rows((*path, key), name, layout, context)
            mistakes += found
            written[key] = _nest(rows, key)
    return stated.model_copy(update=written), mistakes


def _nest(rows: _Rows, key: str) -> dict[str, Any]:
    """Return the rows of a table as they would be written in the config."""
    if key == "sites":
        return {names[0]: Site.model_construct(capacity=numbers[0], fixed=numbers[1]) for names, numbers in rows.items()}
    if not _LAYOUTS[key].can_be_negative:
        return {names[0]: numbers[0] for names, numbers in rows.items()}
    nested: dict[str, dict[str, Quantity]] = {}
    for (source, target), numbers in rows.items():
        nested.setdefault(source, {})[target] = numbers[0]
    return nested


def _read_rows(path: KeyPath, name: str, layout: _Layout, context: Context) -> tuple[_Rows, list[Mistake]]:
    """Return the numbers of a table by the names before them."""
    columns = [*layout.names, *layout.numbers]
    mistakes = context.check_table(path, name) + context.check_columns(path, name, columns)
    if mistakes or name not in context.tables:
        text = f"{shorten(name)} is no table from outside: write data.<name>, or the numbers themselves"
        return {}, mistakes or [Mistake(path, text)]
    try:
        frame = context.tables[name].read()
    except DataError as error:
        return {}, [Mistake(path, str(error))]
    rows: _Rows = {}
    for line, values in enumerate(frame[columns].itertuples(index=False, name=None), 2):
        names, numbers = tuple(str(part).strip() for part in values[: len(layout.names)]), values[len(layout.names) :]
        wrong = [value for value in numbers if not _is_number(value, layout)]
        if wrong:
            wanted = f"a number{'' if layout.can_be_negative else ' of 0 or more'}"
            mistakes.append(Mistake(path, f"{name}, line {line}: {shorten(wrong[0])} is not {wanted}"))
        elif names in rows:
            mistakes.append(Mistake(path, f"{name}, line {line}: {', '.join(names)} comes twice"))
        else:
            rows[names] = [Quantity.parse(float(value)) for value in numbers]
    return rows, mistakes[:20]


def _is_number(value: Any, layout: _Layout) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and (layout.can_be_negative or value >= 0)


def check_names(stated: Transport | Facility, senders: Sequence[str], side: str, path: KeyPath) -> list[Mistake]:
    """Check that costs are between places that there are, and that the columns' names are all different."""
    key = "cost" if stated.cost is not None else "cost_of_all"
    mistakes = []
    for source, target in stated.arcs:
        ends: tuple[tuple[str, str, Sequence[str] | Mapping[str, Any]], ...] = (
            (source, side, senders), (target, "demand", stated.demands),
        )  # fmt: skip
        wrong = [(node, word, known) for node, word, known in ends if node not in known]
        mistakes += [Mistake((*path, key, source), f"there is no {word} {node!r}{suggest(node, known)}") for node, word, known in wrong]
    listed = [name for name, _ in stated.list_numbers()]
    if len(set(listed)) != len(listed):
        mistakes.append(Mistake(path, "two places have names that cannot be told apart when they are joined by a point"))
    return mistakes
