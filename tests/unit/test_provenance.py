"""The page about a run: its commit, what differs from it, and what the rules took."""

import contextlib
import subprocess
from pathlib import Path

from phaseflow.provenance import describe_run, find_commit, list_times

TIMES = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n{}\t0:00:02\t{}\t-\t-\t-\t-\t-\t-\t-\n"


def test_the_commit_and_what_differs_from_it(tmp_path):
    assert find_commit(tmp_path) == (None, [])
    for command in (["init", "-q"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "one"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    commit, changed = find_commit(tmp_path)
    assert len(commit) == 40
    assert changed == []
    (tmp_path / "new.py").write_text("")
    assert find_commit(tmp_path) == (commit, ["?? new.py"])


def test_times_of_a_rule_are_added_up(tmp_path):
    (tmp_path / "simulate/a").mkdir(parents=True)
    (tmp_path / "compiled").mkdir()
    (tmp_path / "simulate/a/1.tsv").write_text(TIMES.format("2.5", "100"))
    (tmp_path / "simulate/a/2.tsv").write_text(TIMES.format("1.5", "300.5"))
    (tmp_path / "simulate/a/3.tsv").write_text("")  # as a full disk leaves it
    (tmp_path / "report.tsv").write_text(TIMES.format("4", "-"))
    times = {item.rule: item for item in list_times(tmp_path)}
    assert times.keys() == {"simulate", "report"}
    assert times["simulate"][1:] == (2, 4.0, 2.5, 300.5)


def test_the_run_page_names_packages_and_escapes(tmp_path):
    with contextlib.chdir(tmp_path):
        Path("results/timings").mkdir(parents=True)
        describe_run(tmp_path)
        page = Path("results/timings/run.html").read_text()
    assert "the code is in no git repository" in page
    assert "<li>numpy " in page
