"""The work of `optimize` and `collect`: one chunk of a study's trials, and the study's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from phaseflow.assembly import order_rows, sort_rows
from phaseflow.errors import NumericalError
from phaseflow.kinds import lay_out_trials, list_problem_columns, load_study_kind
from phaseflow.plugins import load_plugin
from phaseflow.problems import Problem, Solution
from phaseflow.rankings.tables import compare, make_empty
from phaseflow.seeds import open_stream
from phaseflow.settings.block import Block
from phaseflow.settings.studies import EVIDENCE, Study
from phaseflow.sweeps import Int64, Members
from phaseflow.tables import read_parquet, write_csv, write_parquet

# What the best trial has to show besides its row. Every study has these tables; they may be empty.
_SHOWN = {
    "roots": pa.schema(
        [
            ("trial", pa.int64()),
            *((name, pa.float64()) for name in ("root", "residual", "slope", "enclosure_low", "enclosure_high")),
            ("method", pa.string()),
        ]
    ),
    "curves": pa.schema([("trial", pa.int64()), ("curve", pa.string()), *((name, pa.float64()) for name in ("at", "observed", "value"))]),
}


def solve_chunk(
    block: Block, chunk: int, tables: Mapping[str, Path], trials_path: Path, histories_path: Path, roots_path: Path, curves_path: Path
) -> None:
    """Solve the trials of one chunk and write their rows, their histories, and what the best of them has to show.

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
    places = np.sort(trials.chunks()[chunk])
    bases = {axis.column: axis.base for axis in load_study_kind(study).axes(study).values()}
    solutions = []
    for place in places:
        values = bases | {name: column[place] for name, column in trials.columns.items()}
        solution = solve(values, open_stream(block.seed or 0, int(trials.streams[place])))
        solutions.append(solution)
        print(f"{block.place}: {len(solutions)} of {len(places)}, {_describe(trials, place, solution)}", flush=True)
        if solution.status in ("failed", "infeasible", "unbounded"):
            swept = ", ".join(f"{name} {column[place]}" for name, column in trials.columns.items())
            text = f"{block.place}: trial {trials.ids[place]} ({swept}) {solution.status}: {solution.message}"
            print(text)
            if study.on_failure == "stop":
                raise NumericalError(f"{text}; on_failure is stop")
    rows = _tabulate_trials(study, trials, places, solutions)
    write_parquet(trials_path, rows)
    write_parquet(histories_path, _tabulate_histories(study, trials.ids[places], solutions), dictionary=("trial",))
    best = _find_best(study, rows.to_pandas())
    for name, path in (("roots", roots_path), ("curves", curves_path)):
        write_parquet(path, _tabulate_shown(_SHOWN[name], int(trials.ids[places[best]]), solutions[best].tables.get(name, {})))
    print(f"{block.place}: {len(places)} trials solved")


def collect_trials(
    block: Block,
    pieces: Mapping[str, Sequence[Path]],
    table_path: Path,
    histories: Path,
    roots: Path,
    curves: Path,
    profiles: Path,
    running_times: Path,
    ranks: Path,
    comparisons: Path,
) -> None:
    """Write a study's tables, in the order of the config: trials, histories, what the best trial has to show, and how algorithms compare.

    Parameters
    ----------
    pieces : the files of the chunks by kind.

    Raises
    ------
    ResultsError : the chunks do not hold exactly the trials of the plan.
    """
    study = Study.model_validate(block.settings)
    trials = lay_out_trials(study)
    table = order_rows(pa.concat_tables(read_parquet(path) for path in pieces["trials"]), "trial", trials.ids).to_pandas()
    write_csv(table_path, _complete_evidence(study, table))
    steps = sort_rows(pa.concat_tables(read_parquet(path) for path in pieces["histories"]), "trial", trials.ids)
    write_parquet(histories, steps, dictionary=("trial",))
    best = int(table["trial"].iloc[_find_best(study, table)])
    for name, path in (("roots", roots), ("curves", curves)):
        shown = pa.concat_tables(read_parquet(piece) for piece in pieces[name])
        chosen = shown.filter(pa.array(shown["trial"].to_numpy() == best)).combine_chunks()
        # Roots are the function's own, whatever trial brings them.
        write_parquet(path, chosen.drop_columns(["trial"]) if name == "roots" else chosen)
    compared = _compare(study, block.seed or 0, table, steps)
    write_parquet(profiles, compared["profiles"])
    for name, path in (("running_times", running_times), ("ranks", ranks), ("comparisons", comparisons)):
        write_csv(path, compared[name].to_pandas())


