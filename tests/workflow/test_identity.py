"""The same bytes whatever the cores, the place and the size of the chunks."""

import pandas as pd
import pytest

from tests.workflow.conftest import CONFIG

SWEEP = """\
seed: 7
simulate:
  grid:
    system: lorenz63
    time: {stop: 2, samples: 11}
    sweep: [{rho: {start: 0, stop: 60, count: 40}}, {sigma: [9, 10, 11], rho: 28}]
    ensemble: {members: 2, perturb: {x: 0.01}}
    chunk: CHUNK
optimize:
  valley:
    minimize: (1 - a)**2 + 100*(b - a**2)**2
    variables: {a: {start: -1, lower: -2, upper: 2}, b: {start: 1, lower: -2, upper: 2}}
    sweep: {algorithm: [scipy_lbfgsb, nlopt_slsqp], starts: 6}
    chunk: CHUNK
fit:
  law: {linear: "steps ~ rho", to: simulate.grid}
"""


def test_results_do_not_depend_on_cores_or_folder(finished, make):
    other = make(CONFIG, "a folder elsewhere")
    other.run(cores=1)
    assert other.digest() == finished.digest()


def test_results_do_not_depend_on_chunk_size(make):
    small, large = make(SWEEP.replace("CHUNK", "5"), "small"), make(SWEEP.replace("CHUNK", "1000"), "large")
    assert small.run()["simulate"] > 5
    assert large.run()["simulate"] == 2
    leave_out = ("chunks/", "receipts/", "simulate/grid/trajectories/")
    assert small.digest(leave_out=leave_out) == large.digest(leave_out=leave_out)
    rows = [pd.read_parquet(p.results / "simulate/grid/trajectories").sort_values(["member", "t"]) for p in (small, large)]
    pd.testing.assert_frame_equal(*[frame.reset_index(drop=True) for frame in rows], check_exact=True)


def test_a_member_is_the_same_alone_and_in_company(finished, make):
    alone = make(CONFIG.replace("[20, 24, 28, 32]", "[28]").replace('  law: {linear: "steps ~ rho", to: simulate.wide}\n', ""), "alone")
    alone.run()
    together = pd.read_parquet(finished.results / "simulate/wide/trajectories")
    single = pd.read_parquet(alone.results / "simulate/wide/trajectories")
    shared = together[together["member"] == single["member"][0]].reset_index(drop=True)
    pd.testing.assert_frame_equal(shared, single, check_exact=True)


@pytest.mark.parametrize("missing", ["members", "trials"])
def test_tables_have_the_order_of_the_config(finished, missing):
    if missing == "members":
        assert pd.read_parquet(finished.results / "simulate/wide/members.parquet")["rho"].tolist() == [20, 24, 28, 32]
    else:
        assert pd.read_csv(finished.results / "optimize/quadratic.csv")["algorithm"].tolist() == ["scipy_lbfgsb", "scipy_bfgs"]
