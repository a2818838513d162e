"""Tables from outside: where they lie, which columns they have, what is in them."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from phaseflow.errors import DataError, shorten, suggest
from phaseflow.seeds import digest

if TYPE_CHECKING:
    import pandas as pd

# Where a package keeps the data sets that it ships.
_SHIPPED = {"statsmodels": "datasets/{name}/{name}.csv", "arch": "data/{name}/{name}.csv.gz"}
_SUFFIXES = (".csv", ".csv.gz", ".parquet")
# A frame that was read from text says where it stands, since its doubles are not what is written.
_TEXT = "text"
# Digits of an exponent: what is further from 1 than any double is no number of a table.
_LARGEST_EXPONENT = 400


@dataclass(frozen=True)
class Table:
    """A table in a file."""

    path: Path

    @property
    def columns(self) -> list[str]:
        """The names of the columns.

        Raises
        ------
        DataError : the file is empty, or not a table.
        """
        if self.path.name.endswith(".parquet"):
            import pyarrow.parquet as pq

            return list(pq.read_schema(self.path).names)
        content: io.IOBase = gzip.GzipFile(self.path) if self.path.name.endswith(".gz") else self.path.open("rb")
        with content, io.TextIOWrapper(content, encoding="utf-8-sig", newline="") as stream:  # type: ignore[type-var]
            header = next(csv.reader(stream), [])
        names = [name.strip() for name in header]
        if not names:
            raise DataError(f"{self.path}: the file is empty; a first line with the names of the columns is wanted")
        return names

    @property
    def key(self) -> str:
        """The digest of the file's content."""
        return digest(self.path.read_bytes())

    def read(self) -> pd.DataFrame:
        """Read the whole table.

        Raises
        ------
        DataError : the file is not a table, or has no rows.
        """
        import pandas as pd

        try:
            if self.path.is_dir() or self.path.name.endswith(".parquet"):
                frame = pd.read_parquet(self.path)
            else:
                frame = pd.read_csv(self.path, skipinitialspace=True, encoding="utf-8-sig")
                # Whole numbers beyond 64 bits come as objects.
                whole = [name for name in frame if frame[name].dtype == object and frame[name].map(type).eq(int).all()]
                frame = frame.astype(dict.fromkeys(whole, float))
                frame.attrs[_TEXT] = str(self.path)
        except (ValueError, OSError) as error:
            raise DataError(f"{self.path}: this is not a table: {error}") from None
        if frame.empty:
            raise DataError(f"{self.path}: the table has no rows")
        return frame.rename(columns=str.strip)


def find_table(file: str | None, dataset: str | None, folder: Path) -> Table:
    """Find a table of the config.

    Raises
    ------
    ValueError : there is no such file or data set, or it is of a kind that cannot be read.
    """
    path = folder / file if file is not None else _find_shipped(dataset or "")
    if not path.name.endswith(_SUFFIXES):
        raise ValueError(f"{str(path)!r} is not of a kind that can be read ({', '.join(_SUFFIXES)})")
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r} (paths are relative to the config's folder)")
    return Table(path)


def check_numbers(table: pd.DataFrame, names: Sequence[str], source: str) -> None:
    """Check that columns are there and hold finite numbers everywhere.

    Raises
    ------
    DataError : names the table and every column that cannot be used.
    """
    import numpy as np
    import pandas as pd

    problems = []
    for name in names:
        if name not in table.columns:
            problems.append(f"{source} has no column {name!r} (it has {', '.join(map(repr, table.columns))})")
        elif not pd.api.types.is_numeric_dtype(table[name]) or pd.api.types.is_bool_dtype(table[name]):
            is_text = (pd.to_numeric(table[name], errors="coerce").isna() & table[name].notna()).to_numpy()
            example = f": row {is_text.argmax() + 1} has {shorten(table[name].iloc[is_text.argmax()])}" if is_text.any() else ""
            problems.append(f"{source}, column {name!r} does not hold numbers{example}")
        elif not np.isfinite(table[name].to_numpy(dtype=float, na_value=np.nan)).all():
            missing = ~np.isfinite(table[name].to_numpy(dtype=float, na_value=np.nan))
            problems.append(f"{source}, column {name!r} has no finite value in {missing.sum()} rows, first in row {missing.argmax() + 1}")
    if problems:
        raise DataError("\n".join(problems))


def read_exactly(table: pd.DataFrame, names: Sequence[str]) -> dict[str, list[Fraction]]:
    """Return columns of checked numbers as they are written: decimals where the table was read from text, else the doubles themselves.

    Raises
    ------
    DataError : the file has changed since the table was read.
    """
    import pandas as pd

    if _TEXT not in table.attrs:
        return {name: [Fraction(value) for value in table[name].tolist()] for name in names}
    path = table.attrs[_TEXT]
    written = pd.read_csv(path, skipinitialspace=True, encoding="utf-8-sig", dtype=str, usecols=lambda name: name.strip() in set(names))
    written = written.rename(columns=str.strip)
    if len(written) != len(table):
        raise DataError(f"{path} has {len(written)} rows now, where {len(table)} were read before")
    return {name: [_read_decimal(text) for text in written[name].tolist()] for name in names}


def _read_decimal(text: str) -> Fraction:
    exponent = text.lower().partition("e")[2]
    if exponent and abs(int(exponent)) > _LARGEST_EXPONENT:
        return Fraction(float(text))
    return Fraction(text)


def _find_shipped(dataset: str) -> Path:
    package, _, name = dataset.partition(".")
    if package not in _SHIPPED or not name.isidentifier():
        raise ValueError(f"{dataset!r} is not a data set: write <package>.<name>{suggest(package, _SHIPPED)}")
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ValueError(f"the package {package!r} of the data set {dataset!r} is not installed")
    path = Path(found.submodule_search_locations[0]) / _SHIPPED[package].format(name=name)
    if not path.is_file():
        raise ValueError(f"the package {package!r} ships no data set {name!r}")
    return path
