"""Linear regression: its statistics are those of statsmodels where those are right, and bad data are named."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.stats.diagnostic import het_breuschpagan
from statsmodels.stats.outliers_influence import variance_inflation_factor
from statsmodels.stats.stattools import durbin_watson, jarque_bera

from phaseflow.errors import DataError
from phaseflow.models.linear import MODEL
from phaseflow.settings.fits import Fit


def fit(formula, table, **more):
    settings = Fit.model_validate({"linear": formula, "to": "data.d", **more})
    return MODEL.fit(settings, table, "d.csv", np.random.default_rng(0))


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=60), rng.uniform(1, 3, size=60)
    return pd.DataFrame({"a": a, "b": b, "y": 2 + 3 * a - b + rng.normal(size=60) * b})


@pytest.mark.parametrize(("formula", "has_intercept"), [("y ~ a + b", True), ("y ~ a + b - 1", False)])
def test_statistics_agree_with_statsmodels_on_an_easy_design(table, formula, has_intercept):
    found = fit(formula, table)
    design = sm.add_constant(table[["a", "b"]]) if has_intercept else table[["a", "b"]]
    truth = sm.OLS(table["y"], design).fit()
    # The design is well conditioned, so both are right to about 13 digits.
    near = {"rtol": 1e-11, "atol": 1e-13}
    np.testing.assert_allclose(found.terms["estimate"], truth.params, **near)
    np.testing.assert_allclose(found.terms["std_error"], truth.bse, **near)
    np.testing.assert_allclose(found.terms[["ci_low", "ci_high"]], truth.conf_int(), **near)
    np.testing.assert_allclose(found.terms["p"], truth.pvalues, **near)
    statistics = found.statistics
    pairs = {
        "r_squared": truth.rsquared, "r_squared_adjusted": truth.rsquared_adj, "f": truth.fvalue, "f_p": truth.f_pvalue,
        "log_likelihood": truth.llf, "aic": truth.aic + 2, "bic": truth.bic + np.log(60), "durbin_watson": durbin_watson(truth.resid),
        "jarque_bera": jarque_bera(truth.resid)[0], "jarque_bera_p": jarque_bera(truth.resid)[1],
    }  # fmt: skip
    for name, value in pairs.items():
        assert statistics[name] == pytest.approx(value, rel=1e-11), name
    if has_intercept:
        assert statistics["breusch_pagan"] == pytest.approx(het_breuschpagan(truth.resid, design)[0], rel=1e-11)
        assert statistics["breusch_pagan_p"] == pytest.approx(het_breuschpagan(truth.resid, design)[1], rel=1e-11)
        inflation = [variance_inflation_factor(design.to_numpy(), place) for place in (1, 2)]
        np.testing.assert_allclose(found.terms["vif"][1:], inflation, **near)
        assert np.isnan(found.terms["vif"][0])
    influence = truth.get_influence()
    np.testing.assert_allclose(found.rows["leverage"], influence.hat_matrix_diag, **near)
    np.testing.assert_allclose(found.rows["studentized"], influence.resid_studentized_external, rtol=1e-9)
    np.testing.assert_allclose(found.rows["cook"], influence.cooks_distance[0], rtol=1e-9)


def test_tests_find_what_was_put_in():
    rng = np.random.default_rng(1)
    x = np.linspace(0, 1, 400)
    walk = np.zeros(400)
    for place in range(1, 400):
        walk[place] = 0.9 * walk[place - 1] + rng.normal()
    alike = fit("y ~ x", pd.DataFrame({"x": x, "y": x + walk})).statistics
    # For an autoregression of 0.9 Durbin and Watson's statistic tends to 2 * (1 - 0.9).
    assert alike["durbin_watson"] < 0.5
    uneven = fit("y ~ x", pd.DataFrame({"x": x, "y": x + rng.normal(size=400) * (0.1 + x)})).statistics
    assert uneven["breusch_pagan_p"] < 1e-6
    heavy = fit("y ~ x", pd.DataFrame({"x": x, "y": x + rng.standard_t(3, size=400)})).statistics
    assert heavy["jarque_bera_p"] < 1e-6
    even = fit("y ~ x", pd.DataFrame({"x": x, "y": x + rng.normal(size=400)})).statistics
    assert min(even["breusch_pagan_p"], even["jarque_bera_p"]) > 1e-3


def test_an_exact_fit_claims_no_test_of_its_rounding():
    x = np.arange(10.0)
    found = fit("y ~ x", pd.DataFrame({"x": x, "y": 3 + 2 * x}))
    assert found.terms["estimate"].tolist() == pytest.approx([3, 2], abs=1e-13)
    assert found.statistics["durbin_watson"] is None
    assert found.statistics["jarque_bera_p"] is None


def test_a_row_that_alone_determines_a_term_has_no_studentized_residual():
    table = pd.DataFrame({"x": [0.0, 0, 0, 0, 1], "y": [1.0, 2, 3, 2, 9]})
    rows = fit("y ~ x", table).rows
    assert rows["leverage"].iloc[-1] == pytest.approx(1)
    assert np.isnan(rows["studentized"].iloc[-1])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"y": [1.0, 2, 3], "z": [1.0, 2, 3]}, "d.csv has no column 'x' (it has 'y', 'z')"),
        ({"y": [1.0, 2, 3], "x": [1, "two", 3]}, "d.csv, column 'x' does not hold numbers: row 2 has 'two'"),
        ({"y": [1.0, np.nan, 3], "x": [1.0, 2, 4]}, "d.csv, column 'y' has no finite value in 1 rows, first in row 2"),
        ({"y": [1.0, 2, 3], "x": [4.0, 4, 4]}, "the terms 'Intercept', 'x' are linearly dependent; leave one out"),
        ({"y": [1.0, 2, 3], "x": [0.0, 0, 0]}, "the term 'x' is zero in every row"),
        ({"y": [1.0], "x": [4.0]}, "1 row cannot determine 2 terms and their errors"),
    ],
)
def test_data_that_cannot_be_fitted_are_named(columns, message):
    with pytest.raises(DataError) as caught:
        fit("y ~ x", pd.DataFrame(columns))
    assert message in str(caught.value)


def test_a_term_that_is_not_finite_is_named_with_its_row():
    with pytest.raises(DataError, match=r"the term 'log\(x\)' has no finite value in row 2"):
        fit("y ~ log(x)", pd.DataFrame({"x": [1.0, 0, 2, 3], "y": [1.0, 2, 3, 4]}))
