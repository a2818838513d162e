"""Rule draw: draw the figures of one scenario, study or fit."""

from pathlib import Path

from phaseflow.drawing import draw_figures
from phaseflow.joblog import keep_log
from phaseflow.receipts import Origin, check_tables


def draw(origin: str, tables: dict[str, str], figures: str) -> None:
    """Draw a source's figures into a folder."""
    read = {kind: Path(path) for kind, path in tables.items()}
    check_tables(read.values())
    draw_figures(Origin.parse(origin).block, read, Path(figures))


if __name__ == "__main__":
    with keep_log(snakemake.log[0]):
        draw(snakemake.params.origin, dict(snakemake.input.items()), **snakemake.output)
