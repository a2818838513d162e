"""Rule simulate: integrate the members of one chunk of a scenario."""

from pathlib import Path

from phaseflow.ensemble import simulate_chunk
from phaseflow.expressions.compiled import use_cache
from phaseflow.joblog import keep_log
from phaseflow.settings.block import Block


def simulate(block: str, chunk: int, cache: str, trajectories: str, members: str, events: str, orbits: str) -> None:
    """Write the trajectories, the rows, the events and the orbits of one chunk."""
    use_cache(Path(cache))
    simulate_chunk(Block.parse(block), chunk, Path(trajectories), Path(members), Path(events), Path(orbits))


if __name__ == "__main__":
    with keep_log(snakemake.log[0]):
        simulate(**snakemake.params, **snakemake.output)
