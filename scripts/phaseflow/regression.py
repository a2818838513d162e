"""The work of `fit`: one model fitted to one table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from phaseflow.data import Table
from phaseflow.models import Fitted, Model
from phaseflow.plugins import load_plugin
from phaseflow.seeds import hash_text, open_stream
from phaseflow.settings.block import Block
from phaseflow.settings.fits import Fit
from phaseflow.tables import write_csv, write_json, write_whole


def fit_model(block: Block, table_path: Path, terms_path: Path, statistics_path: Path, rows_path: Path) -> None:
    """Fit the model of a block to a table; write its terms, its statistics and its rows.

    Raises
    ------
    DataError : the table does not suit the model; nothing is written.
    """
    fit = Fit.model_validate(block.settings)
    model: Model = load_plugin("models", fit.kind)
    # What is compared is no part of the stream's name, so that one more solver changes no other's numbers.
    stream = int(hash_text(fit.model_dump_json(exclude_none=True, exclude={"sweep"})))
    # One thread: the same bits on any number of cores, and ten times as fast on small matrices.
    with threadpool_limits(1):
        fitted: Fitted = model.fit(fit, Table(table_path).read(), f"{block.place}: {table_path}", open_stream(block.seed or 0, stream))
    write_csv(terms_path, {name: fitted.terms[name] for name in fitted.terms})
    write_json(statistics_path, _drop_undefined(fitted.statistics))
    # What a table remembers of where it was read from is no result.
    fitted.rows.attrs.clear()
    with write_whole(rows_path) as temporary:
        fitted.rows.to_parquet(temporary, index=False)
    print(f"{block.place}: {len(fitted.terms)} terms fitted to {fitted.statistics['observations']} observations of {table_path}")


def _drop_undefined(value: Any) -> Any:
    """Return statistics with nothing in the place of NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _drop_undefined(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
