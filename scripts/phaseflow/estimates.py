"""What a chunk is expected to need: time and memory, from chunks of its kind that have run, else from a model.

An estimate decides where and with what else a chunk runs, and no result depends on it.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from phaseflow import paths
from phaseflow.settings.scenarios import Scenario
from phaseflow.settings.studies import Study

# Python with the engine and the tables loaded, and the room that each number of a table takes while it is made.
_BASE_MB = 300
_BYTES_A_NUMBER = 40
_LARGEST_MB = 8000
# A submitted job runs two Snakemakes around the chunk, each with the plan: so much, and so many bytes a member of the plan.
_AROUND_MB, _AROUND_BYTES = 400, 600
# A chunk is integrated in parts of so many rows.
_ROWS_HELD = 1_000_000
_SECONDS_A_TRIAL = 0.5
# What memory is asked for beyond what was seen, how much longer than expected a job may run, and how long at least.
_SPARE, _PATIENCE, _LEAST_MINUTES = 1.3, 5.0, 10
_RECORDS_READ = 20


@dataclass(frozen=True)
class Estimate:
    """What a chunk needs, with the Snakemakes around it."""

    seconds: float
    memory_mb: int

    def find_memory(self, attempt: int) -> int:
        """Return the megabytes to ask for: twice as much at each further attempt."""
        return self.memory_mb << (attempt - 1)

    def find_minutes(self, attempt: int) -> int:
        """Return the minutes to ask for: twice as many at each further attempt."""
        return max(_LEAST_MINUTES, math.ceil(_PATIENCE * self.seconds / 60)) << (attempt - 1)

    @property
    def pack(self) -> str | None:
        """The class of duration, `2s` to `32s`, of chunks that are too short to be submitted one by one."""
        seconds = 2 ** max(1, math.floor(math.log2(max(self.seconds, 1))))
        return f"{seconds}s" if seconds < 60 else None


def estimate_chunk(section: str, name: str, settings: Scenario | Study, n_members: int, n_planned: int) -> Estimate:
    """Return what a chunk of so many members needs at most, of a plan with so many."""
    found = list(islice(read_records(sorted((paths.TIMINGS / section / name).glob("*.tsv"))), _RECORDS_READ))
    if found:
        seconds, memory = (max(column) for column in zip(*found, strict=True))
        memory = max(_BASE_MB, _SPARE * memory)
    elif isinstance(settings, Scenario):
        seconds, memory = _model_scenario(settings, n_members)
    else:
        seconds, memory = _SECONDS_A_TRIAL * n_members, 2 * _BASE_MB
    return Estimate(seconds, 100 * math.ceil((memory + _AROUND_MB + n_planned * _AROUND_BYTES / 1e6) / 100))


def _model_scenario(scenario: Scenario, n_members: int) -> tuple[float, float]:
    work = scenario.work
    memory = _BASE_MB + min(n_members * work.rows, _ROWS_HELD) * (work.dimension + 2) * _BYTES_A_NUMBER / 1e6
    return n_members * work.seconds, min(_LARGEST_MB, memory)


def read_records(tables: Iterable[Path]) -> Iterator[tuple[float, float]]:
    """Yield the seconds and megabytes of jobs that have run, from Snakemake's tables of them; the shortest have no memory.

    A table that says nothing, such as an empty one from a full disk, is passed over.
    """
    for path in tables:
        try:
            with path.open(encoding="utf-8", newline="") as stream:
                rows = list(csv.DictReader(stream, delimiter="\t"))
            memory = rows[-1]["max_rss"]
            yield float(rows[-1]["s"]), float(memory) if memory not in ("NA", "-") else 0.0
        except (OSError, ValueError, KeyError, IndexError):
            continue
