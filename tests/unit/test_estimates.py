"""What a chunk is expected to need: enough for each, more at each attempt, and learnt from chunks that have run."""

import re
from pathlib import Path

import pytest

from phaseflow import paths
from phaseflow.config import load_config
from phaseflow.estimates import Estimate
from phaseflow.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """\
simulate:
  short: {system: lorenz63, time: {stop: 1, samples: 11}, sweep: {rho: [1, 2, 3]}}
  long: {system: lorenz63, time: {stop: 1e5}, measure: {lyapunov: all}, sweep: {rho: {start: 1, stop: 2, count: 500}}, chunk: 100}
  large: {system: lorenz96, time: {stop: 1e4, samples: 1001}, ensemble: {members: 5000, perturb: {x_1: 0.1}}, certify: none, chunk: 5000}
"""


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(CONFIG)
    return Plan(load_config(Path("config.yaml")))


@pytest.mark.parametrize(("seconds", "pack"), [(0.01, "2s"), (3.9, "2s"), (4, "4s"), (31, "16s"), (50, "32s"), (64, None), (1e6, None)])
def test_short_chunks_are_packed_by_their_duration(seconds, pack):
    assert Estimate(seconds, 500).pack == pack


def test_the_profile_packs_every_duration_to_about_a_minute():
    text = (ROOT / "profiles/slurm/config.yaml").read_text()
    counts = {(section, int(seconds)): int(count) for section, seconds, count in re.findall(r"- (\w+)-(\d+)s=(\d+)", text)}
    assert {(section, seconds) for section in ("simulate", "optimize") for seconds in (2, 4, 8, 16, 32)} == counts.keys()
    assert all(60 <= seconds * count <= 120 for (_, seconds), count in counts.items())


def test_each_attempt_is_given_twice_as_much():
    estimate = Estimate(1000, 700)
    assert [estimate.find_memory(attempt) for attempt in (1, 2, 3)] == [700, 1400, 2800]
    assert [estimate.find_minutes(attempt) for attempt in (1, 2)] == [84, 168]


def test_more_work_is_expected_to_take_longer_and_more_rows_more_memory(plan):
    short, long, large = (plan.estimate("simulate", name) for name in ("short", "long", "large"))
    assert short.pack == "2s"
    assert long.pack is None
    assert short.seconds < long.seconds
    assert large.memory_mb > 2 * short.memory_mb


def test_chunks_that_share_an_array_are_given_enough_for_each(plan):
    needs = [plan.needs("simulate", name) for name in ("long", "large")]
    assert needs[0] == needs[1]
    assert needs[0].memory_mb == plan.estimate("simulate", "large").memory_mb
    assert needs[0].seconds == max(plan.estimate("simulate", name).seconds for name in ("long", "large"))


def test_an_estimate_follows_the_chunks_that_have_run(plan):
    folder = paths.TIMINGS / "simulate" / "short"
    folder.mkdir(parents=True)
    for name, row in {"a": "100\t2000", "b": "300\tNA", "c": "no number\t9", "d": ""}.items():
        (folder / f"{name}.tsv").write_text(f"s\tmax_rss\n{row}\n")
    # 1.3 times the memory seen, 400 MB for the two Snakemakes around it, a trace for the three members of the plan; rounded up.
    assert plan.estimate("simulate", "short") == Estimate(300, 3100)
