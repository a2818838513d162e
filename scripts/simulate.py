"""Rule simulate: integrate the members of one chunk of a scenario."""

from pathlib import Path

from phaseflow.ensemble import simulate_chunk
from phaseflow.expressions.compiled import use_cache
from phaseflow.joblog import keep_log
from phaseflow.receipts import write_checksums
from phaseflow.settings.block import Block


def simulate(block: str, chunk: int, cache: str, trajectories: str, members: str, events: str, orbits: str, checksums: str) -> None:
    """Write the trajectories, the rows, the events and the orbits of one chunk, and their checksums."""
    use_cache(Path(cache))
    outputs = [Path(trajectories), Path(members), Path(events), Path(orbits)]
    simulate_chunk(Block.parse(block), chunk, *outputs)
    write_checksums(Path(checksums), outputs)


if __name__ == "__main__":
    with keep_log(snakemake.log[0]):
        simulate(**snakemake.params, **snakemake.output)
