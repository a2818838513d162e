"""What breaks in the middle of a run is made good by the same command, to the same bytes."""

import os
import signal
import time

import pandas as pd

from tests.workflow.conftest import CONFIG

# One chunk that takes a few seconds, so that a kill lands inside it.
LONG = """\
simulate:
  long:
    system: lorenz63
    time: {stop: 400, samples: 100}
    sweep: {rho: {start: 24, stop: 32, count: 1500}}
    chunk: 5000
"""


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
    # 5,000 members a chunk by default: about 200 chunks.
    assert 150 < counts["simulate"] < 250
