"""Nonlinear least squares: parameters and errors known in closed form, and the failures."""

import numpy as np
import pandas as pd
import pytest

from phaseflow.config import load_config
from phaseflow.errors import ConfigError, DataError
from phaseflow.models.curve import MODEL, Curve
from phaseflow.models.linear import MODEL as LINEAR
from phaseflow.settings.fits import Fit

RNG = np.random.default_rng(0)


def fit(table, **settings):
    return MODEL.fit(Fit.model_validate({"to": "data.d", **settings}), pd.DataFrame(table), "d.csv", RNG)


def test_a_straight_line_has_the_estimates_and_errors_of_linear_regression():
    x = np.linspace(-1, 2, 30)
    table = pd.DataFrame({"x": x, "y": 2 - 3 * x + np.random.default_rng(5).normal(size=30)})
    curved = fit(table, curve="a + b*x", response="y", start={"a": 100, "b": 100})
    straight = LINEAR.fit(Fit.model_validate({"linear": "y ~ x", "to": "data.d"}), table, "d.csv", RNG)
    for name in ("estimate", "std_error", "ci_low", "ci_high", "p"):
        np.testing.assert_allclose(curved.terms[name], straight.terms[name], rtol=1e-11)
    seen = curved.rows[curved.rows["part"] == "observed"]
    np.testing.assert_allclose(seen["leverage"], straight.rows["leverage"], rtol=1e-11)


def test_the_confidence_band_of_a_line_is_the_closed_form():
    x = np.linspace(0, 1, 20)
    table = pd.DataFrame({"x": x, "y": x + np.random.default_rng(2).normal(size=20)})
    found = fit(table, curve="a + b*x", response="y", start={"a": 0, "b": 1})
    band = found.rows[found.rows["part"] == "curve"]
    from scipy.stats import t

    spread = found.statistics["residual_std"] * np.sqrt(1 / 20 + (band["x"] - 0.5) ** 2 / ((x - 0.5) ** 2).sum())
    np.testing.assert_allclose(band["band_high"] - band["fitted"], t.ppf(0.975, 18) * spread, rtol=1e-10)


def test_the_jacobian_is_exact():
    curve = Curve(Fit.model_validate({"curve": "b1*(1 - exp(-b2*x))", "response": "y", "start": {"b1": 1, "b2": 1}, "to": "data.d"}).curve,
                  ["b1", "b2"], ["x"])  # fmt: skip
    x = np.array([[0.5, 1.0, 2.0]])
    values, slopes = curve.evaluate(np.array([3.0, 0.7]), x)
    np.testing.assert_allclose(values, 3 * (1 - np.exp(-0.7 * x[0])), rtol=1e-15)
    np.testing.assert_allclose(slopes, np.stack([1 - np.exp(-0.7 * x[0]), 3 * x[0] * np.exp(-0.7 * x[0])], axis=1), rtol=1e-14)


def test_a_response_may_be_an_expression():
    x = np.linspace(0, 1, 15)
    noise = np.random.default_rng(3).normal(size=15) * 0.01
    found = fit({"x": x, "y": np.exp(1 + 2 * x + noise)}, curve="a + b*x", response="log(y)", start={"a": 0, "b": 0})
    # Least squares of a line: the estimates are 1 and 2 plus the noise's own projection, of size 0.01.
    assert found.terms["estimate"].tolist() == pytest.approx([1, 2], abs=0.02)
    assert found.statistics["response"] == "log(y)"


def test_exact_data_give_exact_parameters():
    x = np.linspace(0, 3, 25)
    found = fit({"x": x, "y": 5 * np.exp(-1.5 * x)}, curve="a*exp(-k*x)", response="y", start={"a": 1, "k": 1})
    assert found.statistics["converged"]
    # Rounding of the data, eps, times the condition number of the problem, about 2.
    assert found.terms["estimate"].tolist() == pytest.approx([5, 1.5], rel=1e-13)


