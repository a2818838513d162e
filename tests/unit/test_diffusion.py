"""Stochastic systems by exact likelihood: closed forms, gradients of the likelihood, coverage, and the failures."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import iv
from scipy.stats import ncx2, norm

from phaseflow.catalogues import Catalogue
from phaseflow.config import load_config
from phaseflow.data import find_table
from phaseflow.errors import ConfigError, DataError
from phaseflow.kinds.diffusion import recognise
from phaseflow.models._likelihood import maximise
from phaseflow.models._scalar import Transition
from phaseflow.models._square_root import find_likelihood, log_bessel, simulate
from phaseflow.models.diffusion import MODEL
from phaseflow.seeds import open_stream
from phaseflow.settings.fits import Fit
from phaseflow.settings.systems import System

GBM = {"equations": {"S": "mu*S"}, "noise": {"S": {"W": "sigma*S"}}, "parameters": {"mu": 0, "sigma": 1}, "initial": {"S": 1}}
OU = {"equations": {"x": "kappa*(theta - x)"}, "noise": {"x": {"W": "sigma"}}, "initial": {"x": 1}}
OU["parameters"] = {"kappa": 1, "theta": 0, "sigma": 1}
CIR = OU | {"noise": {"x": {"W": "sigma*sqrt(x)"}}, "parameters": {"kappa": 1, "theta": 1, "sigma": 1}}
# Chan, Karolyi, Longstaff and Sanders (1992): any power of the state in the noise.
CKLS = OU | {"noise": {"x": {"W": "sigma*x**gamma"}}, "parameters": {"kappa": 1, "theta": 1, "sigma": 1, "gamma": 1}}


def fit(system, values, **more):
    settings = Fit.model_validate({"diffusion": system, "to": "data.d", "series": "v", "dt": "1/252", **more})
    return MODEL.fit(settings, pd.DataFrame({"v": values}), "d.csv", open_stream(0, 1))


def make_prices(rng, n, mu=0.07, sigma=0.2, dt=1 / 252):
    return 100 * np.exp(np.cumsum((mu - sigma**2 / 2) * dt + sigma * math.sqrt(dt) * rng.normal(size=n)))


def make_reverting(rng, n, kappa, theta, sigma, dt):
    slope = math.exp(-kappa * dt)
    kicks = rng.normal(size=n) * sigma * math.sqrt((1 - slope**2) / (2 * kappa))
    values = np.empty(n)
    values[0] = theta + rng.normal() * sigma / math.sqrt(2 * kappa)
    for place in range(1, n):
        values[place] = theta + (values[place - 1] - theta) * slope + kicks[place]
    return values


def test_sp500_has_the_closed_form(tmp_path):
    prices = find_table(None, "arch.sp500", tmp_path).read()["Adj Close"].to_numpy()
    found = fit(GBM, prices)
    terms = found.terms.set_index("term")
    returns, dt = np.diff(np.log(prices)), 1 / 252
    sigma = math.sqrt(np.var(returns, ddof=0) / dt)
    mu = np.mean(returns) / dt + sigma**2 / 2
    assert terms["estimate"].tolist() == pytest.approx([mu, sigma, mu - sigma**2 / 2], rel=1e-10)
    assert list(terms.index) == ["mu", "sigma", "growth"]
    span = len(returns) * dt
    # The textbook's errors: that of the drift falls with the span alone, that of the volatility with the count.
    assert terms.loc["growth", "std_error"] == pytest.approx(sigma / math.sqrt(span), rel=1e-12)
    assert terms.loc["sigma", "std_error"] == pytest.approx(sigma / math.sqrt(2 * len(returns)), rel=1e-12)
    about = found.statistics
    assert about["random_walk_p"] > 0.05, "the drift of the log price cannot be told from zero"
    assert about["jarque_bera_p"] < 1e-100
    assert about["ljung_box_squares_p"] < 1e-100


def test_the_likelihood_of_prices_is_greatest_at_the_estimates():
    prices = make_prices(np.random.default_rng(1), 300)
    found = fit(GBM, prices)
    mu, sigma, _ = found.terms["estimate"]

    def find_likelihood(mu, sigma):
        ends, dt = np.log(prices), 1 / 252
        return (norm.logpdf(ends[1:], ends[:-1] + (mu - sigma**2 / 2) * dt, sigma * math.sqrt(dt)) - ends[1:]).sum()

    best = find_likelihood(mu, sigma)
    assert found.statistics["log_likelihood"] == pytest.approx(best, rel=1e-12)
    assert all(find_likelihood(mu + a, sigma + b) < best for a, b in [(1e-3, 0), (-1e-3, 0), (0, 1e-4), (0, -1e-4)])


@pytest.mark.parametrize("system", [GBM, OU])
def test_wald_errors_are_the_inverse_of_the_information(system):
    rng, dt = np.random.default_rng(2), 1 / 252
    is_price = system is GBM
    values = make_prices(rng, 400) if is_price else make_reverting(rng, 400, 60, 1, 2, dt)
    found = fit(system, values)
    point = found.terms["estimate"].to_numpy()[: 2 if is_price else 3]

    def find_likelihood(point):
        if is_price:
            ends = np.log(values)
            return norm.logpdf(ends[1:], ends[:-1] + (point[0] - point[1] ** 2 / 2) * dt, point[1] * math.sqrt(dt)).sum()
        slope = math.exp(-point[0] * dt)
        spread = point[2] * math.sqrt((1 - slope**2) / (2 * point[0]))
        return norm.logpdf(values[1:], point[1] + (values[:-1] - point[1]) * slope, spread).sum()

    steps = 1e-4 * np.maximum(np.abs(point), 0.1)
    size = len(point)
    information = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            corners = [find_likelihood(point + a * steps * np.eye(size)[i] + b * steps * np.eye(size)[j]) for a in (1, -1) for b in (1, -1)]
            information[i, j] = -(corners[0] - corners[1] - corners[2] + corners[3]) / (4 * steps[i] * steps[j])
    # Second differences with relative steps of 1e-4 are right to about six digits here; the expected information is the observed one.
    np.testing.assert_allclose(found.terms["std_error"][:size], np.sqrt(np.diag(np.linalg.inv(information))), rtol=1e-3)


def test_intervals_of_long_series_cover_as_often_as_they_say():
    rng, hits, dt = np.random.default_rng(3), np.zeros(3), 0.1
    for _ in range(200):
        terms = fit(OU, make_reverting(rng, 1_000, 1, 0.5, 0.4, dt), dt="0.1").terms
        hits += (terms["ci_low"] <= [1, 0.5, 0.4]) & (terms["ci_high"] >= [1, 0.5, 0.4])
    # Binomial with 200 trials at 0.95: standard deviation 0.0154, so four of them are 0.06.
    assert (np.abs(hits / 200 - 0.95) < 0.06).all(), hits / 200


def test_a_short_record_says_that_it_is_short():
    values = make_reverting(np.random.default_rng(4), 200, 1, 0, 1, 0.1)
    about = fit(OU, values, dt="0.1", replicates=99).statistics
    assert not about["is_long_enough"]
    assert set(about["uncorrected"]) == {"kappa", "theta", "sigma"}


def test_corrected_intervals_of_short_series_cover_as_often_as_they_say():
    """Ten relaxation times, where Wald's interval of kappa covers 0.91; benchmarks/interval_coverage.py has more series and lengths."""
    rng, hits, rates, dt = np.random.default_rng(8), np.zeros(3), [], 0.1
    for _ in range(150):
        terms = fit(OU, make_reverting(rng, 101, 1, 0.5, 0.4, dt), dt="0.1", replicates=99).terms
        hits += (terms["ci_low"] <= [1, 0.5, 0.4]) & (terms["ci_high"] >= [1, 0.5, 0.4])
        rates.append(terms["estimate"][0])
    # Binomial with 150 trials at 0.95: standard deviation 0.018; 99 replicates add 0.01; three of both are 0.06.
    assert (np.abs(hits / 150 - 0.95) < 0.06).all(), hits / 150
    # Median-unbiased: half of the estimates are above 1, give or take four standard deviations of 0.04.
    assert abs(np.mean(np.array(rates) > 1) - 0.5) < 0.16


