"""A scan in which each member continues from the one before: hysteresis, chains in the plan, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from phaseflow.config import load_config
from phaseflow.errors import ConfigError
from phaseflow.findings.trajectories import FINDINGS
from phaseflow.plan import Plan
from phaseflow.sweeps import Axis, Identity, plan_members
from tests.unit.tasks import resolve, simulate

# dx/dt = r + x - x**3 has two stable states where |r| < 2/sqrt(27): a scan upwards leaves the lower one at the fold, 0.3849.
FOLD = 2 / np.sqrt(27)
UP, DOWN = {"r": {"start": -0.6, "stop": 0.6, "count": 25}}, {"r": {"start": 0.6, "stop": -0.6, "count": 25}}
SCAN = {
    "system": {"equations": {"x": "r + x - x**3"}, "parameters": {"r": 0}, "initial": {"x": -1}},
    "time": {"stop": 200, "samples": 2},
    "sweep": [UP, DOWN],
    "continuation": "r",
    "certify": "none",
}
CONFIG = """
simulate:
  scan:
    system: {equations: {x: r + x - x**3}, parameters: {r: 0}, initial: {x: -1}}
    time: {stop: 200, samples: 2}
    sweep: [{r: {start: -0.6, stop: 0.6, count: 25}}, {r: {start: 0.6, stop: -0.6, count: 25}}]
    continuation: r
"""


def lay_out(blocks, chunk=100, chained="r"):
    axes = [[Axis(name, np.array(values, dtype=float)) for name, values in block.items()] for block in blocks]
    return plan_members(Identity("system", {"r": 0.0, "s": 0.0}, chained=chained), axes, chunk)


def find_ends(members, trajectories):
    return trajectories.groupby("member")["x"].last().loc[members["member"]].to_numpy()


def test_a_scan_follows_each_branch_to_its_fold(tmp_path):
    members, trajectories = simulate(tmp_path, SCAN)
    r, ends = members["r"].to_numpy(), find_ends(members, trajectories)
    is_up = np.arange(50) < 25
    assert (np.abs(np.abs(r) - FOLD) > 0.01).all()  # next to a fold motion is slow
    assert (np.sign(ends[is_up]) == np.where(r[is_up] > FOLD, 1, -1)).all()
    assert (np.sign(ends[~is_up]) == np.where(r[~is_up] < -FOLD, -1, 1)).all()


def test_each_member_starts_where_the_one_before_ended(tmp_path):
    members, trajectories = simulate(tmp_path, SCAN)
    ends, before = find_ends(members, trajectories), members["continued_from"]
    assert before.isna().tolist() == [place in (0, 25) for place in range(50)]
    later = [place for place in range(50) if place not in (0, 25)]
    assert [before[place] for place in later] == [members["member"][place - 1] for place in later]
    assert [members["x_0"][place] for place in later] == [ends[place - 1] for place in later]
    assert members["x_0"][0] == members["x_0"][25] == -1


def test_a_member_after_one_that_failed_starts_afresh(tmp_path):
    # x' = r x**2, x(1) = 1/(1/x - r): 1/2 where r = -1, then a pole at t = 2/3 where r = 3.
    burst = {"equations": {"x": "r*x**2"}, "parameters": {"r": 0}, "initial": {"x": 1}}
    settings = {"system": burst, "time": {"stop": 1}, "sweep": {"r": [-1, 3, -2]}, "continuation": "r"}
    members, _ = simulate(tmp_path, settings)
    assert members["status"].tolist() == ["ok", "not_finite", "ok"]
    assert members["x_0"].to_list() == pytest.approx([1, 1 / 2, 1], rel=1e-11)
    assert members["continued_from"].isna().tolist() == [True, False, True]


def test_a_chain_is_never_cut_and_keeps_the_order_of_the_list():
    members = lay_out([{"r": [3, 1, 2], "s": np.arange(40)}], chunk=12)
    assert len(members.chunks()) > 4
    for places in members.chunks():
        assert len(places) % 3 == 0
        assert np.array_equal(members.columns["r"][places].reshape(-1, 3), np.tile([3, 1, 2], (len(places) // 3, 1)))
        assert (members.columns["s"][places].reshape(-1, 3).std(axis=1) == 0).all()


def test_the_member_before_is_the_one_before_in_the_list_with_all_else_equal():
    members = lay_out([{"s": [5, 4], "r": [3, 1, 2]}, {"r": [1, 3], "s": [4, 6]}])
    r, s = members.columns["r"], members.columns["s"]
    follows = {(r[place], s[place], r[before]) for place, before in enumerate(members.previous) if before >= 0}
    assert follows == {(1, 5, 3), (2, 5, 1), (1, 4, 3), (2, 4, 1), (3, 4, 1), (3, 6, 1)}
    assert all(s[place] == s[before] for place, before in enumerate(members.previous) if before >= 0)


def test_a_member_of_a_chain_is_another_where_its_chain_is_another():
    one, other, fresh = lay_out([{"r": [1, 2, 3]}]), lay_out([{"r": [3, 2, 1]}]), lay_out([{"r": [1, 2, 3]}], chained=None)
    assert not set(one.ids) & set(other.ids)
    assert not set(one.ids) & set(fresh.ids)
    assert np.array_equal(lay_out([{"r": [1, 2, 3]}, {"r": [1, 2, 3]}]).ids, one.ids)
    assert (fresh.previous == -1).all()


def test_results_do_not_depend_on_chunk_size(tmp_path):
    settings = SCAN | {"ensemble": {"members": 5, "perturb": {"x": 0.1}}}
    tables = [simulate(tmp_path, settings | {"chunk": chunk}) for chunk in (1_000, 30)]
    assert len(resolve(settings | {"chunk": 30}).lay_out().chunks()) > 4
    pd.testing.assert_frame_equal(tables[0][0], tables[1][0], check_exact=True)
    assert np.array_equal(*(find_ends(*table) for table in tables))


@pytest.mark.parametrize("along", ["x", "initial.x", "s", "solver.tolerance"])
def test_continuation_is_along_a_parameter_that_every_sweep_has(tmp_path, along):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.replace("continuation: r", f"continuation: {along}"))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert "simulate.scan.continuation" in str(caught.value)


def test_the_finding_says_where_the_ways_differ():
    values = [1.0, 2.0, 3.0]
    table = pd.DataFrame(
        {"r": values + values[::-1], "status": "ok", "lyapunov_1": [-1, -1, 1, 1, 1, -1.0], "lyapunov_1_se": 0.1, "steps": 10}
    )
    claims = [finding.claim for finding in FINDINGS.find({"continuation": "r", "certify": {}}, table, {})]
    assert "At 1 of 3 values of r (2) the motion depends on which way the scan went: hysteresis." in claims


def test_a_plan_of_chains_has_its_chunks_named_by_what_they_hold(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    first = set(Plan(load_config(path)).chunks("simulate", "scan"))
    path.write_text(CONFIG.replace("{start: 0.6, stop: -0.6, count: 25}", "{start: 0.6, stop: -0.6, count: 26}"))
    assert len(first & set(Plan(load_config(path)).chunks("simulate", "scan"))) == 1
