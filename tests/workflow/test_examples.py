"""Every example runs to its page, and says what is known to be true of it."""

import shutil

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from tests.workflow.conftest import ROOT, Project

# What is made smaller in an example that takes minutes as it is.
SMALLER = {
    "benchmark": {
        "algorithm: all, budget: 1000": "algorithm: [scipy_ls_trf, scipy_bfgs, scipy_powell, nlopt_sbplx], budget: 1000",
        "starts: 3": "starts: 1",
    }
}
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.yaml"))


@pytest.fixture(scope="module")
def run_example(source, tmp_path_factory):
    def run(name):
        folder = tmp_path_factory.mktemp(name) / "project"
        shutil.copytree(source, folder)
        shutil.copytree(ROOT / "examples", folder / "examples")
        project = Project(folder)
        for old, new in SMALLER.get(name, {}).items():
            project.edit(old, new, f"examples/{name}.yaml")
        project.run("--configfile", f"examples/{name}.yaml")
        return project.results

    return run


def test_there_are_at_least_four_examples():
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_to_its_page(run_example, name):
    results = run_example(name)
    assert (results / "report/index.html").stat().st_size > 10_000
    for members in results.glob("simulate/*/members.parquet"):
        assert (pd.read_parquet(members)["status"] == "ok").all()
    check = CHECKS.get(name)
    if check:
        check(results)


def check_trees(results):
    terms = pd.read_csv(results / "fit/power_law.csv").set_index("term")
    # A standard textbook result (Ryan et al. 1976): -6.632 + 1.983 log(girth) + 1.117 log(height).
    assert terms["estimate"].round(3).tolist() == [-6.632, 1.983, 1.117]
    curve = pd.read_csv(results / "fit/curve.csv").set_index("term")
    assert min(terms["certified_digits"].min(), curve["certified_digits"].min()) >= 15
    # The same law with errors that are added has nearly the same exponents.
    assert (curve["estimate"] - [0.00145, 2, 1.09]).abs().max() < 0.01


def check_pendulum(results):
    swing = pd.read_parquet(results / "simulate/swing/trajectories")
    energy = swing["p"] ** 2 / 2 - np.cos(swing["q"])
    assert (energy.diff().dropna() < 1e-9).all()  # friction only takes energy away
    scan = pd.read_parquet(results / "simulate/drive_scan/members.parquet").set_index("drive")
    # Baker and Gollub (1990), sec. 3: locked to the drive at 0.9 and 1.35, chaotic at 1.15.
    assert scan["lyapunov_1"].iloc[0] < 0
    assert scan["lyapunov_1"].loc[1.14:1.16].max() > 0.05


def check_chaotic_record(results):
    multiple, single = (pd.read_csv(results / f"optimize/{name}.csv") for name in ("multiple", "single"))
    assert (multiple["status"] == "converged").all()
    assert (multiple["error"] < 0.005).all()
    assert (multiple["gap"] < 1e-5).all()
    assert multiple["chi2_per_dof"].between(0.8, 1.2).all()
    for name, truth in (("sigma", 10), ("rho", 28), ("beta", 8 / 3)):
        assert ((multiple[f"{name}_low"] < truth) & (truth < multiple[f"{name}_high"])).all()
    assert (single["error"] > 0.005).sum() > 10


def check_large_sweep(results):
    members = pd.read_parquet(results / "simulate/plane/members.parquet")
    classic = members[(members["rho"] == 30) & (members["sigma"] == 10)]
    assert classic["lyapunov_1"].between(0.7, 1.2).all()
    # Below rho = sigma (sigma + beta + 3)/(sigma - beta - 1), with sigma > beta + 1, the fixed points attract.
    quiet = members[(members["sigma"] >= 6) & (members["rho"] == 10)]
    assert (quiet["lyapunov_1"] < 0).all()


def check_supply_chain(results):
    folder = ROOT / "examples/data"
    supply, demand, routes = (pd.read_csv(folder / f"{name}.csv") for name in ("bakeries", "shops", "routes"))
    upper = [[float(route["from"] == node) for _, route in routes.iterrows()] for node in supply["node"]]
    equal = [[float(route["to"] == node) for _, route in routes.iterrows()] for node in demand["node"]]
    # The simplex method on the same problem, stated anew.
    truth = linprog(routes["cost"], A_ub=upper, b_ub=supply["supply"], A_eq=equal, b_eq=demand["demand"], method="highs-ds")
    assert pd.read_csv(results / "optimize/delivery.csv")["value"][0] == pytest.approx(truth.fun, abs=1e-9)
    growth = pd.read_csv(results / "optimize/growth.csv")
    # 1,060 loaves less the 750 of the other shops leave 310 for Garden.
    assert ((growth["status"] == "converged") == (growth["demand.Garden"] <= 310)).all()
    assert (growth.loc[growth["status"] == "converged", "certificate"] == "exact_optimal").all()
    missing = growth.loc[growth["demand.Garden"] == 320, "message"].item()
    assert "10 more" in missing or "10 less" in missing
    ovens = pd.read_csv(results / "optimize/new_ovens.csv")
    assert (ovens["status"] == "converged").all()
    # What is dearer costs no less, and at most the rise in rent where the site is open.
    rises = ovens["value"].diff().dropna()
    assert rises.between(-1e-9, 5 + 1e-9).all()
    assert ovens["open.Station"].iloc[[0, -1]].tolist() == [1, 0]
    baking = pd.read_csv(results / "optimize/baking.csv")
    # 100 loaves of rye need 100/90 of an hour.
    assert ((baking["status"] == "infeasible") == (baking["oven_hours"] < 100 / 90)).all()
    prices = baking["price.ovens"].dropna()
    assert (prices.diff().dropna() <= 0).all()  # the more hours there are, the less is one more worth


