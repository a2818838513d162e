"""Certified digits: over random ill-conditioned problems with known exact answers, and at the edges of what can be decided."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from phaseflow.data import Table
from phaseflow.errors import DataError
from phaseflow.models.linear import MODEL
from phaseflow.settings.fits import Fit

N_PROBLEMS = 1_000


def fit(formula, table, **more):
    return MODEL.fit(Fit.model_validate({"linear": formula, "to": "data.d", **more}), table, "d.csv", np.random.default_rng(0))


def invert(matrix):
    """Return the inverse of a matrix of fractions, by Gauss and Jordan."""
    n = len(matrix)
    rows = [[*row, *(Fraction(int(i == j)) for j in range(n))] for i, row in enumerate(matrix)]
    for column in range(n):
        pivot = next(row for row in range(column, n) if rows[row][column] != 0)
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for row in range(n):
            if row != column and rows[row][column] != 0:
                factor = rows[row][column]
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[column], strict=True)]
    return [row[n:] for row in rows]


def make_problem(number):
    """Return columns, the response, weights, the exact estimates and the squares of the exact errors.

    Two columns differ by 10^-k of their size, k up to 14, so that condition numbers go up to 10^15; numbers have up to 18 digits.
    """
    rng = np.random.default_rng(number)

    def draw(low, high):
        return int(rng.integers(low, high + 1))

    p = draw(2, 4)
    n = p + draw(1, 6)
    places = draw(0, 14)
    first = [Fraction(draw(-999, 999), 10) for _ in range(n)]
    columns = [first]
    for _ in range(p - 1):
        columns.append([value + Fraction(draw(-999, 999), 10 ** (places + 2)) for value in columns[draw(0, len(columns) - 1)]])
    response = [Fraction(draw(-(10**6), 10**6), 10 ** draw(0, 6)) for _ in range(n)]
    if number % 4 == 0:
        response = [sum(column[row] for column in columns) for row in range(n)]
    weights = [Fraction(draw(1, 99), 10) if number % 3 == 0 else Fraction(1) for _ in range(n)]
    gram = [[sum(a * b * w for a, b, w in zip(x, z, weights, strict=True)) for z in columns] for x in columns]
    inverse = invert(gram)
    right = [sum(a * b * w for a, b, w in zip(x, response, weights, strict=True)) for x in columns]
    estimates = [sum(a * b for a, b in zip(row, right, strict=True)) for row in inverse]
    left = [response[row] - sum(b * column[row] for b, column in zip(estimates, columns, strict=True)) for row in range(n)]
    variance = sum(value * value * w for value, w in zip(left, weights, strict=True)) / (n - p)
    return columns, response, weights, estimates, [variance * inverse[place][place] for place in range(p)]


def write(value):
    return str(Decimal(value.numerator) / Decimal(value.denominator))


def is_right(printed, exact, digits):
    """Tell, in fractions, whether a double is within 10^-digits of the exact value, relative, or absolute at zero."""
    size = abs(exact) if exact else Fraction(1)
    return abs(Fraction(printed) - exact) * 10**digits <= size


def is_root_right(printed, square, digits):
    """Tell whether a double is within 10^-digits of the square root of a fraction: between (1 - d) and (1 + d) times it."""
    share, squared = Fraction(1, 10**digits), Fraction(printed) ** 2
    if square == 0:
        return squared <= share**2
    return (1 - share) ** 2 * square <= squared <= (1 + share) ** 2 * square


def test_no_certified_digit_is_wrong_over_random_ill_conditioned_problems(tmp_path):
    path, worst, claimed = tmp_path / "d.csv", 0.0, []
    for number in range(N_PROBLEMS):
        try:
            columns, response, weights, estimates, squares = make_problem(number)
        except StopIteration:
            continue
        names = [f"x{place}" for place in range(len(columns))]
        lines = [",".join([*names, "y", "w"])]
        lines += [",".join(map(write, row)) for row in zip(*columns, response, weights, strict=True)]
        path.write_text("\n".join(lines) + "\n")
        found = fit(f"y ~ {' + '.join(names)} - 1", Table(path).read(), **({"weights": "w"} if number % 3 == 0 else {}))
        worst = max(worst, found.statistics["condition_number"])
        for (_, row), exact, square in zip(found.terms.iterrows(), estimates, squares, strict=True):
            digits = int(row["certified_digits"])
            claimed.append(digits)
            assert is_right(row["estimate"], exact, digits)
            assert is_root_right(row["std_error"], square, digits)
            # What is printed is the double next to the exact value, so no double would be nearer.
            assert row["estimate"] == exact.numerator / exact.denominator
    assert len(claimed) > 2 * N_PROBLEMS
    assert min(claimed) >= 15
    assert worst > 1e14


def test_digits_of_doubles_are_those_of_the_doubles_and_of_text_those_of_the_decimals(tmp_path):
    table = pd.DataFrame({"x": [0.1, 0.2, 0.3, 0.5], "y": [1.0, 2.0, 4.0, 3.0]})
    table.to_csv(tmp_path / "d.csv", index=False)
    for frame, exact in ((table, Fraction), (Table(tmp_path / "d.csv").read(), lambda value: Fraction(repr(value)))):
        x, y = [exact(value) for value in table["x"]], [exact(value) for value in table["y"]]
        slope = sum(a * b for a, b in zip(x, y, strict=True)) / sum(a * a for a in x)
        assert fit("y ~ x - 1", frame).terms["estimate"][0] == slope.numerator / slope.denominator


def test_decimals_of_more_digits_than_a_double_has_are_read_as_they_are_written(tmp_path):
    path = tmp_path / "d.csv"
    # In doubles the second column would be the first.
    path.write_text("a,b,y\n1,1.00000000000000000001,3\n2,2,5\n3,3,7\n5,5,9\n")
    found = fit("y ~ a + b - 1", Table(path).read(), exact_up_to=100)
    gap = Fraction(1, 10**20)
    gram = [[Fraction(39), 39 + gap], [39 + gap, 38 + (1 + gap) ** 2]]
    inverse, right = invert(gram), [Fraction(79), 79 + 3 * gap]
    for place, estimate in enumerate(found.terms["estimate"]):
        exact = sum(a * b for a, b in zip(inverse[place], right, strict=True))
        assert is_right(estimate, exact, 15)


def test_logarithms_have_certified_digits_too(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("x,y\n1,2\n2,8.1\n4,31.8\n8,128.5\n")
    found = fit("log(y) ~ log(x)", Table(path).read())
    import mpmath

    with mpmath.workdps(50):
        x, y = ([mpmath.log(mpmath.mpf(text)) for text in texts] for texts in (("1", "2", "4", "8"), ("2", "8.1", "31.8", "128.5")))
        mean = sum(x) / 4
        spread = sum((value - mean) ** 2 for value in x)
        slope = sum((a - mean) * b for a, b in zip(x, y, strict=True)) / spread
        constant = sum(y) / 4 - slope * mean
        variance = sum((b - constant - slope * a) ** 2 for a, b in zip(x, y, strict=True)) / 2
        exact = [constant, slope], [mpmath.sqrt(variance * (1 / mpmath.mpf(4) + mean**2 / spread)), mpmath.sqrt(variance / spread)]
        for column, values in zip(("estimate", "std_error"), exact, strict=True):
            for printed, value in zip(found.terms[column], values, strict=True):
                assert abs(mpmath.mpf(printed) - value) <= abs(value) * mpmath.mpf(10) ** -15
    assert found.terms["certified_digits"].min() >= 15


def test_a_power_law_without_noise_has_errors_of_nothing_and_absolute_digits(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("x,y\n" + "".join(f"{x},{3 * x**2}\n" for x in range(1, 9)))
    found = fit("log(y) ~ log(x)", Table(path).read())
    assert found.terms["estimate"].tolist() == [math.log(3), 2.0]
    assert found.terms["std_error"].tolist() == [0.0, 0.0]


def test_a_polynomial_of_degree_ten_far_from_zero_has_all_its_digits(tmp_path):
    path = tmp_path / "d.csv"
    # The condition number is beyond what any method in doubles can bear; the response is the polynomial itself.
    x = [Fraction(-9) + Fraction(k, 16) for k in range(60)]
    with localcontext(prec=100):
        lines = [f"{write(v)},{write(sum(v**k for k in range(11)))}\n" for v in x]
    path.write_text("x,y\n" + "".join(lines))
    formula = "y ~ x + " + " + ".join(f"I(x**{k})" for k in range(2, 11))
    found = fit(formula, Table(path).read())
    assert found.statistics["condition_number"] > 1e12
    assert found.terms["estimate"].tolist() == [1.0] * 11
    assert found.terms["std_error"].tolist() == [0.0] * 11
    assert found.terms["certified_digits"].tolist() == [17] * 11


@pytest.mark.parametrize(
    ("columns", "formula", "message"),
    [
        ({"a": "1 2 3 4 6", "b": "0.1 0.2 0.3 0.4 0.6"}, "y ~ a + b", "the terms 'a', 'b' are linearly dependent; leave one out"),
        ({"a": "1 2 3 4 6", "b": "5 5 5 5 5"}, "y ~ a + b", "the terms 'Intercept', 'b' are linearly dependent"),
        ({"a": "1 2 3 4 6", "b": "2 1 7 5 5"}, "y ~ a + b + I(a + b)", "the terms 'a', 'b', 'I(a + b)' are linearly dependent"),
        ({"a": "1 2 3 4 6", "b": "2 1 7 5 5"}, "y ~ a + I(0*b)", "the term 'I(0*b)' is zero in every row"),
        ({"a": "1 2 3 4 6", "b": "2 1 7 5 5"}, "y ~ log(a) + log(a**2)", "the terms 'log(a)', 'log(a**2)' are linearly dependent"),
    ],
)
def test_dependent_columns_are_named(columns, formula, message, tmp_path):
    table = {name: values.split() for name, values in columns.items()} | {"y": ["3", "1", "4", "1", "5"]}
    path = tmp_path / "d.csv"
    path.write_text(",".join(table) + "\n" + "\n".join(map(",".join, zip(*table.values(), strict=True))) + "\n")
    with pytest.raises((DataError, ValueError)) as caught:
        fit(formula, Table(path).read())
    assert message in str(caught.value)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_sum_rounded_to_doubles_is_dependent_to_within_its_rounding(suffix, tmp_path):
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"a": rng.normal(size=40), "b": rng.normal(size=40), "y": rng.normal(size=40), "z": rng.normal(size=40)})
    table["c"] = table["a"] - 3 * table["b"]
    path = tmp_path / f"d.{suffix}"
    if suffix == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)
    with pytest.raises(DataError, match=r"the terms 'a', 'b', 'c' are linearly dependent to within the rounding of their numbers"):
        fit("y ~ a + b + c + z", Table(path).read())


def test_a_large_table_says_that_its_digits_are_not_certified():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=50), "y": rng.normal(size=50)})
    exact, plain = fit("y ~ x", table), fit("y ~ x", table, exact_up_to=199)
    assert plain.terms["certified_digits"].isna().all()
    assert plain.statistics["certification"] == "not certified: rows times squared terms are 200, more than exact_up_to (199)"
    for name in ("estimate", "std_error", "vif", "p"):
        # The condition number is near 1, so QR in doubles is right to a few ulps times the 50 rows.
        np.testing.assert_allclose(plain.terms[name], exact.terms[name], rtol=1e-13)
    np.testing.assert_allclose(plain.rows[["studentized", "cook", "dffits"]], exact.rows[["studentized", "cook", "dffits"]], rtol=1e-11)
