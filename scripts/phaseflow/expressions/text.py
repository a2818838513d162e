"""Tree to text: one canonical form, which parses back to the same tree."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from phaseflow.expressions.tree import COMPARISONS, Node, walk

_SUM, _PRODUCT, _UNARY, _POWER, _ATOM = range(5)
_LEVELS = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT}
_Part = tuple[str, int]


def format_expression(node: Node) -> str:
    """Return the canonical text of an expression."""
    return walk(node, _format_number, lambda name: (name, _ATOM), _format_apply)[0]


def format_fraction(value: Fraction) -> str:
    """Return an exact rational as the shortest decimal where it is one, else as a quotient."""
    return _format_number(value)[0]


def _format_number(value: Fraction) -> _Part:
    text = _format_decimal(abs(value))
    level = _ATOM
    if text is None:
        text, level = f"{abs(value.numerator)}/{value.denominator}", _PRODUCT
    return (text, level) if value >= 0 else (f"-{text}", min(level, _UNARY))


def _format_decimal(value: Fraction) -> str | None:
    rest, places = value.denominator, 0
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest //= prime
            power += 1
        places = max(places, power)
    if rest != 1:
        return None
    digits = str(value.numerator * 10**places // value.denominator)
    trimmed = digits.rstrip("0") or "0"
    exponent = len(digits) - len(trimmed) - places
    plain = format(Decimal(int(trimmed)).scaleb(exponent), "f") if len(trimmed) < 28 else None
    if trimmed == "0":
        return "0"
    scientific = f"{trimmed[0]}{'.' if trimmed[1:] else ''}{trimmed[1:]}e{exponent + len(trimmed) - 1}"
    return plain if plain is not None and len(plain) <= max(len(scientific), 7) else scientific


def _wrap(part: _Part, level: int) -> str:
    return part[0] if part[1] >= level else f"({part[0]})"


def _format_apply(operator: str, parts: list[_Part]) -> _Part:
    if operator == "neg":
        return f"-{_wrap(parts[0], _UNARY)}", _UNARY
    if operator == "**":
        return f"{_wrap(parts[0], _ATOM)}**{_wrap(parts[1], _UNARY)}", _POWER
    if operator in _LEVELS:
        level = _LEVELS[operator]
        space = " " if level == _SUM else ""
        left = _wrap(parts[0], level)
        right = _wrap(parts[1], _ATOM if parts[1][0].startswith("-") else level + 1)
        return f"{left}{space}{operator}{space}{right}", level
    if operator in COMPARISONS:
        return f"{parts[0][0]} {operator} {parts[1][0]}", _SUM
    return f"{operator}({', '.join(part[0] for part in parts)})", _ATOM