def check_hysteresis(results):
    members = pd.read_parquet(results / "simulate/lorenz_both_ways/members.parquet")
    is_up = np.arange(len(members)) < len(members) // 2
    # Sparrow (1982), ch. 2: the fixed points attract below 470/19 = 24.74, the chaotic attractor above 24.06.
    both = members["rho"].between(24.1, 24.65)
    assert (members["lyapunov_1"][both & is_up] < 0.01).all()
    assert (members["lyapunov_1"][both & ~is_up] > 0.5).all()
    assert (members["lyapunov_1"][members["rho"] > 25.5] > 0.5).all()


def check_unknown_equations(results):
    found = pd.read_csv(results / "fit/found.csv")
    # Lorenz's seven terms and no other, in spite of the noise.
    assert found["standing"].tolist() == ["found"] * 7
    assert found["relative_error"].max() < 0.05
    ahead = pd.read_csv(results / "fit/ahead.csv").set_index("term")
    assert ahead.loc["quadratic", "estimate"] > 6
    assert ahead.loc["quadratic", "p"] < 0.05
    trap = pd.read_csv(results / "fit/trap.csv").set_index("term")
    assert trap.loc["kappa", "ci_low"] < 1 < trap.loc["kappa", "ci_high"]


def check_training(results):
    trials = pd.read_csv(results / "optimize/one_step.csv")
    assert (trials["status"] == "stopped").all()
    assert (trials["evaluations"] == 300).all()
    assert trials["gradient_error"].max() < 1e-12
    # One step of Lorenz's system is no linear map.
    best = trials.loc[trials["value"].idxmin()]
    assert best["validation_loss"] < 0.01 * best["linear_validation_loss"]
    linear = pd.read_csv(results / "optimize/linear.csv").set_index("algorithm")
    assert linear.loc["scipy_lbfgsb", "gap_known"] < 1e-14
    assert (linear["gap_known"] > -1e-14).all()


def check_certified_optima(results):
    camel = pd.read_csv(results / "optimize/camel.csv")
    assert (camel["certificate"] == "unique_minimum").all()
    assert (camel["gap_scope"] == "global").all()
    # The least value of the six-hump camel function, and of its local minima (Dixon and Szego 1978).
    assert camel["certified_value"].min().round(7) == -1.0316285
    assert np.allclose(camel["gap_proven"], camel["value"] + 1.0316284534898774, atol=1e-8)
    test71 = pd.read_csv(results / "optimize/hock_schittkowski_71.csv")
    assert (test71["certificate"] == "unique_minimum").all()
    # Hock and Schittkowski (1981), problem 71.
    assert np.allclose(test71["certified_value"], 17.0140173, rtol=1e-8)
    valley = pd.read_csv(results / "optimize/valley.csv")
    assert (valley[["certified_u", "certified_v", "certified_w"]] == 1).all(axis=None)
    newton, _, differences = valley["evaluations"] + valley["gradients"] + valley["hessians"]
    assert newton < differences


def check_benchmark(results):
    trials = pd.read_csv(results / "optimize/more_wild.csv")
    assert (trials["evaluations"] <= 1000).all()
    solved = trials[trials["gap_relative"] <= 1e-5].groupby("algorithm")["problem"].nunique()
    # A quasi-Newton or a Gauss-Newton method solves at least 49 of the 54 within the budget.
    assert solved["scipy_bfgs"] >= 49
    assert solved["scipy_ls_trf"] >= 49
    ranks = pd.read_csv(results / "optimize/more_wild/ranks.csv").set_index("algorithm")
    assert ranks["mean_rank"].sum() == pytest.approx(1 + 2 + 3 + 4, abs=1e-12)
    pairs = pd.read_csv(results / "optimize/more_wild/comparisons.csv").set_index(["algorithm", "other"])
    # Least squares that sees single residuals beats searches without derivatives.
    assert pairs.loc[("scipy_ls_trf", "scipy_powell"), "verdict"] == "better"
    profiles = pd.read_parquet(results / "optimize/more_wild/profiles.parquet")
    assert set(profiles["profile"]) == {"performance", "data", "targets"}
    assert (pd.read_csv(results / "optimize/many_minima/running_times.csv")["expected"] > 0).all()


CHECKS = {
    "certified_optima": check_certified_optima,
    "training": check_training,
    "benchmark": check_benchmark,
    "chaotic_record": check_chaotic_record,
    "unknown_equations": check_unknown_equations,
    "supply_chain": check_supply_chain,
    "trees": check_trees,
    "pendulum": check_pendulum,
    "large_sweep": check_large_sweep,
    "hysteresis": check_hysteresis,
}
