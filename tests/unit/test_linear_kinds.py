"""Weighted and robust least squares, generalised linear models, penalties and categories, against statsmodels and closed forms."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.stats.diagnostic import acorr_breusch_godfrey, acorr_ljungbox

from phaseflow.config import load_config
from phaseflow.errors import ConfigError, DataError
from phaseflow.models.linear import MODEL
from phaseflow.settings.fits import FAMILIES, Fit

# The designs are well conditioned, so that both sides are right to about 13 digits.
NEAR = {"rtol": 1e-10, "atol": 1e-13}


def fit(formula, table, **more):
    settings = Fit.model_validate({"linear": formula, "to": "data.d", **more})
    return MODEL.fit(settings, pd.DataFrame(table), "d.csv", np.random.default_rng(0))


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=80), rng.uniform(1, 3, size=80)
    return pd.DataFrame({"a": a, "b": b, "y": 2 + 3 * a - b + rng.normal(size=80) * b, "w": 1 / b**2, "site": list("qpqr") * 20})


@pytest.mark.parametrize("limit", [0, 10**6])
def test_weighted_least_squares_are_those_of_statsmodels(table, limit):
    found = fit("y ~ a + b", table, weights="w", exact_up_to=limit)
    truth = sm.WLS(table["y"], sm.add_constant(table[["a", "b"]]), weights=table["w"]).fit()
    np.testing.assert_allclose(found.terms["estimate"], truth.params, **NEAR)
    np.testing.assert_allclose(found.terms["std_error"], truth.bse, **NEAR)
    np.testing.assert_allclose(found.rows["residual"], truth.resid, **NEAR)
    whitened = sm.OLS(truth.model.wendog, truth.model.wexog).fit().get_influence()
    np.testing.assert_allclose(found.rows["leverage"], whitened.hat_matrix_diag, **NEAR)
    np.testing.assert_allclose(found.rows["studentized"], whitened.resid_studentized_external, rtol=1e-9)
    expected = {"r_squared": truth.rsquared, "f": truth.fvalue, "log_likelihood": truth.llf, "residual_std": np.sqrt(truth.scale)}
    for name, value in expected.items():
        assert found.statistics[name] == pytest.approx(value, rel=1e-11), name
    assert found.terms["certified_digits"].notna().all() == (limit > 0)


def test_weights_may_be_an_expression_and_must_be_above_zero(table):
    assert fit("y ~ a", table, weights="1/b**2").terms["estimate"].tolist() == pytest.approx(
        fit("y ~ a", table, weights="w").terms["estimate"].tolist(), rel=1e-14
    )
    with pytest.raises(DataError, match=r"the weight a is not above zero in row \d"):
        fit("y ~ b", table, weights="a")


@pytest.mark.parametrize("limit", [0, 10**6])
@pytest.mark.parametrize("covariance", ["HC0", "HC1", "HC2", "HC3", "HAC"])
@pytest.mark.parametrize("weights", [None, "w"])
def test_robust_errors_are_those_of_statsmodels(table, covariance, limit, weights):
    found = fit("y ~ a + b", table, covariance=covariance, exact_up_to=limit, **({"weights": weights} if weights else {}))
    options = {"cov_kwds": {"maxlags": found.statistics["lags"]}} if covariance == "HAC" else {}
    weighted = table["w"] if weights else np.ones(80)
    truth = sm.WLS(table["y"], sm.add_constant(table[["a", "b"]]), weights=weighted).fit(cov_type=covariance, **options)
    np.testing.assert_allclose(found.terms["std_error"], truth.bse, **NEAR)
    assert found.statistics["f"] == pytest.approx(float(truth.fvalue), rel=1e-10)
    assert found.terms["certified_digits"].notna().all() == (limit > 0)


def test_lags_are_newey_and_wests_unless_given(table):
    assert fit("y ~ a", table, covariance="HAC").statistics["lags"] == int(4 * (80 / 100) ** (2 / 9))
    assert fit("y ~ a", table, covariance="HAC", lags=0).terms["std_error"].tolist() == pytest.approx(
        fit("y ~ a", table, covariance="HC0").terms["std_error"].tolist(), rel=1e-15
    )


@pytest.mark.parametrize("limit", [0, 10**6])
def test_hc3_has_no_value_where_a_row_alone_determines_a_term(limit):
    table = {"x": [0.0, 0, 0, 0, 1], "y": [1.0, 2, 3, 2, 9]}
    with pytest.raises(DataError, match="row 5 alone determines a term"):
        fit("y ~ x", table, covariance="HC3", exact_up_to=limit)
    assert np.isfinite(fit("y ~ x", table, covariance="HC1", exact_up_to=limit).terms["std_error"]).all()


def test_tests_of_autocorrelation_are_those_of_statsmodels(table):
    found = fit("y ~ a + b", table).statistics
    truth = sm.OLS(table["y"], sm.add_constant(table[["a", "b"]])).fit()
    score, p, _, _ = acorr_breusch_godfrey(truth, nlags=10, result_object=False)
    assert (found["breusch_godfrey"], found["breusch_godfrey_p"]) == pytest.approx((score, p), rel=1e-10)
    box = acorr_ljungbox(truth.resid, lags=[10]).iloc[0]
    assert (found["ljung_box"], found["ljung_box_p"]) == pytest.approx((box["lb_stat"], box["lb_pvalue"]), rel=1e-10)
    np.testing.assert_allclose(fit("y ~ a + b", table).rows["dffits"], truth.get_influence().dffits[0], rtol=1e-9)


RESPONSES = {
    "gaussian": lambda eta, rng: eta + 10 + rng.normal(size=len(eta)),
    "binomial": lambda eta, rng: (rng.uniform(size=len(eta)) < 1 / (1 + np.exp(-eta / 3 + 1.5))).astype(float),
    "poisson": lambda eta, rng: rng.poisson(3 + np.exp(eta / 3)).astype(float),
    "gamma": lambda eta, rng: rng.gamma(3, 2 + np.abs(eta)),
}


@pytest.mark.parametrize(
    ("family", "link"), [(family, link) for family, links in FAMILIES.items() for link in links if link != "log" or family != "binomial"]
)
def test_a_generalised_linear_model_solves_its_likelihood_equations(table, family, link):
    response = RESPONSES[family]((table["a"] * 0.6 + table["b"]).to_numpy(), np.random.default_rng(3))
    found = fit("y ~ a + b", table.assign(y=response), family=family, link=link)
    means, design = found.rows["fitted"].to_numpy(), np.stack([np.ones(80), table["a"], table["b"]], axis=1)
    variance = {"gaussian": means**0, "binomial": means * (1 - means), "poisson": means, "gamma": means**2}[family]
    step = 1e-6
    reaction = {
        "identity": lambda eta: eta, "log": np.exp, "logit": lambda eta: 1 / (1 + np.exp(-eta)), "inverse": lambda eta: 1 / eta,
        "probit": lambda eta: sm.families.links.Probit().inverse(eta), "cloglog": lambda eta: 1 - np.exp(-np.exp(eta)),
        "sqrt": lambda eta: eta**2,
    }[link]  # fmt: skip
    eta = design @ found.terms["estimate"].to_numpy()
    np.testing.assert_allclose(reaction(eta), means, rtol=1e-8)
    slope = (reaction(eta + step) - reaction(eta - step)) / (2 * step)
    score = design.T @ ((response - means) * slope / variance)
    size = np.abs(design).T @ np.abs((response - means) * slope / variance)
    # Central differences err by 1e-10 or so; iterations end at relative changes of 1e-12.
    assert (np.abs(score) <= 1e-6 * size).all()
    assert found.statistics["link"] == link
    assert found.terms["certified_digits"].isna().all()


def test_a_poisson_model_of_groups_has_the_logarithms_of_their_means():
    table = {"group": list("aaabbbb"), "count": [1.0, 2, 3, 5, 7, 8, 4]}
    found = fit("count ~ C(group) - 1", table, family="poisson")
    assert found.terms["estimate"].tolist() == pytest.approx([np.log(2), np.log(6)], rel=1e-12)
    # The information of a group is the sum of its counts.
    assert found.terms["std_error"].tolist() == pytest.approx([6**-0.5, 24**-0.5], rel=1e-10)


@pytest.mark.parametrize(
    ("family", "response", "message"),
    [
        ("binomial", [0.0, 2, 1, 0, 1], "the response 'y' is 2 in row 2; the family binomial wants it between 0 and 1"),
        ("poisson", [0.0, 1, 1.5, 0, 1], "is 1.5 in row 3; the family poisson wants it a whole number from 0 on"),
        ("gamma", [1.0, 1, 1, 0, 1], "is 0 in row 4; the family gamma wants it above 0"),
        ("binomial", [0.0, 0, 0, 1, 1], "the terms separate the response perfectly in 5 rows: the likelihood has no greatest value"),
        ("poisson", [0.0, 0, 0, 0, 0], "separate the response perfectly"),
    ],
)
def test_a_response_outside_its_family_is_an_error(family, response, message):
    with pytest.raises(DataError) as caught:
        fit("y ~ x", {"x": [1.0, 2, 3, 4, 5], "y": response}, family=family)
    assert message in str(caught.value)


def test_ridge_is_the_closed_form_at_the_penalty_that_was_chosen(table):
    found = fit("y ~ a + b", table, penalty="ridge")
    design = table[["a", "b"]].to_numpy()
    scaled = (design - design.mean(axis=0)) / design.std(axis=0)
    centred = table["y"].to_numpy() - table["y"].mean()
    shrunk = np.linalg.solve(scaled.T @ scaled + 80 * found.statistics["penalty"] * np.eye(2), scaled.T @ centred)
    np.testing.assert_allclose(found.terms["estimate"][1:], shrunk / design.std(axis=0), **NEAR)
    assert found.terms[["std_error", "ci_low", "ci_high"]].isna().all().all()
    assert "not available" in found.statistics["intervals"]


def test_the_lasso_of_unrelated_columns_is_a_soft_threshold():
    x = np.array([[a, b, c] for a in (-1.0, 1) for b in (-1.0, 1) for c in (-1.0, 1)] * 4)
    y = 3 * x[:, 0] + 0.4 * x[:, 1] + np.random.default_rng(2).normal(size=32)
    found = fit("y ~ a + b + c", {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": y}, penalty="lasso", folds=4)
    plain = x.T @ (y - y.mean()) / 32
    wanted = np.sign(plain) * np.maximum(np.abs(plain) - found.statistics["penalty"], 0)
    np.testing.assert_allclose(found.terms["estimate"][1:], wanted, atol=1e-8)


def test_the_lasso_drops_what_has_no_part():
    rng = np.random.default_rng(0)
    table = {f"x{k}": rng.normal(size=200) for k in range(10)}
    found = fit("y ~ " + " + ".join(table), table | {"y": 2 * table["x0"] - table["x3"] + 0.3 * rng.normal(size=200)}, penalty="lasso")
    kept = found.terms["term"][found.terms["estimate"].abs() > 0.1].tolist()
    assert kept == ["x0", "x3"]
    assert found.statistics["terms_kept"] < 11


def test_categories_are_indicators_of_all_levels_but_the_first(table):
    found = fit("y ~ a + C(site)", table)
    design = sm.add_constant(pd.DataFrame({"a": table["a"], "q": table["site"] == "q", "r": table["site"] == "r"}).astype(float))
    truth = sm.OLS(table["y"], design).fit()
    assert found.terms["term"].tolist() == ["Intercept", "a", "C(site)[q]", "C(site)[r]"]
    np.testing.assert_allclose(found.terms["estimate"], truth.params, **NEAR)
    without = fit("y ~ C(site) - 1", table)
    assert without.terms["estimate"].tolist() == pytest.approx(table.groupby("site")["y"].mean().tolist(), rel=1e-12)
    crossed = fit("y ~ a*C(site)", table)
    assert crossed.terms["term"].tolist()[-2:] == ["a:C(site)[q]", "a:C(site)[r]"]
    assert crossed.terms["certified_digits"].min() >= 15


@pytest.mark.parametrize(
    ("formula", "terms"),
    [
        ("y ~ C(site):a", ["Intercept", "C(site)[p]:a", "C(site)[q]:a", "C(site)[r]:a"]),
        ("y ~ a + C(site):a", ["Intercept", "a", "C(site)[q]:a", "C(site)[r]:a"]),
        ("y ~ C(site) + C(site):I(a + b) - 1", [f"C(site)[{k}]{rest}" for rest in ("", ":I(a + b)") for k in "pqr"]),
        ("y ~ C(site) + C(big) - 1", ["C(site)[p]", "C(site)[q]", "C(site)[r]", "C(big)[True]"]),
        ("y ~ C(big):a + C(site) - 1", ["C(big)[False]:a", "C(big)[True]:a", "C(site)[p]", "C(site)[q]", "C(site)[r]"]),
        ("y ~ C(site) + C(site):C(big)", ["Intercept", "C(site)[q]", "C(site)[r]", *(f"C(site)[{k}]:C(big)[True]" for k in "pqr")]),
    ],
)
def test_categories_are_coded_as_r_codes_them(table, formula, terms):
    assert fit(formula, table.assign(big=table["b"] > 2)).terms["term"].tolist() == terms


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["u", None, "v", "u", "v"], "d.csv, column 'c' has no value in 1 rows, first in row 2"),
        (["u"] * 5, "d.csv, column 'c' has 'u' in every row, and a category 2 to 200"),
    ],
)
def test_categories_that_are_none_are_named(column, message):
    with pytest.raises(DataError) as caught:
        fit("y ~ C(c)", {"c": column, "y": [1.0, 2, 3, 4, 6]})
    assert message in str(caught.value)


CONFIG = "data: {d: {file: d.csv}}\nfit: {f: {linear: y ~ x, to: data.d, %s}}\n"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("link: log", "fit.f.link: a link needs family beside it"),
        ("family: poisson, link: logit", "'logit' is no link of poisson (allowed: log, identity, sqrt)"),
        ("lags: 3", "fit.f.lags: lags are those of covariance: HAC"),
        ("folds: 3", "fit.f.folds: folds are those of a penalty"),
        ("penalty: ridge, covariance: HC1", "a fit with a penalty has no standard errors"),
        ("penalty: ridge, family: gamma", "a penalty is for least squares"),
        ("weights: z", "fit.f.weights: data.d has no column 'z'"),
        ("weights: 3", "fit.f.weights: '3' has no column in it"),
        ("starts: 3", "starts has no meaning for linear"),
    ],
)
def test_settings_that_do_not_go_together_are_mistakes(tmp_path, entry, message):
    (tmp_path / "d.csv").write_text("x,y\n1,2\n")
    (tmp_path / "c.yaml").write_text(CONFIG % entry)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "c.yaml")
    assert message in str(caught.value)
