"""The work of `fit`: one model fitted to one table."""

from __future__ import annotations

from pathlib import Path

from phaseflow.data import Table
from phaseflow.models import Model
from phaseflow.plugins import load_plugin
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
    fitted = model.fit(fit, Table(table_path).read(), f"{block.place}: {table_path.name}")
    write_csv(terms_path, {name: fitted.terms[name] for name in fitted.terms})
    write_json(statistics_path, dict(fitted.statistics))
    with write_whole(rows_path) as temporary:
        fitted.rows.to_parquet(temporary, index=False)
    print(f"{block.place}: {len(fitted.terms)} terms fitted to {len(fitted.rows)} rows of {table_path}")