def test_a_curve_of_two_predictors_draws_no_line():
    rng = np.random.default_rng(4)
    table = {"u": rng.normal(size=20), "v": rng.normal(size=20)}
    found = fit(table | {"y": 2 * table["u"] * table["v"]}, curve="a*u*v", response="y", start={"a": 1})
    assert set(found.rows["part"]) == {"observed"}
    assert found.statistics["predictor"] is None


@pytest.mark.parametrize(
    ("table", "curve", "start", "message"),
    [
        ({"x": [0.0, 1, 2], "y": [1.0, 2, 3]}, "a/x + b", {"a": 1, "b": 1}, "at the start the curve or its slope has no finite"),
        ({"x": [1.0, 2, 3, 4], "y": [1.0, 2, 3, 5]}, "a*b*x", {"a": 1, "b": 1}, "the data do not determine all parameters near a = "),
        ({"x": [1.0, 2], "y": [1.0, 2]}, "a + b*x", {"a": 1, "b": 1}, "2 rows cannot determine 2 parameters"),
        ({"x": [1.0, np.nan, 2], "y": [1.0, 2, 3]}, "a*x", {"a": 1}, "column 'x' has no finite value in 1 rows, first in row 2"),
        ({"y": [1.0, 2, 3]}, "a*x", {"a": 1}, "d.csv has no column 'x'"),
    ],
)
def test_what_cannot_be_fitted_is_an_error_that_says_so(table, curve, start, message):
    with pytest.raises(DataError) as caught:
        fit(table, curve=curve, response="y", start=start)
    assert message in str(caught.value)


def test_a_search_that_ends_at_no_minimum_gives_no_errors():
    # The sum of squares falls for ever as k grows: exp(-k*x) tends to what the data are.
    table = {"x": [0.0, 1, 2, 3], "y": [1.0, 1e-3, -1e-3, 0]}
    found = fit(table, curve="1/(1 + k*x**2)", response="y", start={"k": 1e-30})
    assert found.statistics["converged"] or found.terms["std_error"].isna().all()


CONFIG = "data: {d: {file: d.csv}}\nfit: {f: {%s, to: data.d}}\n"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("curve: a*x, response: y, start: {a: 1, b: 1}", "fit.f.start.b: the curve 'a*x' has no parameter 'b'"),
        ("curve: a*w, response: y, start: {a: 1}", "fit.f.curve: data.d has no column 'w'"),
        ("curve: a*x, response: z, start: {a: 1}", "fit.f.response: data.d has no column 'z'"),
        ("curve: y*x, response: y, start: {y: 1}", "'y' is a column of data.d: give the parameter another name"),
        ("curve: a*x, response: 3, start: {a: 1}", "'3' has no column in it"),
        ("curve: a*x, start: {a: 1}", "curve needs response beside it"),
        ("curve: a*x, response: y, start: {a: 1}, horizon: 2", "horizon has no meaning for curve"),
        ("curve: a*x, response: y, start: {a: 1}, confidence: 95", "95 must be between 0 and 1"),
    ],
)
def test_mistakes_are_found_before_anything_runs(tmp_path, entry, message):
    (tmp_path / "d.csv").write_text("x,y\n1,2\n")
    (tmp_path / "c.yaml").write_text(CONFIG % entry)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "c.yaml")
    assert message in str(caught.value)


LINE = {
    "x": np.linspace(-1, 2, 30),
    "w": np.linspace(1, 4, 30),
    "y": 2 - 3 * np.linspace(-1, 2, 30) + np.random.default_rng(5).normal(size=30),
}


def test_a_weighted_line_is_weighted_linear_regression():
    curved = fit(LINE, curve="a + b*x", response="y", start={"a": 0, "b": 0}, weights="1/w")
    settings = Fit.model_validate({"linear": "y ~ x", "to": "data.d", "weights": "1/w"})
    straight = LINEAR.fit(settings, pd.DataFrame(LINE), "d.csv", RNG)
    for name in ("estimate", "std_error", "certified_digits"):
        np.testing.assert_allclose(curved.terms[name].astype(float), straight.terms[name].astype(float), rtol=1e-15)
    assert curved.statistics["log_likelihood"] == pytest.approx(straight.statistics["log_likelihood"], rel=1e-12)
    np.testing.assert_allclose(curved.rows["residual"][:30], straight.rows["residual"], rtol=1e-12)


