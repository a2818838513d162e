"""Rule report: write the page and publish its figures."""

from collections.abc import Sequence
from pathlib import Path

from phaseflow.joblog import keep_log
from phaseflow.page import write_page
from phaseflow.receipts import Origin, list_files, write_receipt


def report(origin: str, pieces: Sequence[str], receipts: Sequence[str], page: str, figures: str, receipt: str) -> None:
    """Write the page, its folder of figures, and their receipt."""
    made_by = Origin.parse(origin)
    folders = [Path(piece) for piece in pieces]
    write_page(made_by.block, folders, [Path(path) for path in receipts], Path(page), Path(figures))
    files = [file for folder in folders for file in list_files(folder)]
    write_receipt(Path(receipt), made_by, [Path(page), Path(figures)], files)


if __name__ == "__main__":
    with keep_log(snakemake.log[0]):
        report(snakemake.params.origin, snakemake.input.pieces, snakemake.input.receipts, **snakemake.output)
