"""Rule fit: fit one model to one table."""

from pathlib import Path

from phaseflow.joblog import keep_log
from phaseflow.receipts import Origin, check_tables, write_receipt
from phaseflow.regression import fit_model


def fit(origin: str, table: str, terms: str, statistics: str, rows: str, receipt: str) -> None:
    """Write a fit's terms, statistics and rows, and their receipt."""
    made_by = Origin.parse(origin)
    outputs = [Path(terms), Path(statistics), Path(rows)]
    check_tables([Path(table)])
    fit_model(made_by.block, Path(table), *outputs)
    write_receipt(Path(receipt), made_by, outputs)


if __name__ == "__main__":
    with keep_log(snakemake.log[0]):
        fit(snakemake.params.origin, snakemake.input.table, **snakemake.output)
