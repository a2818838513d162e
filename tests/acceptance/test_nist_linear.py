"""Linear regression on NIST's Statistical Reference Datasets: digits as double precision allows them, derived from the condition number."""

import numpy as np
import pandas as pd
import pytest

from phaseflow.expressions.formula import parse_formula
from phaseflow.models._least_squares import solve_least_squares
from phaseflow.models.linear import MODEL, build_design
from phaseflow.settings.fits import Fit
from tests.acceptance.reference import read_cases

SETS = read_cases("nist_linear")
EPSILON = np.finfo(float).eps


def make_table(stated):
    columns = np.array([[float(v) for v in row] if isinstance(row, list) else [float(row)] for row in stated["x_text"]])
    if len(stated["predictors"]) > 1 and len(columns) == len(stated["predictors"]):
        columns = columns.T
    table = pd.DataFrame(columns, columns=stated["predictors"])
    return table.assign(y=[float(v) for v in stated["y_text"]])


def write_formula(stated):
    """Return `y ~ x + I(x**2)` for `B0+B1*x+B2*x**2`."""
    parts = [part.split("*", 1)[1:] for part in stated["model"].split("+")]
    terms = [f"I({part[0]})" if "**" in part[0] else part[0] for part in parts if part]
    return f"y ~ {' + '.join(terms)}{'' if [] in parts else ' - 1'}"


def count_digits(found, certified):
    """Return the log relative error, or the log absolute error where the certified value is 0 (McCullough 1998)."""
    found, certified = np.asarray(found), np.asarray(certified)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.abs(found - certified) / np.where(certified == 0, 1, np.abs(certified))
        return np.minimum(-np.log10(relative), 15)


@pytest.mark.parametrize("stated", SETS)
def test_digits_are_those_that_the_condition_number_leaves(stated, capsys):
    name = stated["name"]
    table, formula = make_table(stated), write_formula(stated)
    fit = Fit.model_validate({"linear": formula, "to": f"data.{name}"})
    fitted = MODEL.fit(fit, table, name, np.random.default_rng(0))
    _, design = build_design(parse_formula(formula), table, name)
    response = table["y"].to_numpy()
    norms = np.linalg.norm(design, axis=0)
    condition = np.linalg.cond(design / norms)
    residual = float(np.sqrt(stated["rss"]))
    # Higham (2002), Accuracy and Stability of Numerical Algorithms, eq. 20.3 and theorem 20.3, for the scaled unknowns d_j b_j:
    # n * p * eps * (2 k |b| + k^2 |r|) bounds what Householder's QR loses in all of them together.
    size = np.linalg.norm(norms * np.array(stated["certified"]))
    bound = design.size * EPSILON * (2 * condition * size + condition**2 * residual)
    errors = np.abs(fitted.terms["estimate"] - stated["certified"]) * norms
    printed = 0.5e-14 * np.abs(stated["certified"]) * norms
    assert (errors <= bound + printed).all()
    # s is exact to the error of the residuals, R's inverse to n * p * eps * k, so the errors are to both together.
    certified = np.array(stated["certified_sd"])
    noise = design.size * EPSILON * (np.linalg.norm(response) + condition * size)
    spread = solve_least_squares(design, response).spreads
    allowed = certified * design.size * EPSILON * condition + spread * noise / np.sqrt(stated["dof"]) + 0.5e-14 * certified
    assert (np.abs(fitted.terms["std_error"] - certified) <= allowed).all()
    digits = count_digits(fitted.terms["estimate"], stated["certified"]).min()
    digits_sd = count_digits(fitted.terms["std_error"], certified).min()
    with capsys.disabled():
        print(f"\n{name}: condition {condition:.1e}; digits right: estimates {digits:.1f}, standard errors {digits_sd:.1f}")


@pytest.mark.parametrize("stated", SETS)
def test_statistics_are_the_certified_ones(stated):
    name = stated["name"]
    fit = Fit.model_validate({"linear": write_formula(stated), "to": f"data.{name}"})
    fitted = MODEL.fit(fit, make_table(stated), name, np.random.default_rng(0))
    found = fitted.statistics
    assert (found["observations"], found["degrees_of_freedom"]) == (stated["n"], stated["dof"])
    # NIST prints 15 digits; sums of squares lose at most half of what a double has where the fit is near exact.
    assert found["r_squared"] == pytest.approx(stated["r_squared"], rel=1e-13)
    assert found["residual_std"] == pytest.approx(stated["residual_sd"], rel=1e-7, abs=1e-7)
    if stated["F"]:
        assert found["f"] == pytest.approx(stated["F"], rel=1e-7)
