"""The work of `make compare`: two results folders side by side, what was asked and what came out.

A number has moved where it differs by more than two standard errors of the difference; where a table gives no error, the page says
by how much it differs and no more.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from phaseflow import paths
from phaseflow.errors import ResultsError
from phaseflow.findings import format_number
from phaseflow.page import MAIN_TABLES, read_table, render
from phaseflow.receipts import read_receipt
from phaseflow.tables import write_text

# A difference counts as movement beyond so many standard errors of it.
_ERRORS = 2.0
# What tells the rows of a table apart, beside what is swept.
_KEYS = ("term", "algorithm", "start", "replicate", "solver")
_IDS = frozenset({"member", "trial", "continued_from"})


@dataclass(frozen=True)
class Moved:
    """How a column differs between two tables.

    Attributes
    ----------
    n_rows, n_different, n_beyond : of the rows in both, how many differ, and how many by more than their errors (None without errors).
    where : the row that differs most, in words, with its two values.
    """

    column: str
    n_rows: int
    n_different: int
    n_beyond: int | None
    where: str
    first: str
    second: str


@dataclass(frozen=True)
class Compared:
    """An entry of the outline in both folders, or in one of them."""

    name: str
    note: str
    moved: Sequence[Moved]
    figures: Sequence[tuple[str, str | None, str | None]]


def compare(first: Path, second: Path, page_path: Path) -> list[Compared]:
    """Write a page that lays two results folders side by side; return what it says.

    Raises
    ------
    ResultsError : a folder has no page, or a table of it cannot be read.
    """
    one, two = _read_outline(first), _read_outline(second)
    entries = list(_compare_entries(first, second, one, two, page_path.parent))
    lines = difflib.unified_diff(one["config"].splitlines(), two["config"].splitlines(), lineterm="", n=1)
    changed = [line for line in lines if not line.startswith(("---", "+++"))]
    content = {"folders": [str(first), str(second)], "titles": [one["title"], two["title"]], "changed": changed, "entries": entries}
    write_text(page_path, render("comparison.html.j2", content | {"code": _compare_code(first, second)}))
    return entries


def _read_outline(folder: Path) -> Mapping[str, Any]:
    receipt = read_receipt(_place(folder, paths.find_receipt("report", "index")))
    if receipt is None:
        raise ResultsError(f"{folder} is no folder of results with a page: run snakemake there first")
    settings: Mapping[str, Any] = receipt["made_by"]["block"]["settings"]
    return settings


def _place(folder: Path, path: Path) -> Path:
    """Return where a result lies in a results folder."""
    return folder / path.relative_to(paths.RESULTS)


def _compare_code(first: Path, second: Path) -> list[str]:
    """Return the source files and packages that differ between what made the two pages and their tables."""
    made = [_list_code(folder) for folder in (first, second)]
    return sorted(name for name in made[0].keys() & made[1].keys() if made[0][name] != made[1][name])


def _list_code(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(_place(folder, paths.RECEIPTS).rglob("*.json")):
        made_by = (read_receipt(path) or {}).get("made_by", {})
        found |= made_by.get("files", {}) | made_by.get("engines", {})
    return found


def _compare_entries(first: Path, second: Path, one: Mapping[str, Any], two: Mapping[str, Any], start: Path) -> Iterator[Compared]:
    sides = [{f"{entry['section']}.{entry['name']}": entry for entry in outline["entries"]} for outline in (one, two)]
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        left, right = sides[0].get(name), sides[1].get(name)
        if left is None or right is None:
            yield Compared(name, f"only in {second if left is None else first}", [], [])
            continue
        note, moved = compare_tables(_read_main(first, left), _read_main(second, right), _list_swept(left))
        yield Compared(name, note, moved, list(_pair_figures(first, second, left, right, start)))


def _read_main(folder: Path, entry: Mapping[str, Any]) -> pd.DataFrame:
    return read_table(_place(folder, Path(entry["tables"][MAIN_TABLES[entry["section"]]])))


def _list_swept(entry: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(name for block in entry["settings"].get("sweep") or [] for name in block))


def _pair_figures(
    first: Path, second: Path, left: Mapping[str, Any], right: Mapping[str, Any], start: Path
) -> Iterator[tuple[str, Any, Any]]:
    files = [[figure["file"] for figure in entry["figures"]] for entry in (left, right)]
    for file in dict.fromkeys([*files[0], *files[1]]):
        found = [
            _place(folder, paths.FIGURES) / f"{file}.png" if file in known else None
            for folder, known in zip((first, second), files, strict=True)
        ]
        yield file, *(path and quote(Path(os.path.relpath(path, start)).as_posix()) for path in found)


def compare_tables(first: pd.DataFrame, second: pd.DataFrame, swept: Sequence[str]) -> tuple[str, list[Moved]]:
    """Return what is to be said of two tables, and which of their columns differ.

    Parameters
    ----------
    swept : the columns that tell rows apart, beside those that always do.
    """
    keys = [name for name in dict.fromkeys([*swept, *_KEYS]) if name in first and name in second]
    left, right = (_index(table, keys) for table in (first, second))
    both = left.index.intersection(right.index, sort=False)
    numbers = [
        name for name in left.columns.intersection(right.columns) if name not in _IDS and _is_number(left[name]) and _is_number(right[name])
    ]
    moved = [found for name in numbers if (found := _compare_column(name, left.loc[both], right.loc[both]))]
    counts = f"{len(both)} rows in both"
    alone = [
        f"{len(table) - len(both)} only in the {word}" for table, word in ((left, "first"), (right, "second")) if len(table) > len(both)
    ]
    if not moved:
        counts += ", without any difference" if len(both) else ""
    return ", ".join([counts, *alone]) + ".", moved


def _index(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return a table indexed by what tells its rows apart; by their order where that does not."""
    indexed = table.set_index(keys) if keys else table.reset_index(drop=True)
    return indexed if indexed.index.is_unique else table.reset_index(drop=True)


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _compare_column(name: str, left: pd.DataFrame, right: pd.DataFrame) -> Moved | None:
    one, two = (table[name].to_numpy(dtype=np.float64, na_value=np.nan) for table in (left, right))
    differs = ~((one == two) | (np.isnan(one) & np.isnan(two)))
    if not differs.any():
        return None
    apart = np.abs(two - one)
    error = _find_error(name, left, right)
    n_beyond = None if error is None else int((differs & ~(apart <= _ERRORS * error)).sum())
    weight = apart if error is None else apart / np.where(error > 0, error, np.nan)
    most = int(np.nanargmax(np.where(differs & np.isfinite(weight), weight, -np.inf)))
    place = left.index[most]
    names = [str(part) for part in left.index.names] if left.index.names != [None] else ["row"]
    values = place if isinstance(place, tuple) else (place,)
    where = ", ".join(f"{key} {value}" for key, value in zip(names, values, strict=True))
    return Moved(name, len(one), int(differs.sum()), n_beyond, where, format_number(one[most]), format_number(two[most]))


def _find_error(name: str, left: pd.DataFrame, right: pd.DataFrame) -> np.ndarray | None:
    """Return the standard errors of the differences in a column, where both tables have them."""
    column = "std_error" if name == "estimate" else f"{name}_se"
    if column not in left or column not in right:
        return None
    sides = [table[column].to_numpy(dtype=np.float64, na_value=np.nan) for table in (left, right)]
    error: np.ndarray = np.hypot(*sides)
    return error if np.isfinite(error).any() else None
