"""Regression formulas: what is accepted, what it means, and that nothing in it runs."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phaseflow.expressions.formula import MAX_TERMS, parse_formula
from phaseflow.expressions.quantity import Expression

FIXED = settings(deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def read(text: str) -> tuple[str, list[str], bool]:
    formula = parse_formula(text)
    return formula.response.name, [term.name for term in formula.terms], formula.has_intercept


@pytest.mark.parametrize(
    ("text", "response", "terms", "has_intercept"),
    [
        ("y ~ x", "y", ["x"], True),
        ("y~x+z", "y", ["x", "z"], True),
        ("  y  ~  x\n + z ", "y", ["x", "z"], True),
        ("y ~ + x", "y", ["x"], True),
        ("y ~ 1", "y", [], True),
        ("y ~ x + 1", "y", ["x"], True),
        ("y ~ x - 1", "y", ["x"], False),
        ("y ~ -1 + x", "y", ["x"], False),
        ("y ~ 0 + x", "y", ["x"], False),
        ("y ~ x + 0", "y", ["x"], False),
        ("y ~ x - 0", "y", ["x"], True),
        ("y ~ x - 1 + 1", "y", ["x"], True),
        ("y ~ x + x", "y", ["x"], True),
        ("y ~ z + x", "y", ["z", "x"], True),
        ("y ~ a:b", "y", ["a:b"], True),
        ("y ~ a*b", "y", ["a", "b", "a:b"], True),
        ("y ~ a*b + a", "y", ["a", "b", "a:b"], True),
        ("y ~ a*b*c", "y", ["a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"], True),
        ("log(y) ~ log(x)", "log(y)", ["log(x)"], True),
        ("y ~ log( x+1 )", "y", ["log(x + 1)"], True),
        ("y ~ I(x**2)", "y", ["I(x**2)"], True),
        ("y ~ I( x + z )", "y", ["I(x + z)"], True),
        ("y ~ x + I(x - 1)", "y", ["x", "I(x - 1)"], True),
        ("y ~ I(x**2):z", "y", ["I(x**2):z"], True),
        ("y ~ I(1 / x)*z", "y", ["I(1/x)", "z", "I(1/x):z"], True),
        ("y ~ where(x > 0, x, -z)", "y", ["where(x > 0, x, -z)"], True),
        ("y ~ min(x, z)", "y", ["min(x, z)"], True),
        ("I(y/z) ~ x", "I(y/z)", ["x"], True),
        ("y ~ C( x )", "y", ["C(x)"], True),
        ("y ~ C(x)*z - 1", "y", ["C(x)", "z", "C(x):z"], False),
        ("I(x) ~ I(x)", "I(x)", ["I(x)"], True),
    ],
)
def test_a_formula_means_what_r_reads_in_it(text: str, response: str, terms: list[str], has_intercept: bool) -> None:
    assert read(text) == (response, terms, has_intercept)


def test_factors_are_expressions_and_interactions_hold_all_of_theirs() -> None:
    formula = parse_formula("log(y) ~ a*I(b + 1) + c")
    assert formula.response.factors == (Expression.parse("log(y)"),)
    assert formula.terms[2].factors == (Expression.parse("a"), Expression.parse("b + 1"))
    assert formula.columns == {"y", "a", "b", "c"}


def test_categories_are_apart_from_columns_that_must_hold_numbers() -> None:
    formula = parse_formula("y ~ C(site)*x + C(x)")
    assert (formula.categories, formula.numbers, formula.columns) == ({"site", "x"}, {"x", "y"}, {"site", "x", "y"})


def test_constants_are_no_columns() -> None:
    assert parse_formula("y ~ I(pi*x + e)").columns == {"x", "y"}


def test_the_same_formula_written_otherwise_is_equal() -> None:
    assert parse_formula("y~log(x)+I(x+1)-1") == parse_formula("y ~ log( x ) + I( x + 1 ) + 0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a formula: write response ~ term + term"),
        ("y", "is not a formula"),
        ("y = x", "is not a formula"),
        ("y ~ x ~ z", "is not a formula"),
        ("~ x", "the factor '' of the formula: an expression is empty"),
        ("y ~", "a term is missing beside a + or -"),
        ("y ~ x +", "a term is missing"),
        ("y ~ x + + z", "a term is missing"),
        ("y ~ x -", "a term is missing"),
        ("y ~ 0", "has 0 terms; 1 to 500 are wanted"),
        ("y ~ -1", "has 0 terms"),
        ("y ~ x - z", "'z' cannot be taken away: only '- 1'"),
        ("y ~ x - 2", "'2' cannot be taken away"),
        ("y ~ x**2", "put arithmetic inside I(...), as in I(x**2)"),
        ("y ~ x*", "put arithmetic inside I(...)"),
        ("y ~ x/z", "put arithmetic inside I(...), as in I(x/z)"),
        ("y ~ 2*x", "the factor '2' of the formula has no column in it"),
        ("y ~ 2", "has no column in it"),
        ("y ~ log(2)", "has no column in it"),
        ("y ~ I(pi)", "has no column in it"),
        ("y ~ pi", "has no column in it"),
        ("y ~ (x)(z)", "there is no function 'x'"),
        ("y ~ log(x)/log(z)", "put arithmetic inside I(...)"),
        ("y ~ I(x)I(z)", "the factor 'I(x)I(z)' of the formula"),
        ("y ~ I(x", "the factor 'I(x' of the formula"),
        ("y ~ I()", "an expression is empty"),
        ("y ~ x) + (z", "the factor 'x) + (z' of the formula: this is not an expression"),
        ("y ~ a:", "an expression is empty"),
        ("y ~ a::b", "an expression is empty"),
        ("y ~ a*b*c*d*f", "crosses more than four factors"),
        ("y ~ poly(x, 2)", "there is no function 'poly'"),
        ("y ~ C(x + 1)", "there is no function 'C'"),
        ("y ~ C(x", "the factor 'C(x' of the formula"),
        ("y ~ C(1)", "there is no function 'C'"),
        ("y ~ C(pi)", "there is no function 'C'"),
        ("C(y) ~ x", "the response C(y) cannot be a category"),
        ("y ~ x > 0", "a comparison may stand only first in where"),
        ("y ~ x % z", "only numbers, names"),
        ("y ~ __import__('os').system('true')", "only the listed functions can be called"),
        ("y ~ Q('x')", "there is no function 'Q'"),
        ("y ~ {x}", "only numbers, names"),
        ("y ~ x[0]", "an index is written"),
        ("y ~ température", "the character 'é' is not allowed"),
        ("y + z ~ x", "put arithmetic inside I(...), as in I(y + z)"),
        ("y ~ " + " + ".join(f"x{place}" for place in range(MAX_TERMS)), "has 500 terms"),
    ],
)
def test_a_mistake_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=".") as caught:  # noqa: RUF043 - the message is compared as it stands below
        parse_formula(text)
    assert message in str(caught.value)


def test_as_many_terms_as_are_allowed_are_accepted() -> None:
    text = "y ~ " + " + ".join(f"x{place}" for place in range(MAX_TERMS - 1))
    assert len(parse_formula(text).terms) == MAX_TERMS - 1


HARMLESS = {"compile", "object.__getattr__"}  # ast.parse itself is a 'compile' event; no code object is made
EVENTS: list[str] | None = None


def _listen(event: str, _arguments: tuple[Any, ...]) -> None:
    if EVENTS is not None and event not in HARMLESS:
        EVENTS.append(event)


sys.addaudithook(_listen)  # a hook cannot be taken away again: it is deaf while EVENTS is None

PIECES = (
    "~", "~", " ~ ", "+", "-", ":", "*", "**", "/", "(", ")", "I(", "I (", "log(", "where(x > 0, ", ", ", "x", "y", "0", "1", "2.5", " ",
    "\n", "#", "__import__('os').system('true')", "().__class__", "lambda: ", "[x for x in y]", "{", "}", "f'{x}'", "`x`", "Q('x')",
    "eval(x)", "x.y", "x[0]", "print(x)", "C(x)", "(x:=1)", "é", "\x00", "\ud800", "\\", "'", '"', "%in%", "^", "|",
)  # fmt: skip


factors = st.sampled_from(["x", "z", "log(x)", "I(x**2)", "I(x + z)", "min(x, z)", "where(x > 0, x, z)"])
terms = st.one_of(factors, st.lists(factors, min_size=2, max_size=3, unique=True).map(":".join))


def test_no_formula_runs_anything_or_raises_anything_but_valueerror() -> None:
    outcomes = {"accepted": 0, "refused": 0}
    pieces = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
    nearly = st.text("x+:* -1", max_size=8).map("y ~ x{}".format)
    texts = st.one_of(
        st.text(max_size=40), pieces, pieces.map("y ~ {}".format), nearly, st.lists(terms, min_size=1).map("+".join).map("y ~ {}".format)
    )

    @settings(FIXED, max_examples=1_000)
    @given(text=texts)
    def check(text: str) -> None:
        global EVENTS
        seen: list[str] = []
        EVENTS = seen
        try:
            parse_formula(text)
            outcome = "accepted"
        except ValueError:
            outcome = "refused"
        finally:
            EVENTS = None
        outcomes[outcome] += 1
        assert seen == []

    check()
    assert min(outcomes.values()) > 20, "the texts must be of both kinds for this test to mean anything"


@settings(FIXED, max_examples=200)
@given(listed=st.lists(terms, min_size=1, max_size=6, unique=True), has_intercept=st.booleans(), gap=st.sampled_from(["", " ", "  "]))
def test_listed_terms_come_back_in_their_order(listed: list[str], has_intercept: bool, gap: str) -> None:
    text = f"y{gap}~{gap}" + f"{gap}+{gap}".join(listed) + ("" if has_intercept else f"{gap}-{gap}1")
    assert read(text) == ("y", listed, has_intercept)
