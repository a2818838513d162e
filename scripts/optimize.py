"""Rule optimize: solve the trials of one chunk of a study."""

from pathlib import Path

from phaseflow.expressions.compiled import use_cache
from phaseflow.joblog import keep_log
from phaseflow.settings.block import Block
from phaseflow.trials import solve_chunk


def optimize(block: str, chunk: int, tables: dict[str, str], cache: str, trials: str, histories: str) -> None:
    """Write the rows and the histories of one chunk."""
    use_cache(Path(cache))
    solve_chunk(Block.parse(block), chunk, {name: Path(path) for name, path in tables.items()}, Path(trials), Path(histories))


if __name__ == "__main__":
    with keep_log(snakemake.log[0]):
        optimize(**snakemake.params, **snakemake.output)
