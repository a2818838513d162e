"""Rule report: write the page and publish its figures."""

from collections.abc import Sequence
from pathlib import Path

from phaseflow.joblog import keep_log
from phaseflow.page import write_page
from phaseflow.receipts import FOLDER_CHECKSUMS, Origin, check_pieces, check_tables, write_receipt


def report(
    origin: str, tables: Sequence[str], pieces: Sequence[str], receipts: Sequence[str], page: str, figures: str, receipt: str
) -> None:
    """Write the page, its folder of figures, and their receipt."""
    made_by = Origin.parse(origin)
    folders = [Path(piece) for piece in pieces]
    # The page reads tables, and no folder of trajectories.
    check_tables(table for table in map(Path, tables) if not table.is_dir())
    check_pieces([folder / FOLDER_CHECKSUMS for folder in folders])
    write_page(made_by.block, folders, [Path(path) for path in receipts], Path(page), Path(figures))
    write_receipt(Path(receipt), made_by, [Path(page), Path(figures)])


if __name__ == "__main__":
    with keep_log(snakemake.log[0]):
        report(snakemake.params.origin, **snakemake.input, **snakemake.output)
