"""Linear regression on NIST's Statistical Reference Datasets: every digit that NIST prints, and more."""

import numpy as np
import pytest

from phaseflow.data import Table
from phaseflow.models.linear import MODEL
from phaseflow.settings.fits import Fit
from tests.acceptance.reference import read_cases

SETS = read_cases("nist_linear")


def write_table(stated, path):
    """Write a set as it is printed."""
    rows = [row if isinstance(row, list) else [row] for row in stated["x_text"]]
    if len(stated["predictors"]) > 1 and len(rows) == len(stated["predictors"]):
        rows = [list(row) for row in zip(*rows, strict=True)]
    lines = [",".join([*stated["predictors"], "y"])]
    lines += [",".join([*row, y]) for row, y in zip(rows, stated["y_text"], strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return Table(path).read()


def write_formula(stated):
    """Return `y ~ x + I(x**2)` for `B0+B1*x+B2*x**2`."""
    parts = [part.split("*", 1)[1:] for part in stated["model"].split("+")]
    terms = [f"I({part[0]})" if "**" in part[0] else part[0] for part in parts if part]
    return f"y ~ {' + '.join(terms)}{'' if [] in parts else ' - 1'}"


def fit(stated, folder):
    settings = Fit.model_validate({"linear": write_formula(stated), "to": f"data.{stated['name']}"})
    return MODEL.fit(settings, write_table(stated, folder / "d.csv"), stated["name"], np.random.default_rng(0))


def count_digits(found, certified):
    """Return the log relative error, or the log absolute error where the certified value is 0 (McCullough 1998)."""
    found, certified = np.asarray(found), np.asarray(certified)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.abs(found - certified) / np.where(certified == 0, 1, np.abs(certified))
        return np.minimum(-np.log10(relative), 15)


@pytest.mark.parametrize("stated", SETS)
def test_thirteen_digits_of_every_estimate_and_error_are_right(stated, tmp_path, capsys):
    fitted = fit(stated, tmp_path)
    digits = count_digits(fitted.terms["estimate"], stated["certified"]).min()
    digits_sd = count_digits(fitted.terms["std_error"], stated["certified_sd"]).min()
    with capsys.disabled():
        condition = fitted.statistics["condition_number"]
        print(f"\n{stated['name']}: condition {condition:.1e}; digits right: estimates {digits:.1f}, standard errors {digits_sd:.1f}")
    # NIST prints 15 digits, the last of them rounded.
    assert min(digits, digits_sd) >= 13
    assert fitted.terms["certified_digits"].min() >= 15


@pytest.mark.parametrize("stated", SETS)
def test_what_is_certified_agrees_with_sixty_digits(stated, tmp_path):
    fitted = fit(stated, tmp_path)
    # These were computed by others, with 60 digits, and are printed with 25: the nearest double is nearer than half a digit in 15.
    for name, column in (("parameters", "estimate"), ("sd", "std_error")):
        for found, text in zip(fitted.terms[column], stated["check60"][name], strict=True):
            assert found == pytest.approx(float(text), rel=2.3e-16, abs=1e-50)


@pytest.mark.parametrize("stated", SETS)
def test_statistics_are_the_certified_ones(stated, tmp_path):
    found = fit(stated, tmp_path).statistics
    assert (found["observations"], found["degrees_of_freedom"]) == (stated["n"], stated["dof"])
    # NIST prints 15 digits; a ratio of sums of n squares loses another n ulps at most.
    near = {"rel": 1e-13, "abs": 1e-13}
    assert found["r_squared"] == pytest.approx(stated["r_squared"], **near)
    assert found["residual_std"] == pytest.approx(stated["residual_sd"], **near)
    if stated["F"]:
        # F is (total - residual) / residual: it loses the digits by which the total exceeds the residual sum.
        lost = 1e-13 * max(1, 1 / stated["r_squared"])
        assert found["f"] == pytest.approx(stated["F"], rel=10 * lost)
