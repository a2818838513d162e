"""What breaks in the middle of a run is made good by the same command, to the same bytes."""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from tests.workflow.conftest import CONFIG, Project, make_project

# One chunk that takes a few seconds, so that a kill lands inside it.
LONG = """\
simulate:
  long:
    system: lorenz63
    time: {stop: 400, samples: 100}
    sweep: {rho: {start: 24, stop: 32, count: 1500}}
    chunk: 5000
"""
# Six chunks, a table that is read, and a page.
N_CHUNKS = 6
MANY = """\
simulate:
  many:
    system: lorenz63
    time: {stop: 100, samples: 50}
    sweep: [{rho: [24, 25]}, {rho: [26, 27]}, {rho: [28, 29]}, {rho: [30, 31]}, {rho: [32, 33]}, {rho: [34, 35]}]
    ensemble: {members: 100, perturb: {x: 0.01}}
    certify: none
optimize:
  bowl: {minimize: x**2, variables: {x: {start: 1}}}
fit:
  law: {linear: "steps ~ rho", to: simulate.many}
"""


@pytest.fixture(scope="module")
def kept(source, tmp_path_factory):
    project = make_project(source, tmp_path_factory.mktemp("kept") / "project", MANY)
    assert project.run()["simulate"] == N_CHUNKS
    return project


@pytest.fixture(scope="module")
def undisturbed(kept):
    return kept.digest()


@pytest.fixture
def finished_many(kept, tmp_path):
    subprocess.run(["cp", "-a", str(kept.path), str(tmp_path / "project")], check=True)
    return Project(tmp_path / "project")


def list_chunks(project):
    return list(project.results.glob("chunks/many/*.json"))


def list_workers(process, rule):
    """Return the processes of a run that execute a rule's script."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            command = (folder / "cmdline").read_bytes()
            if f"{rule}.py".encode() in command and b"snakemake" in command and os.getpgid(int(folder.name)) == process.pid:
                found.append(int(folder.name))
        except (OSError, ValueError):
            continue
    return found


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def end(process):
    """Wait for a run's end; return its exit code and what it said."""
    output, _ = process.communicate(timeout=600)
    return process.returncode, output