def test_intervals_of_prices_are_exact_on_twenty_steps():
    rng, hits = np.random.default_rng(9), np.zeros(3)
    truth = [0.07, 0.2, 0.07 - 0.02]
    for _ in range(300):
        terms = fit(GBM, make_prices(rng, 22)).terms
        hits += (terms["ci_low"] <= truth) & (terms["ci_high"] >= truth)
    # Binomial with 300 trials at 0.95: standard deviation 0.0126.
    assert (np.abs(hits / 300 - 0.95) < 0.05).all(), hits / 300


@pytest.mark.parametrize(("order", "z"), [(0.3, 5.0), (29.0, 20.0), (31.0, 20.0), (60.0, 300.0), (150.0, 100.0)])
def test_the_bessel_function_of_large_order_is_the_same_by_its_expansion(order, z):
    # The first term left out is below 1e-7 from order 30 on.
    assert log_bessel(order, np.array([z]))[0] == pytest.approx(math.log(iv(order, z)), abs=1e-7)


def test_the_square_root_process_has_noncentral_chi_squared_transitions():
    kappa, theta, sigma, dt = 0.8, 0.5, 0.3, 0.05
    values = simulate(np.array([kappa, theta, sigma]), 300, dt, np.random.default_rng(1))
    c = 2 * kappa / (sigma**2 * (1 - math.exp(-kappa * dt)))
    expected = math.log(2 * c) + ncx2.logpdf(2 * c * values[1:], 4 * kappa * theta / sigma**2, 2 * c * math.exp(-kappa * dt) * values[:-1])
    assert find_likelihood(np.array([kappa, theta, sigma]), values[:-1], values[1:], dt) == pytest.approx(expected.sum(), rel=1e-10)


