"""Forecasters: baselines in closed form, no look into the future, valid times, and the tests that compare them."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, ttest_1samp

from phaseflow.catalogues import Catalogue
from phaseflow.config import load_config
from phaseflow.errors import ConfigError, DataError
from phaseflow.findings.forecast import FINDINGS
from phaseflow.models._comparison import compare_losses, resample_median
from phaseflow.models._forecasters import count_features, expand_quadratic, learn, list_pairs
from phaseflow.models._horizons import find_median, find_valid_times
from phaseflow.models.forecast import MODEL
from phaseflow.seeds import open_stream
from phaseflow.settings.fits import Fit
from tests.unit.test_discover import make_table, solve_lorenz


def fit(table, names, seed=1, truth=None, **more):
    settings = {"forecast": names, "to": "simulate.a", "horizon": "1", "training": "10", "trainings": 1, **more}
    if truth:
        settings["truth"] = Catalogue()[truth].model_dump(mode="json", exclude_none=True)
    return MODEL.fit(Fit.model_validate(settings), table, "source", open_stream(seed, 7))


@pytest.fixture(scope="module")
def table():
    """Lorenz's system from a point on its attractor: 40 time units at dt 0.01."""
    return make_table(*solve_lorenz(40, 4_001, solve_lorenz(30, 3)[1][-1]))


@pytest.fixture(scope="module")
def compared(table):
    return fit(table, ["quadratic"], truth="lorenz63", horizon="12")


def test_the_quadratic_map_of_three_delays_holds_for_six_lyapunov_times(compared):
    terms = compared.terms.set_index("term")
    assert list(terms.index) == ["persistence", "climatology", "linear", "quadratic"]
    assert compared.statistics["valid_time_unit"] == "Lyapunov times"
    assert compared.statistics["starts"] == 100
    assert terms.loc["quadratic", "estimate"] > 6
    assert terms.loc["quadratic", "ci_low"] <= terms.loc["quadratic", "estimate"] <= terms.loc["quadratic", "ci_high"]
    assert (terms.loc[["persistence", "climatology", "linear"], "estimate"] < 0.5).all()
    assert terms.loc["quadratic", "diebold_mariano"] < 0
    assert terms.loc["quadratic", "p"] < 0.01
    # Viswanath (1998): 0.9056; a thousand time units give it to a few per cent.
    assert compared.statistics["lyapunov_exponent"] == pytest.approx(0.9056, rel=0.05)


def test_what_was_found_is_said_in_words(compared):
    claims = " ".join(finding.claim for finding in FINDINGS.find({"forecast": ["quadratic"]}, compared.terms, compared.statistics))
    assert "quadratic beats its best baseline, " in claims
    assert "Lyapunov times" in claims


def test_worse_than_the_mean_far_ahead_is_said(compared):
    terms = compared.terms.assign(horizon_p=[np.nan, 1, 1, 0.001], horizon_diebold_mariano=[np.nan, 0, 0, 3])
    claims = [finding.claim for finding in FINDINGS.find({"forecast": ["quadratic"]}, terms, compared.statistics)]
    assert claims[-1].startswith("At the horizon of 12")
    assert "quadratic (than " in claims[-1]
    even = terms.assign(p=0.2)
    assert "That quadratic beats its best baseline, linear, is not shown." in [
        finding.claim for finding in FINDINGS.find({"forecast": ["quadratic"]}, even, compared.statistics)
    ]


def test_persistence_and_climatology_have_the_errors_that_the_data_say(table, compared):
    values = table[["x", "y", "z"]].to_numpy()
    deviation = np.sqrt(values.var(axis=0).sum())
    starts = 1_000 + np.unique(np.linspace(0, 4_001 - 1_200 - 1_001, 100).astype(int))
    steps = np.linalg.norm(values[starts + 1] - values[starts], axis=1) / deviation
    terms = compared.terms.set_index("term")
    assert terms.loc["persistence", "next_step_error"] == pytest.approx(np.sqrt((steps**2).mean()), rel=1e-12)
    far = np.linalg.norm(values[starts + 1_200] - values[:1_001].mean(axis=0), axis=1) / deviation
    assert terms.loc["climatology", "horizon_error"] == pytest.approx(np.sqrt((far**2).mean()), rel=1e-12)