def test_the_minimum_of_a_line_is_proven_with_all_its_digits():
    found = fit(LINE, curve="a + b*x", response="y", start={"a": 0, "b": 0})
    assert found.statistics["minimum_is_proven"]
    # The sum of squares is a quadratic, so that every box holds one stationary point.
    assert found.statistics["alone_within_std_errors"] == 10
    straight = LINEAR.fit(Fit.model_validate({"linear": "y ~ x", "to": "data.d"}), pd.DataFrame(LINE), "d.csv", RNG)
    assert found.terms["estimate"].tolist() == straight.terms["estimate"].tolist()
    assert found.terms["std_error"].tolist() == straight.terms["std_error"].tolist()
    assert found.terms["certified_digits"].min() >= 15


def test_profiles_of_a_linear_model_are_its_intervals_and_bands_are_the_closed_form():
    from scipy.stats import t

    found = fit(LINE, curve="a + b*x", response="y", start={"a": 0, "b": 0})
    # tau is found to 1e-9 of a standard error, its square from sums of squares with 16 digits.
    np.testing.assert_allclose(found.terms[["profile_low", "profile_high"]], found.terms[["ci_low", "ci_high"]], rtol=1e-6)
    curve = found.rows[found.rows["part"] == "curve"]
    x, spread = LINE["x"], ((LINE["x"] - 0.5) ** 2).sum()
    reach = t.ppf(0.975, 28) * found.statistics["residual_std"] * np.sqrt(1 + 1 / 30 + (curve["x"] - x.mean()) ** 2 / spread)
    np.testing.assert_allclose(curve["prediction_high"] - curve["fitted"], reach, rtol=1e-10)


def test_a_profile_does_not_depend_on_how_a_parameter_is_written():
    table = {"x": LINE["x"] + 2, "y": 5 * (LINE["x"] + 2) + np.random.default_rng(1).normal(size=30)}
    plain = fit(table, curve="b*x", response="y", start={"b": 1}).terms.iloc[0]
    curved = fit(table, curve="exp(c)*x", response="y", start={"c": 0}).terms.iloc[0]
    assert np.exp([curved["profile_low"], curved["profile_high"]]) == pytest.approx([plain["profile_low"], plain["profile_high"]], rel=1e-7)
    assert np.exp(curved["ci_low"]) != pytest.approx(plain["ci_low"], rel=1e-7)


def test_errors_from_the_hessian_are_those_of_second_derivatives():
    x = np.linspace(0, 2, 25)
    table = {"x": x, "y": np.exp(0.7 * x) + 0.3 * np.random.default_rng(8).normal(size=25)}
    for limit in (0, 10_000):
        by_hessian = fit(table, curve="exp(k*x)", response="y", start={"k": 1}, errors="hessian", exact_up_to=limit)
        k, s = by_hessian.terms["estimate"][0], by_hessian.statistics["residual_std"]
        curve, residual = np.exp(k * x), table["y"] - np.exp(k * x)
        second = ((x * curve) ** 2 - residual * x**2 * curve).sum()
        assert by_hessian.terms["std_error"][0] == pytest.approx(s / np.sqrt(second), rel=1e-12)
        assert by_hessian.terms["std_error_by_jacobian"][0] == pytest.approx(s / np.linalg.norm(x * curve), rel=1e-12)
        assert by_hessian.statistics["minimum_is_proven"] == (limit > 0)


