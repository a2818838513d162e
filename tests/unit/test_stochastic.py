"""Stochastic scenarios as a user states them: pairs, steps as an axis, chunks, evidence, and Heston's model against closed forms."""

import numpy as np
import pandas as pd
import pytest

from tests.unit.tasks import resolve, simulate

GBM = "geometric_brownian_motion"


def pivot(members, trajectories, state):
    """Return a state as (n_members, n_times), in the plan's order."""
    return trajectories.pivot_table(index="member", columns="t", values=state).loc[members["member"]].to_numpy()


def make_settings(system=GBM, stop=1, samples=5, members=20, **others):
    return {"system": system, "time": {"stop": stop, "samples": samples}, "ensemble": {"members": members}, **others}


@pytest.mark.parametrize(
    ("system", "method"),
    [(GBM, "exact"), ("ornstein_uhlenbeck", "exact"), ("heston", "euler_maruyama"), ("stochastic_lotka_volterra", "euler_maruyama")],
)
def test_the_exact_law_is_the_default_where_there_is_one(system, method):
    scenario = resolve(make_settings(system))
    assert scenario.solver.method == method
    assert scenario.certify.method == ("none" if method == "exact" else "refine")


def test_results_do_not_depend_on_the_size_of_chunks(tmp_path):
    settings = make_settings("heston", members=130, solver={"antithetic": True})
    tables = [simulate(tmp_path, settings | {"chunk": chunk}) for chunk in (1_000, 7)]
    pd.testing.assert_frame_equal(tables[0][0], tables[1][0], check_exact=True)
    for state in ("S", "v"):
        assert np.array_equal(*(pivot(*table, state) for table in tables))


def test_a_sweep_of_the_step_follows_the_same_paths(tmp_path):
    steps = [2.0**-k for k in range(4, 9)]
    solver = {"method": "milstein"}
    volatile = {"parameters": {"sigma": 0.8}}
    members, paths = simulate(
        tmp_path, make_settings(members=400, solver=solver, sweep={"solver.step": steps}, certify="refine", **volatile)
    )
    truth = pivot(*simulate(tmp_path, make_settings(members=400, **volatile)), "S")
    errors = [np.abs(pivot(part, paths, "S") - truth)[:, -1].mean() for _, part in members.groupby("solver.step", sort=False)]
    assert members["member"].nunique() == 5 * 400
    # Strong order 1 by an ordinary sweep; 400 shared paths fix the ratio of neighbouring errors to a few per cent.
    assert -np.diff(np.log2(errors)).mean() == pytest.approx(1, abs=0.1)
    # The difference to half the step is half of the error where the order is 1, and falls as it does.
    medians = members.groupby("solver.step", sort=False)["step_error"].median()
    assert -np.diff(np.log2(medians)).mean() == pytest.approx(1, abs=0.1)


def test_the_step_error_is_the_difference_to_half_the_step_relative_to_the_range(tmp_path):
    solver = {"method": "euler_maruyama", "step": 0.25}
    members, coarse = simulate(tmp_path, make_settings(solver=solver))
    assert members["reliable_method"].eq("refine").all()
    assert members["reliable_until"].isna().all()
    fine = simulate(tmp_path, make_settings(solver=solver | {"step": 0.125}))
    one, other = pivot(members, coarse, "S"), pivot(*fine, "S")
    wanted = np.abs(one - other).max(axis=1) / np.ptp(other, axis=1)
    assert members["step_error"].to_numpy() == pytest.approx(wanted, rel=1e-12)
    # A step longer than the time between samples is that time, and is halved all the same.
    longer = simulate(tmp_path, make_settings(solver=solver | {"step": 7}))[0]
    assert np.array_equal(longer["step_error"], members["step_error"])


@pytest.mark.parametrize("method", ["exact", "euler_maruyama"])
def test_antithetic_members_mirror_each_other(tmp_path, method):
    settings = make_settings(members=40, stop=2, solver={"method": method, "antithetic": True})
    members, paths = simulate(tmp_path, settings | {"ensemble": {"members": 40, "perturb": {"S": 1}}})
    prices = pivot(members, paths, "S")
    assert np.array_equal(members["S_0"][0::2], members["S_0"][1::2])
    assert members["S_0"].nunique() == 20
    if method == "exact":
        returns = np.log(prices[:, -1] / prices[:, 0]) - 2 * (0.07 - 0.02)
        # Exact but for the rounding of log and of four products: nothing of the noise, whose deviation is 0.28, is left.
        assert returns[0::2] + returns[1::2] == pytest.approx(np.zeros(20), abs=1e-14)
    assert not np.isclose(prices[0::2, -1], prices[1::2, -1]).any()


def test_antithetic_pairs_reduce_the_variance_of_a_mean(tmp_path):
    n = 4_000
    plain, paired = (
        pivot(*simulate(tmp_path, make_settings(members=n, samples=2, solver={"antithetic": flag})), "S")[:, -1] for flag in (False, True)
    )
    variances = [ends.reshape(-1, 2).mean(axis=1).var() for ends in (plain, paired)]
    # exp(s Z) and exp(-s Z) have the correlation -exp(-s**2), so the variance of their mean is 1/(1 - exp(-s**2)) = 25.5 times less. A
    # pair's mean is nearly a square of Z, whose kurtosis is 15: the variance of 2,000 of them has a standard error of 8 %.
    assert variances[0] / variances[1] == pytest.approx(1 / (1 - np.exp(-0.04)), rel=0.25)
    truth, deviation = 100 * np.exp(0.07), np.sqrt(variances[1] / (n / 2))
    assert abs(paired.mean() - truth) < 4 * deviation