def test_the_square_root_process_is_found_by_its_own_and_by_the_approximate_likelihood():
    truth = {"kappa": 0.8, "theta": 0.5, "sigma": 0.3}
    values = simulate(np.array(list(truth.values())), 4_001, 0.05, np.random.default_rng(0))
    exact = fit(CIR, values, dt="0.05").terms.set_index("term")
    approximate = fit(CKLS, values, dt="0.05").terms.set_index("term")
    for name, value in truth.items():
        assert abs(exact.loc[name, "estimate"] - value) < 3 * exact.loc[name, "std_error"]
        # Kessler's second order leaves an error of the third in kappa dt = 0.04.
        assert approximate.loc[name, "estimate"] == pytest.approx(exact.loc[name, "estimate"], rel=0.03)
    assert abs(approximate.loc["gamma", "estimate"] - 0.5) < 3 * approximate.loc["gamma", "std_error"]


def test_a_short_square_root_series_is_corrected_towards_slower_return():
    values = simulate(np.array([0.8, 0.5, 0.3]), 151, 0.1, np.random.default_rng(2))
    found = fit(CIR, values[:81], dt="0.1", replicates=99)
    assert found.terms["estimate"][0] < found.statistics["uncorrected"]["kappa"]
    assert found.terms["ci_low"][0] < found.terms["estimate"][0] < found.terms["ci_high"][0]


def test_the_approximate_transition_is_right_to_the_second_order():
    system = System.model_validate(OU | {"parameters": {"kappa": 2, "theta": 1, "sigma": 0.7}})
    values, point = np.array([0.3, 1.8]), np.array([2.0, 0.7, 1.0])
    errors = []
    for dt in (0.02, 0.01):
        mean, variance = Transition(system, ["kappa", "sigma", "theta"], dt).find(point, values)
        decay = math.exp(-2 * dt)
        errors.append([np.abs(mean - 1 - (values - 1) * decay).max(), np.abs(variance - 0.49 * (1 - decay**2) / 4).max()])
    # Halving the step divides an error of the third order by eight, up to the next order.
    assert np.log2(np.array(errors[0]) / errors[1]) == pytest.approx([3, 3], abs=0.1)


