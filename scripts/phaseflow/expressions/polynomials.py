"""Tree to polynomial: exact expansion, so that two ways of writing the same polynomial can be seen to be one."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from phaseflow.expressions.tree import Node, walk

# A product of names with their powers, in alphabetical order: x*y**2 is (("x", 1), ("y", 2)), 1 is ().
Monomial = tuple[tuple[str, int], ...]
Polynomial = dict[Monomial, Fraction]

MAX_POWER = 20
MAX_TERMS = 2_000


def expand(node: Node) -> Polynomial:
    """Expand an expression into monomials of its names with exact coefficients; pi and e count as names.

    Raises
    ------
    ValueError : it is not a polynomial, or one of more than 2,000 terms or of a power above 20.
    """
    return walk(node, lambda value: _clean({(): value}), lambda name: {((name, 1),): Fraction(1)}, _apply)


def collect(polynomial: Polynomial, values: Mapping[str, Fraction | float]) -> dict[Monomial, Fraction | float]:
    """Put values in the place of names; exact as long as the values are.

    Returns
    -------
    The coefficients, none of them 0, of the monomials of the names without values.
    """
    found: dict[Monomial, Fraction | float] = {}
    for monomial, coefficient in polynomial.items():
        number: Fraction | float = coefficient
        for name, power in monomial:
            if name in values:
                number = number * values[name] ** power
        rest = tuple((name, power) for name, power in monomial if name not in values)
        found[rest] = found.get(rest, Fraction(0)) + number
    return {monomial: number for monomial, number in found.items() if number != 0}


def format_monomial(monomial: Monomial) -> str:
    """Return a monomial as text: `x*y**2`, `1`."""
    return "*".join(name if power == 1 else f"{name}**{power}" for name, power in monomial) or "1"


def _apply(operator: str, parts: list[Polynomial]) -> Polynomial:
    if operator == "neg":
        return {monomial: -value for monomial, value in parts[0].items()}
    if operator in ("+", "-"):
        sign = 1 if operator == "+" else -1
        return _clean({m: parts[0].get(m, Fraction(0)) + sign * parts[1].get(m, Fraction(0)) for m in {**parts[0], **parts[1]}})
    if operator == "*":
        return _multiply(parts[0], parts[1])
    constant = parts[1].get(()) if len(parts) > 1 and set(parts[1]) <= {()} else None
    if operator == "/" and constant:
        return {monomial: value / constant for monomial, value in parts[0].items()}
    if operator == "**" and (constant or not parts[1]):
        return _raise(parts[0], constant or Fraction(0))
    raise ValueError(f"an expression with {operator} is not a polynomial")


def _multiply(first: Polynomial, second: Polynomial) -> Polynomial:
    product: Polynomial = {}
    for one, a in first.items():
        for other, b in second.items():
            powers = dict(one)
            for name, power in other:
                powers[name] = powers.get(name, 0) + power
            if max(powers.values(), default=0) > MAX_POWER:
                raise ValueError(f"a power is above {MAX_POWER}")
            monomial = tuple(sorted(powers.items()))
            product[monomial] = product.get(monomial, Fraction(0)) + a * b
            if len(product) > MAX_TERMS:
                raise ValueError(f"a polynomial has more than {MAX_TERMS} terms")
    return _clean(product)


def _raise(base: Polynomial, exponent: Fraction) -> Polynomial:
    if exponent.denominator != 1 or not 0 <= exponent <= MAX_POWER:
        raise ValueError(f"a power of {exponent} is not that of a polynomial, or above {MAX_POWER}")
    power: Polynomial = {(): Fraction(1)}
    for _ in range(int(exponent)):
        power = _multiply(power, base)
    return power


def _clean(polynomial: Polynomial) -> Polynomial:
    return {monomial: value for monomial, value in polynomial.items() if value}