def kill_all(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def check_finished(project, undisturbed):
    """Check that a run's results are those of one that nothing happened to, and that nothing is left to do."""
    project.script("prune.py")
    assert project.digest() == undisturbed
    assert project.run() == {}


def wait_for(condition, process):
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_run_killed_inside_a_chunk_is_completed_by_the_same_command(make):
    undisturbed = make(LONG, "undisturbed")
    undisturbed.run()
    killed = make(LONG, "killed")
    process = killed.start()
    wait_for(lambda: list(killed.results.glob("chunks/long/.*.part")), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not list(killed.results.glob("chunks/long/*.parquet"))
    assert killed.run()["simulate"] == 1
    killed.script("prune.py")
    assert killed.digest() == undisturbed.digest()
    assert killed.run() == {}


def test_a_then_b_killed_then_a_again_gives_a(make):
    first = LONG + "optimize:\n  q: {minimize: x**2, variables: {x: {start: 1}}}\n"
    project = make(first, "project")
    project.run()
    before = project.digest()
    project.edit("stop: 400", "stop: 500")
    process = project.start()
    wait_for(lambda: list(project.results.glob("chunks/long/.*.part")), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    project.edit("stop: 500", "stop: 400")
    assert "simulate" not in project.run()
    project.script("prune.py")
    assert project.digest() == before
    assert project.run() == {}


def test_a_failed_member_is_a_row_and_its_neighbours_are_unharmed(make):
    config = """\
systems:
  blow_up: {equations: {x: a*x**2}, parameters: {a: 1}, initial: {x: 1}}
simulate:
  burst: {system: blow_up, time: {stop: 2, samples: 5}, sweep: {a: [-1, 0.25, 1, 2]}}
"""
    project = make(config, "burst")
    project.run()
    members = pd.read_parquet(project.results / "simulate/burst/members.parquet")
    assert members["status"].tolist() == ["ok", "ok", "not_finite", "not_finite"]
    # x = 1/(1 - a t) reaches infinity at t = 1/a; the step that ends there is far below 1e-6.
    assert abs(members["status_time"] - [2, 2, 1, 0.5]).max() < 1e-6
    rows = pd.read_parquet(project.results / "simulate/burst/trajectories").merge(members[["member", "a"]], on="member")
    kept = rows[rows["t"] * rows["a"] < 0.99]
    # Truth: the closed form. The method's error of 1e-12 a step grows by less than (1 - a t)**-2 = 1e4.
    assert (kept["x"] * (1 - kept["a"] * kept["t"]) - 1).abs().max() < 1e-8
    assert rows.groupby("a")["t"].max().loc[[-1, 0.25]].tolist() == [2, 2]


def test_a_failed_member_stops_the_run_where_asked_and_the_message_names_it(make):
    config = """\
systems:
  blow_up: {equations: {x: x**2}, initial: {x: 1}}
simulate:
  burst: {system: blow_up, time: {stop: 2, samples: 5}, on_failure: stop}
"""
    project = make(config, "stopped")
    code, output = project.call()
    assert code != 0
    assert "simulate.burst: member " in output
    assert "ended at t = " in output
    assert "status not_finite" in output
    assert "Traceback" not in output


def test_a_bad_table_stops_the_fit_with_its_file_and_column(make):
    project = make("data: {d: {file: d.csv}}\nfit: {f: {linear: y ~ x, to: data.d}}\n", "bad")
    (project.path / "d.csv").write_text("x,y\n1,2\n2,three\n3,4\n")
    code, output = project.call()
    assert code != 0
    assert "d.csv, column 'y' does not hold numbers: row 2 has 'three'" in output
    assert "Traceback" not in output
    assert not (project.results / "fit/f.csv").exists()
    (project.path / "d.csv").write_text("x,y\n1,2\n2,3\n3,5\n4,5\n")
    assert project.run() == {"fit": 1, "draw": 1, "report": 1}


def test_a_second_run_in_the_same_folder_is_refused(make):
    project = make(LONG, "twice")
    process = project.start()
    wait_for(lambda: list(project.results.glob("chunks/long/.*.part")), process)
    code, output = project.call()
    assert code != 0
    assert "another run is at work in" in output
    assert f"process {process.pid}" in output
    process.communicate(timeout=300)
    assert process.returncode == 0
    assert project.run() == {}


def test_a_config_with_mistakes_runs_nothing_and_names_them_all(make):
    config = CONFIG.replace("system: rossler", "system: rosler").replace("stop: 1, samples: 5", "stop: -1, samples: 5")
    project = make(config.replace("caption: first", "caption: 5"), "mistaken")
    code, output = project.call()
    assert code != 0
    assert "config.yaml has 3 mistakes; nothing was run." in output
    assert "did you mean 'rossler'?" in output
    assert "simulate.wide.time.stop: -1 must be later than the start, 0" in output
    assert "report.figures[0].caption: 5 is not a text" in output
    assert "Traceback" not in output
    assert not project.results.exists()


def test_a_config_of_ones_own_inherits_nothing(make):
    project = make(CONFIG, "own")
    (project.path / "mine.yaml").write_text("optimize: {q: {minimize: x**2, variables: {x: {start: 1}}}}\n")
    assert project.run("--configfile", "mine.yaml") == {"optimize": 1, "collect": 1, "draw": 1, "report": 1}
    assert not (project.results / "simulate").exists()


def test_single_values_on_the_command_line_are_refused(make):
    code, output = make(CONFIG, "override").call("--config", "seed=3")
    assert code != 0
    assert "--config is not used here (seed)" in output
    assert "Traceback" not in output


def test_a_million_members_are_laid_out_by_a_dry_run(make):
    axes = "{rho: {start: 0, stop: 100, count: 1000}, sigma: {start: 1, stop: 20, count: 1000}}"
    project = make(f"simulate:\n  million: {{system: lorenz63, time: {{stop: 1}}, sweep: {axes}}}\n", "million")
    code, output = project.call("-n", "--quiet", "rules")
    assert code == 0, output
    counts = {line.split()[0]: int(line.split()[1]) for line in output.splitlines() if len(line.split()) == 2 and line.split()[1].isdigit()}
    # 6,400 members a chunk by default: about 156 chunks.
    assert 100 < counts["simulate"] < 220


def test_a_killed_worker_costs_its_own_chunk(make, undisturbed):
    project = make(MANY, "worker")
    process = project.start()
    wait_for(lambda: list_workers(process, "simulate") and list(project.results.glob("chunks/many/.*.part")), process)
    os.kill(list_workers(process, "simulate")[-1], signal.SIGKILL)
    code, output = end(process)
    assert code != 0
    assert "Error in rule simulate" in output
    assert len(list_chunks(project)) == N_CHUNKS - 1
    assert project.run()["simulate"] == 1
    check_finished(project, undisturbed)


def test_workers_that_outlive_a_killed_snakemake_do_no_harm(make, undisturbed):
    project = make(MANY, "orphans")
    process = project.start()
    wait_for(lambda: list(project.results.glob("chunks/many/.*.part")), process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    n_done = len(list_chunks(project))
    assert project.run()["simulate"] <= N_CHUNKS - n_done
    check_finished(project, undisturbed)


def test_runs_killed_again_and_again_lose_only_what_was_running(make, undisturbed):
    project = make(MANY, "again")
    moments = random.Random(1)  # noqa: S311 - moments, no secrets
    finished = ""
    for _ in range(6):
        process = project.start()
        deadline = time.monotonic() + moments.uniform(2, 12)
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        finished += process.communicate()[0]
    code, output = project.call()
    assert code == 0, output
    # No chunk is finished twice: what was lost was still running.
    assert len(re.findall(r"Finished jobid: \d+ \(Rule: simulate\)", finished + output)) <= N_CHUNKS
    check_finished(project, undisturbed)


def test_a_time_limit_ends_every_process_and_loses_only_what_was_running(make):
    # Chunks of a second and more, so that some are at work whenever the signal comes.
    slow = MANY.replace("stop: 100", "stop: 2000")
    calm, project = make(slow, "calm"), make(slow, "limit")
    calm.run()
    process = project.start()
    wait_for(lambda: list(project.results.glob("chunks/many/.*.part")), process)
    os.killpg(process.pid, signal.SIGTERM)
    code, output = end(process)
    assert code != 0
    assert "was asked to end (SIGTERM)" in output
    assert "Traceback" not in output
    n_done = len(list_chunks(project))
    assert project.run()["simulate"] == N_CHUNKS - n_done
    check_finished(project, calm.digest())


@contextmanager
def mount(*arguments):
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting takes a right that is not given here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", arguments[-1]], check=True)


def test_a_full_disk_is_named_and_what_was_finished_stays(make, undisturbed):
    project = make(MANY, "full")
    project.results.mkdir()
    with mount("-t", "tmpfs", "-o", "size=500k", "none", project.results):
        code, output = project.call()
        assert code != 0
        assert "No space left on device" in output
        assert "nothing half-written was kept" in output
        n_done = len(list_chunks(project))
        assert 0 < n_done < N_CHUNKS
        assert not list(project.results.rglob(".*.part"))
        subprocess.run(["mount", "-o", "remount,size=64m", project.results], check=True)
        assert project.run()["simulate"] == N_CHUNKS - n_done
        check_finished(project, undisturbed)


def test_a_results_folder_that_cannot_be_written_to_is_named_before_anything_runs(make, undisturbed):
    project = make(MANY, "closed")
    project.results.mkdir()
    with mount("-t", "tmpfs", "-o", "ro", "none", project.results):
        code, output = project.call()
        assert code != 0
        assert "results/logs cannot be written to: Read-only file system" in output
        assert "Traceback" not in output
    project.run()
    check_finished(project, undisturbed)


@pytest.fixture(scope="module")
def computed(source, tmp_path_factory):
    """A project whose chunks are computed and whose tables are not made yet."""
    project = make_project(source, tmp_path_factory.mktemp("computed") / "project", MANY)
    assert project.run("--until", "simulate") == {"simulate": N_CHUNKS}
    return project


@pytest.fixture
def halfway(computed, tmp_path):
    subprocess.run(["cp", "-a", str(computed.path), str(tmp_path / "project")], check=True)
    return Project(tmp_path / "project")


def test_a_chunk_cut_short_between_two_steps_is_computed_again(halfway, undisturbed):
    path = min(halfway.results.glob("chunks/many/*.members.parquet"))
    os.truncate(path, 1000)
    assert halfway.run()["simulate"] == 1
    assert f"{path.relative_to(halfway.path)} is made again: it was damaged" in halfway.output
    check_finished(halfway, undisturbed)


@pytest.mark.parametrize("kind", ["trajectories.parquet", "members.parquet"])
def test_a_bit_flipped_in_a_chunk_is_noticed_by_the_step_that_reads_it(halfway, undisturbed, kind):
    path = min(halfway.results.glob(f"chunks/many/*.{kind}"))
    flip(path)
    code, output = halfway.call()
    assert code != 0
    assert "files were altered after they were written" in output
    assert path.name.split(".")[0] in output
    assert halfway.run()["simulate"] == 1
    check_finished(halfway, undisturbed)


def test_a_record_of_snakemake_that_is_gone_costs_nothing(halfway, undisturbed):
    shutil.rmtree(halfway.path / ".snakemake")
    assert "simulate" not in halfway.run()
    check_finished(halfway, undisturbed)


@pytest.mark.parametrize(
    ("file", "jobs"),
    [
        ("simulate/many/members.parquet", {"gather"}),
        ("simulate/many/trajectories/*.parquet", {"simulate", "gather"}),
        ("optimize/bowl.csv", {"collect"}),
    ],
)
def test_a_bit_flipped_in_a_result_is_noticed_when_a_run_starts(finished_many, undisturbed, file, jobs):
    path = min(finished_many.results.glob(file))
    flip(path)
    ran = finished_many.run()
    assert jobs <= ran.keys()
    assert ran.get("simulate", 0) <= 1
    assert f"{path.relative_to(finished_many.path)} has another checksum" in finished_many.output
    check_finished(finished_many, undisturbed)
