"""Rule gather: join a scenario's chunks into its tables."""

from pathlib import Path

from phaseflow.assembly import gather_members
from phaseflow.joblog import keep_log
from phaseflow.receipts import Origin, check_pieces, write_receipt


def gather(origin: str, chunks: dict[str, list[str]], members: str, events: str, orbits: str, trajectories: str, receipt: str) -> None:
    """Write the tables of members, events and orbits, publish the trajectories, and write their receipt."""
    made_by = Origin.parse(origin)
    pieces = {kind: [Path(file) for file in files] for kind, files in chunks.items()}
    outputs = [Path(members), Path(events), Path(orbits), Path(trajectories)]
    check_pieces(pieces.pop("checksums"))
    gather_members(made_by.block, pieces, *outputs)
    write_receipt(Path(receipt), made_by, outputs)


if __name__ == "__main__":
    with keep_log(snakemake.log[0]):
        gather(snakemake.params.origin, dict(snakemake.input.items()), **snakemake.output)
