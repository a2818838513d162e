"""Where results lie: one place for the names of the results contract."""

from __future__ import annotations

from pathlib import Path

RESULTS = Path("results")
CHUNKS = RESULTS / "chunks"
FIGURE_PIECES = CHUNKS / "figures"
RECEIPTS = RESULTS / "receipts"
LOGS = RESULTS / "logs"
TIMINGS = RESULTS / "timings"
PAGE = RESULTS / "report" / "index.html"
FIGURES = RESULTS / "report" / "figures"
RUN_PAGE = TIMINGS / "run.html"
LOCK = LOGS / ".lock"

# The files that a chunk consists of, by section.
PIECES = {"simulate": ("trajectories", "members", "events", "orbits"), "optimize": ("trials", "histories", "roots", "curves")}


def list_tables(section: str, name: str) -> dict[str, Path]:
    """Return the tables of a scenario, a study or a fit."""
    folder = RESULTS / section
    if section == "simulate":
        tables = {kind: folder / name / f"{kind}.parquet" for kind in ("members", "events", "orbits")}
        return tables | {"trajectories": folder / name / "trajectories"}
    if section == "optimize":
        inside = {kind: folder / name / f"{kind}.parquet" for kind in ("histories", "roots", "curves", "profiles")}
        compared = {kind: folder / name / f"{kind}.csv" for kind in ("running_times", "ranks", "comparisons")}
        return {"trials": folder / f"{name}.csv", **inside, **compared}
    return {"terms": folder / f"{name}.csv", "statistics": folder / f"{name}.json", "rows": folder / f"{name}.parquet"}


def find_table(section: str, name: str, of_scenario: str) -> Path:
    """Return the table that is meant where a scenario or a study is named as one.

    Parameters
    ----------
    of_scenario : which table of a scenario: `members` or `trajectories`.
    """
    return list_tables(section, name)[of_scenario if section == "simulate" else "trials"]


def find_receipt(section: str, name: str) -> Path:
    """Return the receipt of a scenario, a study, a fit or the page."""
    return RECEIPTS / section / f"{name}.json"


def list_outputs(section: str, name: str) -> list[Path]:
    """Return the files and folders that a final result consists of, without its receipt."""
    return [PAGE, FIGURES] if section == "report" else list(list_tables(section, name).values())


def list_piece(section: str, name: str, chunk: str) -> list[Path]:
    """Return the files of a chunk, their checksums last."""
    return [*(CHUNKS / name / f"{chunk}.{kind}.parquet" for kind in PIECES[section]), find_checksums(section, name, chunk)]


def find_checksums(section: str, name: str, chunk: str) -> Path:
    """Return the file that has the checksums of a chunk's files, and is written after them."""
    return CHUNKS / name / f"{chunk}.{section}.json"


def find_maker(path: Path) -> tuple[str, str] | None:
    """Return the section and name of the result that a file or folder belongs to; nothing where it belongs to none."""
    inside = path.parts[1:] if path.parts[:1] == RESULTS.parts else ()
    return (inside[0], inside[1].split(".")[0]) if len(inside) > 1 and inside[0] in ("simulate", "optimize", "fit") else None


def list_origins(path: Path) -> list[Path]:
    """Return the files of the chunk that a published file of trajectories is a link to; nothing for other files."""
    maker = find_maker(path)
    if maker is None or path.parent.name != "trajectories":
        return []
    return list_piece(*maker, path.stem)