def test_the_greatest_likelihood_of_a_normal_sample_has_its_textbook_errors():
    sample = np.random.default_rng(3).normal(2, 3, size=400)
    peak = maximise(lambda p: norm.logpdf(sample, p[0], p[1]).sum() if p[1] > 0 else -math.inf, np.array([1.0, 1.0]), np.ones(2))
    assert peak.point == pytest.approx([sample.mean(), sample.std()], rel=1e-6)
    expected = [sample.std() / 20, sample.std() / math.sqrt(800)]
    assert np.sqrt(np.diag(peak.covariance)) == pytest.approx(expected, rel=1e-3)


def make_bursts(rng, n, omega=0.05, alpha=0.15, beta=0.8):
    steps, variance = np.empty(n), omega / (1 - alpha - beta)
    for place in range(n):
        steps[place] = math.sqrt(variance) * rng.normal()
        variance = omega + alpha * steps[place] ** 2 + beta * variance
    return steps / 100


def test_garch_is_found_where_volatility_comes_in_bursts_and_not_where_it_is_constant():
    rng = np.random.default_rng(7)
    bursts = fit(GBM, 100 * np.exp(np.cumsum(make_bursts(rng, 3_000))), volatility="garch")
    terms = bursts.terms.set_index("term")
    for name, value in {"garch_omega": 0.05, "garch_alpha": 0.15, "garch_beta": 0.8}.items():
        assert abs(terms.loc[name, "estimate"] - value) < 3.5 * terms.loc[name, "std_error"]
    assert bursts.statistics["garch_diebold_mariano"] < 0
    assert bursts.statistics["garch_diebold_mariano_p"] < 0.01
    assert bursts.statistics["garch_coverage"] == pytest.approx(0.9, abs=0.03)
    constant = fit(GBM, make_prices(rng, 2_000), volatility="garch").statistics
    assert not (constant["garch_diebold_mariano_p"] < 0.05 and constant["garch_diebold_mariano"] < 0)


def test_the_fan_covers_later_values_as_often_as_it_says():
    about = fit(OU, make_reverting(np.random.default_rng(11), 6_000, 1, 0.5, 0.4, 0.1), dt="0.1").statistics
    # 3,000 steps; values 20 steps ahead count for 150: four binomial standard deviations of 0.025.
    assert list(about["fan_coverage"]) == ["1", "5", "20"]
    assert all(abs(share - 0.9) < 0.1 for share in about["fan_coverage"].values())
    assert about["fan_coverage"]["1"] == pytest.approx(0.9, abs=0.022)


def test_simulated_noise_passes_its_own_tests_and_no_drift_is_no_better_than_a_walk():
    found = fit(GBM, make_prices(np.random.default_rng(5), 3_000, mu=0.02, sigma=0.2))
    about = found.statistics
    assert min(about["jarque_bera_p"], about["ljung_box_p"], about["ljung_box_squares_p"], about["random_walk_p"]) > 0.01
    # The exact expectation is 1 plus a term of order 1/n.
    assert about["walk_forward_error_ratio"] == pytest.approx(1, abs=0.01)


def test_members_are_fitted_together_and_never_joined():
    rng = np.random.default_rng(6)
    first, second = make_prices(rng, 200), 1_000 * make_prices(rng, 300)
    table = pd.concat([pd.DataFrame({"member": m, "t": np.arange(len(v)) / 252, "S": v}) for m, v in ((9, first), (4, second))])
    found = MODEL.fit(Fit.model_validate({"diffusion": GBM, "to": "simulate.s", "series": "S"}), table, "s", rng)
    returns = np.concatenate([np.diff(np.log(first)), np.diff(np.log(second))])
    assert found.terms["estimate"][1] == pytest.approx(returns.std() * math.sqrt(252), rel=1e-10)
    assert found.statistics["observations"] == 498
    assert found.statistics["dt"] == pytest.approx(1 / 252, rel=1e-12)


