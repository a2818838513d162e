"""Nonlinear regression on NIST's Statistical Reference Datasets, from both of NIST's starts: every digit that NIST prints."""

import numpy as np
import pandas as pd
import pytest

from phaseflow.models.curve import MODEL
from phaseflow.settings.fits import Fit
from tests.acceptance.reference import read_cases

SETS = read_cases("nist_nonlinear")


def fit(stated, start):
    table = pd.DataFrame({name: stated[name] for name in (*stated["predictors"], "y")})
    begin = {name: repr(value) for name, value in zip(stated["parameters"], stated[start], strict=True)}
    settings = {"curve": stated["model"], "response": stated["response_transform"], "start": begin, "to": "data.d"}
    return MODEL.fit(Fit.model_validate(settings), table, stated["name"], np.random.default_rng(0))


def count_digits(found, certified):
    with np.errstate(divide="ignore"):
        return float(np.minimum(-np.log10(np.abs(np.asarray(found) / certified - 1)), 11).min())


@pytest.mark.parametrize("start", ["start1", "start2"])
@pytest.mark.parametrize("stated", SETS)
def test_ten_digits_are_right_from_both_starts_and_the_minimum_is_proven(stated, start, capsys):
    found = fit(stated, start)
    digits = count_digits(found.terms["estimate"], np.array(stated["certified"]))
    digits_sd = count_digits(found.terms["std_error"], np.array(stated["certified_sd"]))
    with capsys.disabled():
        reach, claimed = found.statistics["alone_within_std_errors"], found.terms["certified_digits"].min()
        print(
            f"\n{stated['name']} {start}: digits {digits:.1f}, errors {digits_sd:.1f}; certified {claimed}, alone within {reach:.1g} errors"
        )
    # NIST prints 11 digits, the last of them rounded.
    assert digits >= 10
    assert digits_sd >= 10
    assert found.statistics["minimum_is_proven"]
    assert found.statistics["alone_within_std_errors"] > 0
    assert found.terms["certified_digits"].min() >= 13
    assert found.statistics["residual_sum_of_squares"] == pytest.approx(stated["rss"], rel=1e-10)


@pytest.mark.parametrize("stated", SETS)
def test_certified_digits_are_those_of_a_computation_by_others(stated):
    # These were computed by others, with 60 digits from the decimals, and are printed with 20; here each decimal entered as its double.
    found = fit(stated, "start2")
    for name, column in (("parameters", "estimate"), ("sd", "std_error")):
        for value, text in zip(found.terms[column], stated["check60"][name], strict=True):
            assert value == pytest.approx(float(text), rel=1e-12)