def test_a_parameter_at_its_bound_is_held_there_and_the_others_have_their_errors():
    found = fit(LINE, curve="a + b*x", response="y", start={"a": 0, "b": 0}, bounds={"b": {"lower": -2.5}})
    rest = LINE["y"] + 2.5 * LINE["x"]
    a, b = found.terms.iloc[0], found.terms.iloc[1]
    assert (b["estimate"], b["at_bound"]) == (-2.5, True)
    assert np.isnan(b["std_error"])
    assert pd.isna(b["certified_digits"])
    assert a["estimate"] == pytest.approx(rest.mean(), rel=1e-14)
    assert a["std_error"] == pytest.approx(rest.std(ddof=1) / np.sqrt(30), rel=1e-13)
    assert a["certified_digits"] >= 15
    assert found.statistics["at_bound"] == ["b"]
    free = fit(LINE, curve="a + b*x", response="y", start={"a": 0, "b": 0}, bounds={"b": {"lower": -100, "upper": 100}})
    assert not free.terms["at_bound"].any()
    assert free.terms["certified_digits"].min() >= 15


def test_several_starts_find_what_one_does_not():
    x = np.linspace(0, 10, 60)
    table = {"x": x, "y": np.sin(2.3 * x) + 0.1 * np.random.default_rng(2).normal(size=60)}
    settings = {"curve": "sin(k*x)", "response": "y", "start": {"k": 6}, "bounds": {"k": {"lower": 0.1, "upper": 8}}}
    one, many = fit(table, **settings), fit(table, **settings, starts=40)
    assert many.terms["estimate"][0] == pytest.approx(2.3, abs=0.01)
    assert one.statistics["residual_sum_of_squares"] > 10 * many.statistics["residual_sum_of_squares"]
    assert 0 < many.statistics["starts_that_found_it"] < 40
    assert "starts" not in one.statistics


def test_where_a_curve_has_a_corner_nothing_is_proven_and_the_reason_is_given():
    table = {"x": np.arange(6.0), "y": [0.1, 0.9, 2.2, 2.9, 4.1, 4.8]}
    found = fit(table, curve="a*max(x, 3)", response="y", start={"a": 1}, exact_up_to=10)
    assert found.terms["certified_digits"].notna().all()
    corner = fit(table, curve="a*x + 0*max(a, 1)", response="y", start={"a": "1"}, exact_up_to=0)
    assert corner.statistics["certification"] == "not certified: rows times squared parameters are 6, more than exact_up_to (0)"
    assert corner.terms["certified_digits"].isna().all()
    # The nearest that |a - 1| x comes to values below zero is at its corner, where no slope is zero.
    below = fit({"x": [1.0, 1, 1], "y": [-0.5, -1, -1.5]}, curve="abs(a - 1)*x", response="y", start={"a": "1.5"})
    assert not below.statistics["minimum_is_proven"]
    assert below.terms["std_error"].isna().all()


def test_data_of_full_doubles_are_met_exactly():
    x = np.arange(1.0, 9.0)
    found = fit({"x": x, "y": 3 / x}, curve="a/x", response="y", start={"a": 1})
    assert found.terms["certified_digits"].notna().all()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("curve: a*x, response: y, start: {a: 1}, bounds: {b: {lower: 0}}", "fit.f.bounds.b: the curve 'a*x' has no parameter 'b'"),
        ("curve: a*x, response: y, start: {a: 1}, bounds: {a: {lower: 2}}", "fit.f.bounds.a: the start 1 is not between the bounds"),
        ("curve: a*x, response: y, start: {a: 1}, bounds: {a: {lower: 2, upper: 1}}", "lower (2) must be below upper (1)"),
        ("curve: a*x, response: y, start: {a: 1}, weights: q", "fit.f.weights: data.d has no column 'q'"),
        ("curve: a*x, response: y, start: {a: 1}, weights: 2", "fit.f.weights: '2' has no column in it"),
        ("curve: a*x, response: y, start: {a: 1}, starts: 0", "fit.f.starts"),
        ("curve: a*x, response: y, start: {a: 1}, covariance: HC1", "covariance has no meaning for curve"),
    ],
)
def test_mistakes_of_bounds_weights_and_starts_are_found_before_anything_runs(tmp_path, entry, message):
    (tmp_path / "d.csv").write_text("x,y\n1,2\n")
    (tmp_path / "c.yaml").write_text(CONFIG % entry)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "c.yaml")
    assert message in str(caught.value)