@pytest.mark.parametrize(
    ("equation", "noise", "law"),
    [
        ("S*mu", "S*sigma", "geometric_brownian_motion"),
        ("mu*S + 0*sigma", "sigma*(S + S)/2", "geometric_brownian_motion"),
        ("-kappa*(S - theta)", "sigma", "ornstein_uhlenbeck"),
        ("kappa*theta - kappa*max(S, 0)", "sqrt(max(0, S))*sigma", "cox_ingersoll_ross"),
        ("kappa*(theta - S)", "sigma*S**(1/2)", "cox_ingersoll_ross"),
        ("kappa*(theta - S) + mu", "sigma*S", "scalar"),
    ],
)
def test_a_law_is_recognised_however_it_is_written(equation, noise, law):
    parameters = dict.fromkeys(("mu", "kappa", "theta", "sigma"), 1)
    system = {"equations": {"S": equation}, "noise": {"S": {"W": noise}}, "parameters": parameters, "initial": {"S": 1}}
    system["parameters"] = {name: 1 for name in parameters if name in equation or name in noise}
    assert recognise(System.model_validate(system)).name == law


def test_the_catalogue_has_both_laws():
    assert recognise(Catalogue()["geometric_brownian_motion"]).names == ("mu", "sigma")
    assert recognise(Catalogue()["ornstein_uhlenbeck"]).names == ("kappa", "theta", "sigma")
    assert recognise(Catalogue()["cox_ingersoll_ross"]).name == "cox_ingersoll_ross"


@pytest.mark.parametrize(
    ("values", "system", "message"),
    [
        ([100.0] * 30, GBM, "d.csv, column 'v': the series does not vary"),
        ([100.0] * 20 + [0.0] + [100.0] * 20, GBM, "prices must be above 0; row 21 has 0"),
        ([1.0, 2.0, 3.0], GBM, "at least 20 steps are wanted, not 2"),
        ([*range(1, 30), np.nan], GBM, "column 'v' has no finite value in 1 rows, first in row 30"),
        ([1.0, -1.0] * 20, OU, "the series does not return to a mean"),
        ([*"abcdefgh" * 5], GBM, "column 'v' does not hold numbers: row 1 has 'a'"),
    ],
)
def test_a_series_that_cannot_be_used_is_named(values, system, message):
    with pytest.raises(DataError) as caught:
        fit(system, values)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("diffusion: lorenz63, series: v, dt: 1", "fit.f.diffusion: one state with one Wiener process is wanted"),
        ("diffusion: cir, series: v, dt: 1, volatility: garch", "the diffusion must be geometric Brownian motion"),
        ("diffusion: idle, series: v, dt: 1", "every parameter is calibrated"),
        ("diffusion: stok, series: v, dt: 1", "there is no system 'stok'"),
        ("diffusion: geometric_brownian_motion, series: w, dt: 1", "data.d has no column 'w'"),
        ("diffusion: geometric_brownian_motion, series: v", "dt is wanted beside diffusion"),
        ("diffusion: geometric_brownian_motion, dt: 1", "diffusion needs series beside it"),
    ],
)
def test_mistakes_are_found_before_anything_runs(tmp_path, entry, message):
    (tmp_path / "d.csv").write_text("v\n1\n")
    system = "cir: {equations: {x: k*(m - x)}, noise: {x: {W: s*sqrt(x)}}, parameters: {k: 1, m: 1, s: 1}, initial: {x: 1}}"
    system += ", idle: {equations: {x: -x}, noise: {x: {W: s}}, parameters: {s: 1, k: 1}, initial: {x: 1}}"
    (tmp_path / "c.yaml").write_text(f"systems: {{{system}}}\ndata: {{d: {{file: d.csv}}}}\nfit: {{f: {{{entry}, to: data.d}}}}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "c.yaml")
    assert message in str(caught.value)
