"""Regression formulas: `response ~ term + term`, each factor a column or a listed function of columns.

The language is that of Wilkinson and Rogers (1973) as R and formulaic read it: `+` adds a term, `a:b` is the
interaction, `a*b` stands for a + b + a:b, `- 1` or `+ 0` drops the intercept, `I(...)` encloses arithmetic, and `C(a)`
makes a column of each level of a. Nothing is evaluated as code: every factor passes the parser of expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from phaseflow.errors import shorten
from phaseflow.expressions.parser import ExpressionError, is_name
from phaseflow.expressions.quantity import Expression
from phaseflow.expressions.tree import Symbol

MAX_TERMS = 500


@dataclass(frozen=True)
class Category:
    """The levels of a column, whatever it holds."""

    column: str

    @property
    def names(self) -> frozenset[str]:
        """The column alone."""
        return frozenset({self.column})


Factor = Expression | Category


@dataclass(frozen=True)
class Term:
    """A product of factors."""

    name: str
    factors: tuple[Factor, ...]


@dataclass(frozen=True)
class Formula:
    """A response and the terms that explain it; the intercept is not among the terms."""

    response: Term
    terms: tuple[Term, ...]
    has_intercept: bool

    @property
    def columns(self) -> frozenset[str]:
        """The columns that the formula needs."""
        return frozenset(name for factor in self._factors for name in factor.names)

    @property
    def categories(self) -> frozenset[str]:
        """The columns whose levels are asked for."""
        return frozenset(factor.column for factor in self._factors if isinstance(factor, Category))

    @property
    def numbers(self) -> frozenset[str]:
        """The columns that must hold numbers."""
        return frozenset(name for factor in self._factors if isinstance(factor, Expression) for name in factor.names)

    @property
    def _factors(self) -> list[Factor]:
        return [factor for term in (self.response, *self.terms) for factor in term.factors]


def parse_formula(text: str) -> Formula:
    """Parse a formula.

    Raises
    ------
    ValueError : the text is not a formula; the message says why.
    """
    left, tilde, right = text.partition("~")
    if not tilde or "~" in right:
        raise ValueError(f"{shorten(text)} is not a formula: write response ~ term + term")
    terms: dict[str, Term] = {}
    has_intercept = True
    for sign, part in _split_terms(right):
        if part in ("0", "1"):
            has_intercept = (part == "1") == (sign == "+")
        elif sign == "-":
            raise ValueError(f"{part!r} cannot be taken away: only '- 1', which drops the intercept, is allowed")
        else:
            terms |= {term.name: term for term in _expand_crossing(part)}
    if not 0 < len(terms) + has_intercept <= MAX_TERMS:
        raise ValueError(f"{shorten(text)} has {len(terms)} terms; 1 to {MAX_TERMS} are wanted")
    response = _parse_product(left.strip())
    if any(isinstance(factor, Category) for factor in response.factors):
        raise ValueError(f"the response {response.name} cannot be a category")
    return Formula(response, tuple(terms.values()), has_intercept)


def _split(text: str, marks: str) -> list[str]:
    """Split at the marks that stand outside parentheses, keeping them at the odd places."""
    pieces, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character in marks and depth == 0:
            pieces += [character, ""]
        else:
            pieces[-1] += character
    return [piece.strip() for piece in pieces]


def _split_terms(text: str) -> list[tuple[str, str]]:
    pieces = _split(text, "+-")
    if pieces[0]:
        pieces = ["", "+", *pieces]
    pieces = pieces[1:]
    pairs = list(zip(pieces[::2], pieces[1::2], strict=False))
    if not pairs or any(not part for _, part in pairs):
        raise ValueError(f"{shorten(text.strip())}: a term is missing beside a + or -")
    return pairs


def _expand_crossing(text: str) -> list[Term]:
    parts = _split(text, "*")[::2]
    if "" in parts:
        raise ValueError(f"{text!r}: put arithmetic inside I(...), as in I(x**2)")
    crossed = [_parse_product(part) for part in parts]
    if len(crossed) > 4:
        raise ValueError(f"{text!r} crosses more than four factors")
    terms: list[Term] = []
    for term in crossed:
        terms += [term, *(_join(earlier, term) for earlier in list(terms))]
    return sorted(terms, key=lambda term: len(term.factors))


def _join(first: Term, second: Term) -> Term:
    return Term(f"{first.name}:{second.name}", first.factors + second.factors)


def _parse_product(text: str) -> Term:
    factors = [_parse_factor(part) for part in _split(text, ":")[::2]]
    return Term(":".join(name for name, _ in factors), tuple(factor for _, factor in factors))


def _parse_factor(text: str) -> tuple[str, Factor]:
    if (levels := re.fullmatch(r"C\s*\(\s*([A-Za-z_]\w*)\s*\)", text, re.ASCII)) and is_name(levels[1]):
        return f"C({levels[1]})", Category(levels[1])
    inside = re.fullmatch(r"I\s*\((.*)\)", text)
    try:
        expression = Expression.parse(inside[1] if inside else text)
    except ExpressionError as error:
        raise ValueError(f"the factor {text!r} of the formula: {error}") from None
    if not expression.names:
        raise ValueError(f"the factor {text!r} of the formula has no column in it")
    is_call = bool(re.fullmatch(r"[a-z0-9]+\s*\(.*\)", text)) and _is_one_call(text)
    if not (inside or is_call or isinstance(expression.tree, Symbol)):
        raise ValueError(f"{text!r}: put arithmetic inside I(...), as in I({expression.text})")
    return (f"I({expression.text})" if inside else expression.text), expression


def _is_one_call(text: str) -> bool:
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == ")" and depth == 0:
            return place == len(text) - 1
    return False
