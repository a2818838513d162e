"""The work of `optimize` and `collect`: one chunk of a study's trials, and the study's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from phaseflow.assembly import order_rows
from phaseflow.errors import NumericalError
from phaseflow.kinds import lay_out_trials, load_study_kind
from phaseflow.plugins import load_plugin
from phaseflow.problems import Problem, Solution
from phaseflow.seeds import open_stream
from phaseflow.settings.block import Block
from phaseflow.settings.studies import EVIDENCE, Study
from phaseflow.sweeps import Int64, Members
from phaseflow.tables import read_parquet, write_csv, write_parquet


def solve_chunk(block: Block, chunk: int, tables: Mapping[str, Path], trials_path: Path, histories_path: Path) -> None:
    """Solve the trials of one chunk and write their rows and their histories.

    Parameters
    ----------
    block : a resolved study.
    chunk : the chunk's number in the plan of that study.
    tables : the files that the study reads, by `<section>.<name>`.

    Raises
    ------
    NumericalError : a trial failed and the study says `on_failure: stop`.
    """
    study = Study.model_validate(block.settings)
    trials = lay_out_trials(study)
    problem: Problem = load_plugin("problems", study.kind)
    solve = problem.prepare(study, tables)
    places = trials.chunks()[chunk]
    bases = {axis.column: axis.base for axis in load_study_kind(study).axes(study).values()}
    solutions = []
    for place in places:
        values = bases | {name: column[place] for name, column in trials.columns.items()}
        solution = solve(values, open_stream(block.seed or 0, int(trials.streams[place])))
        solutions.append(solution)
        if solution.status == "failed":
            text = f"{block.place}: trial {trials.ids[place]} ({_describe(values)}) failed: {solution.message}"
            print(text)
            if study.on_failure == "stop":
                raise NumericalError(f"{text}; on_failure is stop")
    write_parquet(trials_path, _tabulate_trials(study, trials, places, solutions))
    write_parquet(histories_path, _tabulate_histories(study, trials.ids[places], solutions), dictionary=("trial",))
    print(f"{block.place}: {len(places)} trials solved")


def collect_trials(
    block: Block, trials_paths: Sequence[Path], histories_paths: Sequence[Path], table_path: Path, histories_path: Path
) -> None:
    """Write a study's table of trials and their histories, in the order of the config.

    Raises
    ------
    ResultsError : the chunks do not hold exactly the trials of the plan.
    """
    study = Study.model_validate(block.settings)
    trials = lay_out_trials(study)
    table = order_rows(pa.concat_tables(read_parquet(path) for path in trials_paths), "trial", trials.ids)
    write_csv(table_path, _complete_evidence(table))
    histories = pa.concat_tables(read_parquet(path) for path in histories_paths)
    rank = np.argsort(trials.ids)[np.searchsorted(np.sort(trials.ids), histories["trial"].to_numpy())]
    order = np.lexsort([histories["evaluation"].to_numpy(), rank])
    write_parquet(histories_path, histories.take(order).combine_chunks(), dictionary=("trial",))


def _describe(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _tabulate_trials(study: Study, trials: Members, places: Int64, solutions: list[Solution]) -> pa.Table:
    columns: dict[str, Any] = {"trial": trials.ids[places]}
    columns |= {name: column[places] for name, column in trials.columns.items() if name != "algorithm"}
    columns["algorithm"] = trials.columns["algorithm"][places]
    columns["status"] = [solution.status for solution in solutions]
    columns["value"] = np.array([solution.value for solution in solutions])
    points = np.array([solution.point for solution in solutions])
    columns |= {name: points[:, place] for place, name in enumerate(load_study_kind(study).columns(study))}
    columns["evaluations"] = np.array([len(solution.values) for solution in solutions])
    columns["gradients"] = np.array([solution.gradients for solution in solutions])
    columns["message"] = [solution.message for solution in solutions]
    for name in EVIDENCE:
        columns[name] = pa.array([solution.evidence.get(name) for solution in solutions], type=pa.float64())
    return pa.table(columns)


def _tabulate_histories(study: Study, ids: Int64, solutions: list[Solution]) -> pa.Table:
    counts = [len(solution.values) for solution in solutions]
    points = np.concatenate([solution.points for solution in solutions])
    columns = {
        "trial": np.repeat(ids, counts),
        "evaluation": np.concatenate([np.arange(1, count + 1) for count in counts]),
        "value": np.concatenate([solution.values for solution in solutions]),
        "best": np.concatenate([np.fmin.accumulate(solution.values) for solution in solutions]),
    }
    return pa.table(columns | {name: points[:, place] for place, name in enumerate(load_study_kind(study).columns(study))})


def _complete_evidence(table: pa.Table) -> dict[str, Any]:
    """Return the table's columns with what only the whole study can tell."""
    columns: dict[str, Any] = {name: table[name].to_pandas() for name in table.column_names}
    values = columns["value"]
    is_answer = (columns["status"] != "failed") & (columns["feasibility"] <= 0)
    best = values[is_answer].min() if is_answer.any() else np.nan
    columns["gap_best_seen"] = values - best
    columns["certificate"] = "none"
    columns["certificate_reason"] = "certificates are not built yet"
    return columns
