"""Rule optimize: solve the trials of one chunk of a study."""

from pathlib import Path

from phaseflow.expressions.compiled import use_cache
from phaseflow.joblog import keep_log
from phaseflow.receipts import check_tables, write_checksums
from phaseflow.settings.block import Block
from phaseflow.trials import solve_chunk


def optimize(
    block: str, chunk: int, tables: dict[str, str], cache: str, trials: str, histories: str, roots: str, curves: str, checksums: str
) -> None:
    """Write the rows of one chunk, their histories, what its best trial has to show, and the checksums of all."""
    use_cache(Path(cache))
    read = {name: Path(path) for name, path in tables.items()}
    check_tables(read.values())
    outputs = [Path(trials), Path(histories), Path(roots), Path(curves)]
    solve_chunk(Block.parse(block), chunk, read, *outputs)
    write_checksums(Path(checksums), outputs)


if __name__ == "__main__":
    with keep_log(snakemake.log[0]):
        optimize(**snakemake.params, **snakemake.output)
