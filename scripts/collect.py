"""Rule collect: join a study's chunks into its tables, and compare its algorithms."""

from pathlib import Path

from phaseflow.joblog import keep_log
from phaseflow.receipts import Origin, check_pieces, write_receipt
from phaseflow.trials import collect_trials


def collect(
    origin: str,
    chunks: dict[str, list[str]],
    table: str,
    histories: str,
    roots: str,
    curves: str,
    profiles: str,
    running_times: str,
    ranks: str,
    comparisons: str,
    receipt: str,
) -> None:
    """Write the table of trials, what stands beside it (histories, roots, curves, comparisons), and their receipt."""
    made_by = Origin.parse(origin)
    pieces = {kind: [Path(file) for file in files] for kind, files in chunks.items()}
    check_pieces(pieces.pop("checksums"))
    outputs = [Path(file) for file in (table, histories, roots, curves, profiles, running_times, ranks, comparisons)]
    collect_trials(made_by.block, pieces, *outputs)
    write_receipt(Path(receipt), made_by, outputs)


if __name__ == "__main__":
    with keep_log(snakemake.log[0]):
        collect(snakemake.params.origin, dict(snakemake.input.items()), **snakemake.output)
