"""Rule draw: draw the figures of one scenario, study or fit."""

from pathlib import Path

from phaseflow.drawing import draw_figures
from phaseflow.joblog import keep_log
from phaseflow.receipts import Origin


def draw(origin: str, tables: dict[str, str], figures: str) -> None:
    """Draw a source's figures into a folder."""
    draw_figures(Origin.parse(origin).block, {kind: Path(path) for kind, path in tables.items()}, Path(figures))


if __name__ == "__main__":
    with keep_log(snakemake.log[0]):
        draw(snakemake.params.origin, dict(snakemake.input.items()), **snakemake.output)
