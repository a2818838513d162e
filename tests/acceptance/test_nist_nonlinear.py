"""Nonlinear regression on NIST's Statistical Reference Datasets, from both of NIST's starts, in double precision."""

import numpy as np
import pandas as pd
import pytest

from phaseflow.models.curve import MODEL
from phaseflow.settings.fits import Fit
from tests.acceptance.reference import read_cases

SETS = read_cases("nist_nonlinear")


def count_digits(found, certified):
    with np.errstate(divide="ignore"):
        return float(np.minimum(-np.log10(np.abs(np.asarray(found) / certified - 1)), 11).min())


@pytest.mark.parametrize("start", ["start1", "start2"])
@pytest.mark.parametrize("stated", SETS)
def test_six_digits_are_right_from_both_starts(stated, start, capsys):
    table = pd.DataFrame({name: stated[name] for name in (*stated["predictors"], "y")})
    begin = {name: repr(value) for name, value in zip(stated["parameters"], stated[start], strict=True)}
    fit = Fit.model_validate({"curve": stated["model"], "response": stated["response_transform"], "start": begin, "to": "data.d"})
    found = MODEL.fit(fit, table, stated["name"], np.random.default_rng(0))
    # NIST prints 11 digits. Six in double precision is what the best of other programs reach on all sets.
    digits = count_digits(found.terms["estimate"], np.array(stated["certified"]))
    digits_sd = count_digits(found.terms["std_error"], np.array(stated["certified_sd"]))
    with capsys.disabled():
        evaluations, share = found.statistics["evaluations"], found.statistics["stationarity"]
        print(f"\n{stated['name']} {start}: digits {digits:.1f}, errors {digits_sd:.1f}; {evaluations} evaluations, {share:.0e}")
    assert digits >= 6
    assert digits_sd >= 6
    assert found.statistics["converged"]
    assert found.statistics["residual_sum_of_squares"] == pytest.approx(stated["rss"], rel=1e-8)
