"""What belongs to a run and not to its results: when, where, from which commit, with which packages, and how long each rule took.

All of it may differ from run to run, so it lies in the timings and not on the page, whose bytes follow from the results alone.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from phaseflow import paths
from phaseflow.estimates import read_records
from phaseflow.page import render
from phaseflow.tables import write_text


class RuleTime(NamedTuple):
    """What the jobs of a rule took: their number, seconds in all and at most, and the largest memory in MB."""

    rule: str
    n_jobs: int
    total_s: float
    longest_s: float
    memory_mb: float


def describe_run(code: Path) -> None:
    """Write results/timings/run.html about the run that has just ended.

    Parameters
    ----------
    code : the folder of the Snakefile, whose commit is named.
    """
    commit, changed = find_commit(code)
    facts = {
        "ended": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "host": platform.node(),
        "machine": f"{platform.platform()}, {os.cpu_count()} cores",
        "Python": platform.python_version(),
        "commit": commit or "none: the code is in no git repository",
    }
    packages = sorted({f"{package.name} {package.version}" for package in importlib.metadata.distributions()}, key=str.lower)
    times = list(list_times(paths.TIMINGS))
    write_text(paths.RUN_PAGE, render("run.html.j2", {"facts": facts, "changed": changed, "packages": packages, "times": times}))


def find_commit(code: Path) -> tuple[str | None, list[str]]:
    """Return the commit of a folder and the files that differ from it; none where there is no git repository."""
    commit = _ask_git(code, "rev-parse", "HEAD")
    return (None, []) if commit is None else (commit.strip(), (_ask_git(code, "status", "--porcelain") or "").splitlines())


def _ask_git(folder: Path, *question: str) -> str | None:
    try:
        answer = subprocess.run(["git", "-C", str(folder), *question], check=False, capture_output=True, text=True)  # noqa: S603, S607
    except OSError:
        return None
    return answer.stdout if answer.returncode == 0 else None


def list_times(folder: Path) -> Iterator[RuleTime]:
    """Yield what each rule took, from the tables that Snakemake keeps of its jobs: those of this run and, where kept, of earlier ones."""
    for path in sorted(folder.iterdir()):
        records = list(read_records([path] if path.suffix == ".tsv" else sorted(path.rglob("*.tsv"))))
        if records:
            seconds, memory = zip(*records, strict=True)
            yield RuleTime(path.stem, len(records), sum(seconds), max(seconds), max(memory))
