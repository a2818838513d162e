"""Tables that regressions cannot use: each is an error that names the file and the column, and nothing is written."""

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phaseflow.errors import DataError
from phaseflow.expressions.formula import parse_formula
from phaseflow.models.curve import MODEL as CURVE
from phaseflow.models.linear import MODEL as LINEAR
from phaseflow.regression import fit_model
from phaseflow.settings.block import Block
from phaseflow.settings.fits import Fit

FITS = {
    "linear": {"linear": "y ~ x", "to": "data.d"},
    "weighted": {"linear": "y ~ x", "weights": "w", "to": "data.d"},
    "lasso": {"linear": "y ~ x", "penalty": "lasso", "folds": 2, "to": "data.d"},
    "family": {"linear": "y ~ x", "family": "gamma", "to": "data.d"},
    "curve": {"curve": "a*exp(b*x)", "response": "y", "start": {"a": 1, "b": "0.1"}, "weights": "w", "to": "data.d"},
}
GOOD = "x,y,w\n1,2,1\n2,3,1\n3,5,2\n4,6,1\n5,9,1\n"


def run(name, text, folder):
    path, outputs = folder / "d.csv", [folder / f"out.{end}" for end in ("csv", "json", "parquet")]
    path.write_text(text)
    block = Block.of("fit", "f", Fit.model_validate(FITS[name]))
    fit_model(block, path, *outputs)
    return outputs


@pytest.mark.parametrize("name", FITS)
def test_a_good_table_is_fitted(name, tmp_path):
    assert all(path.exists() for path in run(name, GOOD, tmp_path))


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("x,y,w\n1,2,1\n2,,1\n3,5,2\n4,6,1\n5,7,1\n", "column 'y' has no finite value in 1 rows, first in row 2"),
        ("x,y,w\n1,2,1\n2,3,1\n3,5,2\nfour,6,1\n5,7,1\n", "column 'x' does not hold numbers: row 4 has 'four'"),
        ("z,y,w\n1,2,1\n2,3,1\n3,5,2\n4,6,1\n5,7,1\n", "has no column 'x' (it has 'z', 'y', 'w')"),
        ("x,y,w\n", "the table has no rows"),
        ("", "d.csv"),
    ],
)
def test_what_is_wrong_with_a_column_is_said_and_nothing_is_written(name, text, column, tmp_path):
    with pytest.raises(DataError) as caught:
        run(name, text, tmp_path)
    assert column in str(caught.value)
    assert str(tmp_path / "d.csv") in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["d.csv"]


@pytest.mark.parametrize("name", FITS)
def test_one_row_is_too_few(name, tmp_path):
    with pytest.raises(DataError, match="1 row"):
        run(name, "x,y,w\n1,2,1\n", tmp_path)


@pytest.mark.parametrize("name", ["linear", "weighted", "family", "curve"])
def test_a_constant_column_is_named(name, tmp_path):
    with pytest.raises(DataError, match=r"d\.csv.*'(Intercept', 'x|a', 'b)' are linearly dependent"):
        run(name, "x,y,w\n3,2,1\n3,3,1\n3,5,2\n3,6,1\n3,9,1\n", tmp_path)


# -- whatever is accepted is fitted, or refused as data

TABLE = pd.DataFrame(
    {
        "x": [0.5, 1, 2, 3, 4.5, 5, 7, 8],
        "z": [2.0, -1, 0, 3, 1, -2, 5, 4],
        "y": [1.0, 3, 2, 5, 4, 7, 6, 9],
        "k": [0.0, 1, 1, 0, 1, 0, 1, 1],
        "s": list("abcabcab"),
    }
)
FUNCTIONS = ("log", "exp", "sqrt", "sin", "abs", "sign", "atan", "erf", "sigmoid", "asin")
FEW = settings(deadline=None, database=None, derandomize=True, max_examples=60, suppress_health_check=list(HealthCheck))


def nest(inner):
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: "({}{}{})".format(*parts)),
        st.tuples(inner, st.sampled_from(["2", "0.5", "-1"])).map(lambda parts: "({})**{}".format(*parts)),
        st.tuples(st.sampled_from(FUNCTIONS), inner).map(lambda parts: "{}({})".format(*parts)),
        st.tuples(inner, inner).map(lambda parts: "max({},{})".format(*parts)),
        st.tuples(inner, inner).map(lambda parts: "where({0}>{1},{1},{0})".format(*parts)),
    )


def count_outcome(outcomes, work):
    try:
        work()
        outcomes.append("fitted")
    except DataError:
        outcomes.append("refused")


columns = st.recursive(st.sampled_from(["x", "z", "k", "2", "0.1", "pi"]), nest, max_leaves=6)
terms = st.one_of(columns.map("I({})".format), st.sampled_from(["C(s)", "x", "C(s):x"]))


def test_any_formula_is_fitted_or_refused_as_data():
    outcomes = []

    @FEW
    @given(
        listed=st.lists(terms, min_size=1, max_size=3),
        more=st.sampled_from(
            [{}, {"covariance": "HC3"}, {"covariance": "HAC"}, {"penalty": "ridge"}, {"weights": "x"}, {"family": "poisson"}]
        ),
    )
    def check(listed, more):
        text = f"y ~ {' + '.join(listed)}"
        try:
            parse_formula(text)
        except ValueError:
            return
        fit = Fit.model_validate({"linear": text, "to": "data.d", **more})
        count_outcome(outcomes, lambda: LINEAR.fit(fit, TABLE, "d.csv", None))

    check()
    assert min(outcomes.count("fitted"), outcomes.count("refused")) > 3


def test_any_curve_is_fitted_or_refused_as_data():
    outcomes = []

    @FEW
    @given(text=st.recursive(st.sampled_from(["x", "a", "b", "2", "0.5"]), nest, max_leaves=6), is_bounded=st.booleans())
    def check(text, is_bounded):
        try:
            fit = Fit.model_validate({"curve": text, "response": "y", "start": {"a": 1}, "to": "data.d"})
        except ValueError:
            return
        start = {name: 1 for name in "ab" if fit.curve is not None and name in fit.curve.names}
        bounds = {name: {"lower": 0, "upper": 3} for name in start} if is_bounded else None
        if start:
            settings = {"curve": text, "response": "y", "start": start, "to": "data.d", "bounds": bounds}
            count_outcome(outcomes, lambda: CURVE.fit(Fit.model_validate(settings), TABLE, "d.csv", None))

    check()
    assert min(outcomes.count("fitted"), outcomes.count("refused")) > 3
