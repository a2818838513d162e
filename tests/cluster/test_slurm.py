"""Runs on a real Slurm: the bytes of a local run, also after jobs were cancelled, lost their node or ran out of memory."""

import re
import socket
import subprocess
import time

import pytest

from tests.cluster.conftest import PROFILE
from tests.workflow.conftest import make_project

TINY = """\
seed: 1
simulate:
  wide:
    system: lorenz63
    time: {stop: 1, samples: 5}
    sweep: {rho: [20, 24, 28]}
    chunk: 1
optimize:
  quadratic: {minimize: x0**2 + 10*x1**2 + x0*x1, variables: {x0: {start: 1}, x1: {start: 1}}}
fit:
  law: {linear: "steps ~ rho", to: simulate.wide}
report:
  title: Test
  figures: [{attractor: simulate.wide}]
"""
LONG = """\
simulate:
  long:
    system: lorenz63
    time: {stop: 400, samples: 100}
    sweep: {rho: {start: 24, stop: 32, count: 600}}
    chunk: 5000
"""
# A trajectory of 384 megabytes, of which there are copies while tables are made, for longer than Slurm takes between two looks.
LARGE = """\
simulate:
  large: {system: lorenz96, time: {stop: 10, samples: 1200000}, certify: none}
report: {figures: []}
"""


def wait_for(condition, process):
    deadline = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.2)


def list_jobs(state, columns="%i"):
    """Return the ids, or other columns, of the jobs in a state: R for running, PD for pending, all."""
    return subprocess.run(["squeue", "-h", "-t", state, "-o", columns], capture_output=True, text=True, check=True).stdout.split()


def set_node(state):
    node = f"nodename={socket.gethostname().split('.')[0]}"
    subprocess.run(["scontrol", "update", node, f"state={state}", "reason=test"], check=True)


def finish(process):
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return output


def count_submissions(output):
    return len(re.findall(r"submitted with SLURM jobid", output))


def test_results_are_those_of_a_local_run(make, on_slurm):
    here, there = make(TINY, "here"), on_slurm(TINY)
    here.run()
    there.run(*PROFILE)
    assert there.digest() == here.digest()
    # Three chunks are one pack, and the study's is another; then gather, collect, fit, draw and report.
    assert count_submissions(there.output) == 7
    assert there.run(*PROFILE) == {}


def test_long_chunks_go_in_an_array_to_the_partition_that_they_fit(make, on_slurm):
    here, there = make(TINY, "here"), on_slurm(TINY)
    here.run()
    # By what an earlier chunk took, these take 200 s and are given 17 minutes.
    record = there.results / "timings/simulate/wide/0000000000000000.tsv"
    record.parent.mkdir(parents=True)
    record.write_text("s\tmax_rss\n200\t100\n")
    partitions = there.path / "partitions.yaml"
    partitions.write_text("partitions: {debug: {max_runtime: 15, max_mem_mb: 4000}, long: {max_runtime: 60, max_mem_mb: 4000}}\n")
    before = list_jobs("all", "%A|%F|%K|%P")
    finish(there.start(*PROFILE, "--slurm-partition-config", str(partitions)))
    jobs = [line.split("|")[1:] for line in list_jobs("all", "%A|%F|%K|%P") if line not in before]
    tasks = [job for job in jobs if job[1] != "N/A"]
    # The pack of the study's trials, which are short, goes to the other partition; the steps after them have an hour.
    assert sorted(task[1:] for task in tasks) == [["1", "long"], ["2", "long"], ["3", "long"]]
    assert len({task[0] for task in tasks}) == 1
    assert sum(job[2] == "debug" for job in jobs) == 1
    check_finished(there, here.digest())


@pytest.fixture(scope="module")
def undisturbed(source, tmp_path_factory):
    """The results of a local run to which nothing happened."""
    project = make_project(source, tmp_path_factory.mktemp("undisturbed") / "project", LONG)
    project.run()
    return project.digest()


def is_writing(project):
    return list(project.results.glob("chunks/long/.*.part"))


def check_finished(project, undisturbed):
    project.script("prune.py")
    assert project.digest() == undisturbed


def test_a_cancelled_job_is_submitted_again(on_slurm, undisturbed):
    project = on_slurm(LONG)
    process = project.start(*PROFILE)
    wait_for(lambda: is_writing(project), process)
    subprocess.run(["scancel", *list_jobs("R")], check=True)
    output = finish(process)
    assert "CANCELLED" in output
    assert "Trying to restart" in output
    check_finished(project, undisturbed)


def test_jobs_wait_for_a_drained_node_and_are_made_good_when_it_goes_down(on_slurm, undisturbed):
    project = on_slurm(LONG)
    set_node("drain")
    process = project.start(*PROFILE)
    wait_for(lambda: list_jobs("PD"), process)
    assert not is_writing(project)
    set_node("resume")
    wait_for(lambda: is_writing(project), process)
    set_node("down")
    wait_for(lambda: list_jobs("PD"), process)
    # The node returns by itself when it answers; its job would be held back for two minutes.
    wait_for(lambda: subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, check=True).stdout.strip() == b"idle", process)
    # Only when the first copy is gone, five seconds after the signal, may a second be started.
    time.sleep(10)
    subprocess.run(["scontrol", "update", f"jobid={list_jobs('PD')[0]}", "starttime=now"], check=True)
    finish(process)
    check_finished(project, undisturbed)


def test_a_job_out_of_memory_is_given_more(make, on_slurm):
    here, there = make(LARGE, "here"), on_slurm(LARGE)
    here.run()
    # An earlier, smaller chunk makes the plan ask for too little.
    record = there.results / "timings/simulate/large/0000000000000000.tsv"
    record.parent.mkdir(parents=True)
    record.write_text("s\tmax_rss\n100\t10\n")
    output = finish(there.start(*PROFILE))
    assert "mem_mb=800" in output
    assert "mem_mb=1600" in output
    check_finished(there, here.digest())