def test_no_forecast_sees_what_comes_after_its_start(table):
    changed = table.copy()
    changed.loc[2_500:, ["x", "y", "z"]] *= -3
    first, second = (fit(data, ["linear", "quadratic"], trainings=2, starts=10).rows for data in (table, changed))
    columns = [name for name in first if name.startswith("predicted_")]
    assert first[columns].equals(second[columns])


def test_a_rotation_is_left_to_linear_autoregression():
    times = np.arange(400) * 0.1
    values = np.stack([np.sin(times), np.cos(times)], axis=1)
    found = fit(make_table(times, values, "xy"), ["linear"], training="15", horizon="5", starts=20).terms.set_index("term")
    assert found.loc["linear", "horizon_error"] < 1e-9
    assert found.loc["linear", "censored"] == 20
    assert found.loc["linear", "estimate"] == pytest.approx(5)


def test_noise_shortens_what_can_be_foreseen(table, compared):
    noisy = fit(table, ["quadratic"], truth="lorenz63", horizon="12", noise=0.01).terms.set_index("term")
    assert noisy.loc["quadratic", "estimate"] < 0.7 * compared.terms.set_index("term").loc["quadratic", "estimate"]


def test_the_same_seed_gives_the_same_bits_and_a_forecaster_more_changes_none(table):
    short = table.head(1_600)
    settings = {"training": "5", "starts": 10}
    one, again = (fit(short, ["linear"], **settings).terms for _ in range(2))
    assert one.equals(again)
    more = fit(short, ["linear", "network"], **settings).terms
    assert more.iloc[: len(one)][["estimate", "horizon_error", "p"]].equals(one[["estimate", "horizon_error", "p"]])
    assert more["term"].tolist()[-1] == "network"
    assert more["horizon_error"].iloc[-1] < 1


def test_features_of_the_quadratic_map_are_all_products():
    known = np.array([[2.0, 3.0, 5.0]])
    assert sorted(expand_quadratic(known)[0]) == sorted([1, 2, 3, 5, 4, 6, 10, 9, 15, 25])
    assert count_features(3, 3) == expand_quadratic(np.zeros((1, 9))).shape[1]


def test_pairs_never_join_two_members():
    known, changes = list_pairs([np.arange(5.0)[:, None], 100 + np.arange(4.0)[:, None]], 2)
    assert known.tolist() == [[1, 0], [2, 1], [3, 2], [101, 100], [102, 101]]
    assert changes[:, 0].tolist() == [1] * 5


def test_a_quadratic_recurrence_is_learnt_exactly():
    # The logistic map at 3.7: chaotic, and quadratic in one delay.
    x = np.empty(300)
    x[0] = 0.4
    for place in range(1, 300):
        x[place] = 3.7 * x[place - 1] * (1 - x[place - 1])
    learnt = learn("quadratic", [x[:200, None]], 1, 0)
    runs = learnt.run(x[None, 220:221, None], 10)[0, :, 0]
    # Errors of 1e-15 double with each step.
    np.testing.assert_allclose(runs, x[221:231], atol=1e-10)


def test_valid_times_end_before_the_first_large_error():
    errors = np.array([[0, 0.1, 0.5, 0.1], [0, 0.1, 0.2, 0.3], [0, np.nan, 0, 0], [0, 0.5, 0, 0]])[:, :, None]
    valid, is_censored = find_valid_times(errors, np.zeros_like(errors), np.array([0.0, 1.0, 2.0, 3.0]), 1.0)
    assert valid.tolist() == [1, 3, 0, 0]
    assert is_censored.tolist() == [False, True, False, False]