def _compare(study: Study, seed: int, table: pd.DataFrame, histories: pa.Table) -> dict[str, pa.Table]:
    """Return the tables of a comparison, empty where the study compares nothing."""
    if study.benchmark is None or not study.targets or study.confidence is None or study.resamples is None:
        return make_empty()
    bases = {axis.column: axis.base for axis in load_study_kind(study).axes(study).values()}
    trials = table.assign(**{name: base for name, base in bases.items() if name not in table})
    steps = histories.select(["trial", "evaluation", "best"]).to_pandas()
    return compare(trials, steps, [target.value for target in study.targets], study.resamples, study.confidence.value, seed)


def _tabulate_trials(study: Study, trials: Members, places: Int64, solutions: list[Solution]) -> pa.Table:
    kind = load_study_kind(study)
    columns: dict[str, Any] = {"trial": trials.ids[places]}
    columns |= {name: column[places] for name, column in trials.columns.items() if name != "algorithm"}
    columns["algorithm"] = trials.columns["algorithm"][places]
    columns["status"] = [solution.status for solution in solutions]
    columns["value"] = np.array([solution.value for solution in solutions])
    points = np.array([solution.point for solution in solutions])
    columns |= {name: points[:, place] for place, name in enumerate(kind.columns(study))}
    columns["evaluations"] = np.array([solution.evaluations[-1] if len(solution.values) else 0 for solution in solutions])
    columns["gradients"] = np.array([solution.gradients for solution in solutions])
    columns["message"] = [solution.message for solution in solutions]
    for name in (*EVIDENCE, *kind.evidence(study)):
        columns[name] = pa.array([solution.evidence.get(name) for solution in solutions], type=pa.float64())
    columns["certificate"] = [solution.certificate.kind for solution in solutions]
    columns["certificate_reason"] = [solution.certificate.reason for solution in solutions]
    columns["gap_scope"] = pa.array([solution.certificate.scope or None for solution in solutions], type=pa.string())
    return pa.table(columns)


def _tabulate_histories(study: Study, ids: Int64, solutions: list[Solution]) -> pa.Table:
    counts = [len(solution.values) for solution in solutions]
    points = np.concatenate([solution.points for solution in solutions])
    columns = {
        "trial": np.repeat(ids, counts),
        "evaluation": np.concatenate([solution.evaluations for solution in solutions]),
        "value": np.concatenate([solution.values for solution in solutions]),
        "best": np.concatenate([np.fmin.accumulate(solution.values) for solution in solutions]),
    }
    return pa.table(columns | {name: points[:, place] for place, name in enumerate(load_study_kind(study).columns(study))})


def _tabulate_shown(schema: pa.Schema, trial: int, columns: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Return rows of one trial; none where it has none to show."""
    n_rows = len(next(iter(columns.values()), ()))
    filled = {"trial": [trial] * n_rows} | dict(columns)
    return pa.table({name: pa.array(filled.get(name, []), type=schema.field(name).type) for name in schema.names}, schema=schema)


def _describe(trials: Members, place: int, solution: Solution) -> str:
    """Return a line about a trial: which, how it ended, and the best value that it saw."""
    swept = ", ".join(f"{name} {column[place]}" for name, column in trials.columns.items())
    best = np.fmin.reduce(solution.values, initial=np.inf)
    spent = solution.evaluations[-1] if len(solution.values) else 0
    return f"trial {trials.ids[place]} ({swept}): {solution.status}, best value {best:.10g} after {spent} evaluations"


def _is_answer(study: Study, table: pd.DataFrame) -> pd.Series[bool]:
    is_ended = table["status"].isin(["converged", "stopped", "time_limit"])
    return is_ended & table["value"].notna() & (table["feasibility"] <= study.allowance)


def _find_best(study: Study, table: pd.DataFrame) -> int:
    """Return the place of the row with the best value among answers, the first of equals; 0 where there is no answer."""
    costs = -table["value"] if study.program is not None and study.program.is_maximum else table["value"]
    return int(np.argmin(costs.where(_is_answer(study, table), np.inf).to_numpy()))


def _complete_evidence(study: Study, table: pd.DataFrame) -> dict[str, Any]:
    """Return the table's columns with what only the whole study can tell."""
    costs = -table["value"] if study.program is not None and study.program.is_maximum else table["value"]
    answers = costs.where(_is_answer(study, table))
    same = list_problem_columns(study)
    best = answers.groupby([table[name] for name in same], dropna=False).transform("min") if same else answers.min()
    columns: dict[str, Any] = {name: table[name] for name in table.columns}
    columns["gap_best_seen"] = costs - best
    return columns