def test_more_pairs_change_no_member():
    few, many = (resolve(make_settings(members=n, solver={"antithetic": True})).lay_out() for n in (10, 16))
    assert np.array_equal(few.ids, many.ids[:10])
    assert np.array_equal(few.streams, many.streams[:10])
    assert np.array_equal(many.streams[0::2], many.streams[1::2])
    assert len(np.unique(many.streams)) == 8
    plain = resolve(make_settings(members=8)).lay_out()
    assert np.array_equal(plain.streams, many.streams[0::2])


@pytest.fixture(scope="module")
def heston(tmp_path_factory):
    settings = make_settings("heston", members=40_000, samples=2, solver={"step": 1 / 64, "antithetic": True}, certify="none")
    members, paths = simulate(tmp_path_factory.mktemp("heston"), settings)
    return pivot(members, paths, "S")[:, -1], pivot(members, paths, "v")[:, -1]


def price_heston_call(strike, *, mu=0.05, kappa=2.0, theta=0.04, xi=0.3, rho=-0.7, v=0.04, spot=100.0, time=1.0):
    """Return the undiscounted price from the characteristic function of log S (Heston, 1993, in the form of Albrecher et al., 2007)."""

    def phi(u):
        d = np.sqrt((rho * xi * 1j * u - kappa) ** 2 + xi**2 * (1j * u + u**2))
        g = (kappa - rho * xi * 1j * u - d) / (kappa - rho * xi * 1j * u + d)
        c = kappa * theta / xi**2 * ((kappa - rho * xi * 1j * u - d) * time - 2 * np.log((1 - g * np.exp(-d * time)) / (1 - g)))
        last = v / xi**2 * (kappa - rho * xi * 1j * u - d) * (1 - np.exp(-d * time)) / (1 - g * np.exp(-d * time))
        return np.exp(1j * u * (np.log(spot) + mu * time) + c + last)

    u = np.linspace(1e-6, 200, 200_001)
    forward = phi(-1j).real
    p1 = 0.5 + np.trapezoid((np.exp(-1j * u * np.log(strike)) * phi(u - 1j) / (1j * u * forward)).real, u) / np.pi
    p2 = 0.5 + np.trapezoid((np.exp(-1j * u * np.log(strike)) * phi(u) / (1j * u)).real, u) / np.pi
    return forward * p1 - strike * p2


def bound(values):
    """Return four standard errors of a mean over independent antithetic pairs."""
    return 4 * values.reshape(-1, 2).mean(axis=1).std() / np.sqrt(len(values) / 2)


def test_hestons_variance_has_the_moments_of_cox_ingersoll_and_ross(heston):
    _, v = heston
    kappa, theta, xi, v0 = 2.0, 0.04, 0.3, 0.04
    decay = np.exp(-kappa)
    variance = v0 * xi**2 / kappa * (decay - decay**2) + theta * xi**2 / (2 * kappa) * (1 - decay) ** 2
    # Beside the Monte Carlo error there is the step's: a weak error of the order of kappa h = 1/32 of the variance.
    assert abs(v.mean() - theta) < bound(v) + 1e-4
    assert v.var() == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize("strike", [80, 100, 120])
def test_hestons_calls_have_their_closed_form(heston, strike):
    S, _ = heston
    payoff = np.maximum(S - strike, 0)
    # The weak error of Euler's method with a step of 1/64 is below 0.02 here, half the Monte Carlo bound.
    assert abs(payoff.mean() - price_heston_call(strike)) < bound(payoff) + 0.02
    assert abs(S.mean() - 100 * np.exp(0.05)) < bound(S) + 0.02


def test_hestons_processes_are_correlated_as_stated(tmp_path):
    members, paths = simulate(
        tmp_path, make_settings("heston", stop=0.01, samples=2, members=10_000, solver={"step": 0.01}, certify="none")
    )
    S, v = pivot(members, paths, "S")[:, -1], pivot(members, paths, "v")[:, -1]
    # One step: both increments are normal with correlation rho; the standard error is (1 - rho**2)/sqrt(n).
    assert np.corrcoef(S, v)[0, 1] == pytest.approx(-0.7, abs=4 * 0.51 / 100)


def test_a_negative_variance_comes_back_by_its_drift(tmp_path):
    settings = make_settings("cox_ingersoll_ross", samples=201, stop=10, members=200, parameters={"sigma": 0.5})
    members, paths = simulate(tmp_path, settings)
    assert members["status"].eq("ok").all()
    rates = pivot(members, paths, "r")
    assert (rates < 0).any(), "the case is there to be handled"
    # kappa theta = 0.025 pulls up; one step of 1/320 falls by some 0.5 sqrt(r h), so no rate is far below zero.
    assert rates.min() > -0.02
