"""Stochastic systems by exact likelihood: closed forms, gradients of the likelihood, coverage, and the failures."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from phaseflow.catalogues import Catalogue
from phaseflow.config import load_config
from phaseflow.data import find_table
from phaseflow.errors import ConfigError, DataError
from phaseflow.kinds.diffusion import recognise
from phaseflow.models.diffusion import MODEL
from phaseflow.settings.fits import Fit
from phaseflow.settings.systems import System

GBM = {"equations": {"S": "mu*S"}, "noise": {"S": {"W": "sigma*S"}}, "parameters": {"mu": 0, "sigma": 1}, "initial": {"S": 1}}
OU = {"equations": {"x": "kappa*(theta - x)"}, "noise": {"x": {"W": "sigma"}}, "initial": {"x": 1}}
OU["parameters"] = {"kappa": 1, "theta": 0, "sigma": 1}


def fit(system, values, **more):
    settings = Fit.model_validate({"diffusion": system, "to": "data.d", "series": "v", "dt": "1/252", **more})
    return MODEL.fit(settings, pd.DataFrame({"v": values}), "d.csv", np.random.default_rng(0))


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
    for _ in range(300):
        terms = fit(OU, make_reverting(rng, 1_000, 1, 0.5, 0.4, dt), dt="0.1").terms
        hits += (terms["ci_low"] <= [1, 0.5, 0.4]) & (terms["ci_high"] >= [1, 0.5, 0.4])
    # Binomial with 300 trials at 0.95: standard deviation 0.0126, so four of them are 0.05.
    assert (np.abs(hits / 300 - 0.95) < 0.05).all(), hits / 300


def test_a_short_record_says_that_it_is_short():
    values = make_reverting(np.random.default_rng(4), 200, 1, 0, 1, 0.1)
    assert not fit(OU, values, dt="0.1").statistics["is_long_enough"]


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
    ],
)
def test_a_law_is_recognised_however_it_is_written(equation, noise, law):
    parameters = dict.fromkeys(("mu", "kappa", "theta", "sigma"), 1)
    system = {"equations": {"S": equation}, "noise": {"S": {"W": noise}}, "parameters": parameters, "initial": {"S": 1}}
    assert recognise(System.model_validate(system)).name == law


def test_the_catalogue_has_both_laws():
    assert recognise(Catalogue()["geometric_brownian_motion"]).names == ("mu", "sigma")
    assert recognise(Catalogue()["ornstein_uhlenbeck"]).names == ("kappa", "theta", "sigma")


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
        ("diffusion: cir, series: v, dt: 1", "others are not built yet"),
        ("diffusion: stok, series: v, dt: 1", "there is no system 'stok'"),
        ("diffusion: geometric_brownian_motion, series: w, dt: 1", "data.d has no column 'w'"),
        ("diffusion: geometric_brownian_motion, series: v", "dt is wanted beside diffusion"),
        ("diffusion: geometric_brownian_motion, dt: 1", "diffusion needs series beside it"),
    ],
)
def test_mistakes_are_found_before_anything_runs(tmp_path, entry, message):
    (tmp_path / "d.csv").write_text("v\n1\n")
    system = "cir: {equations: {x: k*(m - x)}, noise: {x: {W: s*sqrt(x)}}, parameters: {k: 1, m: 1, s: 1}, initial: {x: 1}}"
    (tmp_path / "c.yaml").write_text(f"systems: {{{system}}}\ndata: {{d: {{file: d.csv}}}}\nfit: {{f: {{{entry}, to: data.d}}}}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "c.yaml")
    assert message in str(caught.value)