def test_the_interval_of_a_median_covers_by_the_binomial_law():
    median, low, high = find_median(np.arange(1.0, 101.0), 0.95)
    assert (median, low, high) == (50.5, 40, 61)
    # Between the 40th and the 61st of 100: the chance that 40 to 60 values are below the median.
    assert binom.cdf(60, 100, 0.5) - binom.cdf(39, 100, 0.5) >= 0.95


def test_diebold_and_mariano_without_overlap_is_students_test():
    rng = np.random.default_rng(0)
    losses, baseline = rng.exponential(size=(2, 50))
    statistic, p = compare_losses(losses, baseline, 1)
    expected = ttest_1samp(losses - baseline, 0)
    assert statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert p == pytest.approx(expected.pvalue, rel=1e-12)


def test_overlap_is_allowed_for():
    """Means of ten neighbours each: the naive test rejects a true null hypothesis far too often, this one seldom."""
    rng, rejections = np.random.default_rng(1), np.zeros(2)
    for _ in range(300):
        smooth = np.convolve(rng.normal(size=209), np.ones(10) / 10, mode="valid")
        rejections += [compare_losses(smooth, np.zeros(200), lags)[1] < 0.05 for lags in (1, 20)]
    assert rejections[0] / 300 > 0.3
    assert rejections[1] / 300 < 0.15


def test_blocks_widen_the_interval_of_a_median_of_neighbours():
    values = np.repeat(np.random.default_rng(2).normal(size=20), 10)
    narrow, wide = (resample_median(values, length, 0.95, np.random.default_rng(3), 500) for length in (1, 10))
    assert wide[0] > 1.5 * narrow[0]


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (lambda t: t, {"horizon": "0.015"}, "so 0.015 is no whole number of steps; take 0.02"),
        (lambda t: t.head(1_050), {}, "1050 samples leave no room for 1001 of training"),
        (lambda t: t, {"training": "0.1"}, "(at least 50)"),
        (lambda t: t.assign(x=1.0), {}, "column 'x': the state does not vary in a training part"),
        (lambda t: t.drop(columns="t"), {}, "source has no column 't'"),
        (lambda t: t, {"delays": 40}, "7381 products of 3 states at 40 times are too many"),
    ],
)
def test_tables_that_cannot_be_used_are_named(table, change, settings, message):
    with pytest.raises(DataError) as caught:
        fit(change(table), ["quadratic"], **settings)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("forecast: [linear], horizon: 1", "fit.f.horizon: training and horizon take 1.5, and simulate.a is 1 long"),
        (
            "forecast: [linear], horizon: 0.1, starts: 5",
            "fit.f.starts: 5 starts are too few to compare forecasters; at least 10 are wanted",
        ),
        ("forecast: [linear]", "forecast needs horizon beside it"),
        ("forecast: [linea], horizon: 0.1", "fit.f.forecast"),
        ("forecast: [], horizon: 0.1", "fit.f.forecast"),
        ("forecast: [linear], horizon: 0.1, series: x", "series has no meaning for forecast"),
        ("forecast: [linear], horizon: 0.1, inputs: [w]", "simulate.a has no column 'w'"),
        ("network: {layers: [2]}, horizon: 0.1, trainings: 2", "trainings has no meaning for network"),
    ],
)
def test_mistakes_are_found_before_anything_runs(tmp_path, entry, message):
    text = f"simulate: {{a: {{system: lorenz63, time: {{stop: 1, samples: 101}}}}}}\nfit: {{f: {{{entry}, to: simulate.a}}}}\n"
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "c.yaml")
    assert message in str(caught.value)


def test_members_are_forecast_each_after_its_own_training(table):
    both = pd.concat([table.head(1_500), table.iloc[2_000:3_500].assign(member=5)])
    found = fit(both, ["linear"], training="8", starts=20)
    assert found.statistics["starts"] == 20
    assert found.statistics["observations"] == 3_000
