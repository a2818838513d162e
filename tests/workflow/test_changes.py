"""The table of changes: after each, exactly the jobs that it touches run, and every result is what the plan asks for."""

import os
import shutil

import numpy as np
import pandas as pd
import pytest

PAGE = {"report": 1}
WIDE = {"gather": 1, "fit": 1, "draw": 1, "report": 1}
TAYLOR = "scripts/phaseflow/engines/taylor.py"


def change_text(old, new, file="config.yaml"):
    return lambda project: project.edit(old, new, file)


def append(file, text="\n# a comment\n", old_date=False):
    def change(project):
        path = project.path / file
        path.write_text(path.read_text() + text)
        if old_date:
            os.utime(path, (1e9, 1e9))

    return change


def touch(*files):
    def change(project):
        for file in files:
            for path in project.path.glob(file):
                path.touch()

    return change


def remove(pattern):
    def change(project):
        for path in list(project.path.glob(pattern))[:1]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def shorten(pattern, size):
    def change(project):
        path = min(project.path.glob(pattern))
        with path.open("rb+") as stream:
            stream.truncate(size)

    return change


def flip(pattern):
    def change(project):
        path = min(project.path.glob(pattern))
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    return change


def restore_with_old_dates(project):
    for path in project.path.rglob("*"):
        os.utime(path, (1e9, 1e9), follow_symlinks=False)


def together(*changes):
    def change(project):
        for one in changes:
            one(project)

    return change


