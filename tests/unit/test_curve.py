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