RHO = "[20, 24, 28, 32]"
CHANGES = {
    "nothing": (lambda _project: None, {}),
    "a parameter": (change_text("sigma: 10", "sigma: 11"), WIDE | {"simulate": 4}),
    "a parameter written otherwise": (change_text("sigma: 10", "sigma: 1e1"), {}),
    "a tolerance": (change_text("    chunk: 1\n", "    chunk: 1\n    solver: {tolerance: 1e-10}\n"), WIDE | {"simulate": 4}),
    "two values swapped": (change_text("sigma: 10, beta: 8/3", "sigma: 8/3, beta: 10"), WIDE | {"simulate": 4}),
    "a sweep value added": (change_text(RHO, "[20, 24, 26, 28, 32]"), WIDE | {"simulate": 1}),
    "a sweep value removed": (change_text(RHO, "[20, 24, 32]"), WIDE),
    "a sweep reordered": (change_text(RHO, "[32, 24, 28, 20]"), WIDE),
    "the seed": (change_text("seed: 1", "seed: 2"), {"simulate": 1, "gather": 1, "report": 1}),
    "a caption": (change_text("caption: first", "caption: second"), PAGE),
    "an unrelated key": (
        change_text("[scipy_lbfgsb, scipy_bfgs]", "[scipy_lbfgsb]"),
        {"optimize": 1, "collect": 1, "draw": 1, "report": 1},
    ),
    "a table that nothing uses": (change_text("data:\n", "data:\n  other: {dataset: statsmodels.nile}\n"), PAGE),
    "a comment in the config": (change_text("seed: 1", "# a comment\nseed: 1  # another"), {}),
    "a module that a step imports": (append(TAYLOR), WIDE | {"simulate": 5, "gather": 2}),
    "a module that a step imports, with an old date": (append(TAYLOR, old_date=True), WIDE | {"simulate": 5, "gather": 2}),
    "a module that simulate does not import": (append("scripts/phaseflow/models/__init__.py"), {"fit": 2, "draw": 1, "report": 1}),
    "a model that fits name": (append("scripts/phaseflow/models/linear.py"), {"fit": 2, "draw": 1, "report": 1}),
    "a figure that a job names": (append("scripts/phaseflow/figures/attractor.py"), {"draw": 1, "report": 1}),
    "a figure that no job names": (append("scripts/phaseflow/figures/time_series.py"), {}),
    "a problem that a study names": (
        append("scripts/phaseflow/problems/minimize.py"),
        {"optimize": 1, "collect": 1, "draw": 1, "report": 1},
    ),
    "an engine that no job names": (append("scripts/phaseflow/engines/scipy_ivp.py"), {}),
    "touched files": (touch("config.yaml", "scripts/*.py", TAYLOR, "results/chunks/*/*", "results/simulate/*/*", "results/fit/*"), {}),
    "a deleted table": (remove("results/simulate/wide/members.parquet"), WIDE),
    "a deleted page": (remove("results/report/index.html"), PAGE),
    "a deleted receipt": (remove("results/receipts/fit/longley.json"), {"fit": 1, "draw": 1, "report": 1}),
    "a deleted file that no rule asks for": (remove("results/fit/longley.parquet"), {"fit": 1, "draw": 1, "report": 1}),
    "a deleted trajectory": (remove("results/simulate/wide/trajectories/*.parquet"), WIDE),
    "a deleted pool of chunks, which no result lacks": (remove("results/chunks"), {}),
    "a deleted pool and a deleted table": (
        together(remove("results/chunks/wide"), remove("results/simulate/wide/members.parquet")),
        WIDE | {"simulate": 4},
    ),
    "a stray file among the trajectories": (
        lambda project: (project.results / "simulate/wide/trajectories/stray.parquet").write_bytes(b"x"),
        WIDE,
    ),
    "a truncated table": (shorten("results/simulate/wide/members.parquet", 100), WIDE),
    "an emptied table": (shorten("results/fit/longley.csv", 0), {"fit": 1, "draw": 1, "report": 1}),
    "an emptied page": (shorten("results/report/index.html", 0), PAGE),
    "a truncated chunk": (shorten("results/chunks/wide/*.trajectories.parquet", 50), WIDE | {"simulate": 1}),
    "a run after a run": (lambda project: project.run(), {}),
    "a bit flipped in the page": (flip("results/report/index.html"), PAGE),
    "a bit flipped in a figure": (flip("results/report/figures/simulate-wide-attractor.png"), {"draw": 1, "report": 1}),
    "a truncated figure": (shorten("results/report/figures/*.svg", 50), {"draw": 1, "report": 1}),
    ".snakemake deleted": (remove(".snakemake"), {}),
    ".snakemake deleted and a tolerance": (
        together(remove(".snakemake"), change_text("    chunk: 1\n", "    chunk: 1\n    solver: {tolerance: 1e-10}\n")),
        WIDE | {"simulate": 4},
    ),
    "everything restored with old dates": (restore_with_old_dates, {}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_runs_exactly_what_it_touches(project, name):
    change, expected = CHANGES[name]
    change(project)
    assert project.run() == expected
    code, output = project.script("verify.py")
    assert code == 0, output


def test_a_change_taken_back_computes_no_member_and_gives_the_same_bytes(project):
    before = project.digest(leave_out=("chunks/",))
    project.edit(RHO, "[20, 28, 30, 32]")
    project.run()
    project.edit("[20, 28, 30, 32]", RHO)
    assert project.run() == WIDE
    assert project.digest(leave_out=("chunks/",)) == before


def test_a_dry_run_names_the_jobs_and_removes_nothing(project):
    project.edit("sigma: 10", "sigma: 11")
    before = project.digest()
    code, output = project.call("-n")
    assert code == 0, output
    assert "simulate.wide is made again: its settings, code or inputs have changed" in output
    for rule, count in {**WIDE, "simulate": 4}.items():
        assert any(line.split() == [rule, str(count)] for line in output.splitlines()), output
    assert project.digest() == before


def test_prune_leaves_exactly_what_the_plan_needs(project):
    before = {name for name in project.digest() if name.startswith("chunks/")}
    project.edit(RHO, "[20, 28, 30, 32]")
    project.run()
    project.edit("[20, 28, 30, 32]", RHO)
    project.run()
    assert {name for name in project.digest() if name.startswith("chunks/")} > before
    left = project.results / "simulate/wide/.members.parquet.123.part"
    left.write_bytes(b"half-written")
    project.script("prune.py")
    assert {name for name in project.digest() if name.startswith("chunks/")} == before
    assert not left.exists()
    assert project.run() == {}


def test_members_computed_alone_are_those_that_were_stored(project):
    code, output = project.script("verify.py", "--recompute", "7")
    assert code == 0, output
    # Four members of one scenario and three of the other: all of them.
    assert output.count("computed alone, the same to the last bit") == 7


def test_a_stored_member_that_is_not_what_is_computed_is_named(project):
    path = project.results / "simulate/noisy/members.parquet"
    rows = pd.read_parquet(path)
    rows.loc[1, "x_0"] = np.nextafter(rows["x_0"][1], 1)
    rows.to_parquet(path, index=False)
    code, output = project.script("verify.py", "--recompute", "7")
    assert code != 0
    assert f"simulate.noisy, member {rows['member'][1]} computed alone differs in members" in output
    assert output.count("computed alone, the same to the last bit") == 6


def test_verify_finds_an_altered_byte(project):
    assert project.script("verify.py")[0] == 0
    path = project.results / "fit/longley.csv"
    content = path.read_bytes()
    path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    code, output = project.script("verify.py")
    assert code != 0
    assert "results/fit/longley.csv has been altered" in output
