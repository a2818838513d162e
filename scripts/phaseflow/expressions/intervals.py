"""Tree to enclosures: an expression's value, gradient and Hessian over a box, in ball arithmetic with exact constants.

Each number is a ball that holds the true one, at the working precision of `flint.ctx`. Over a wide box the enclosure is wider than
the range, never narrower.

Source: Johansson (2017), Arb: efficient arbitrary-precision midpoint-radius interval arithmetic; Moore, Kearfott and Cloud (2009),
Introduction to Interval Analysis, ch. 5 and 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from typing import Any

from flint import arb, fmpq

from phaseflow.expressions.tree import COMPARISONS, Node, walk

Ball = Any
Slopes = dict[int, Ball]
Bends = dict[tuple[int, int], Ball]
# Balls with a relative radius above this are evaluated at their ends, where that is tighter.
_WIDE = 1e-6


class NotSmoothError(ArithmeticError):
    """An expression that has no two derivatives everywhere in a box, as far as balls can tell."""


class OutsideDomainError(ArithmeticError):
    """An expression that has no real value anywhere in a box, or, where derivatives are asked for, somewhere in it."""


@dataclass(frozen=True, slots=True)
class Jet:
    """An expression over a box, to second order; what is zero for certain is left out.

    Attributes
    ----------
    value : encloses the values.
    slopes : by the place of a variable, encloses the first derivative.
    bends : by two places, the smaller first, encloses the second derivative.
    exact : the value where it is a rational number of the text.
    """

    value: Ball
    slopes: Slopes = field(default_factory=dict)
    bends: Bends = field(default_factory=dict)
    exact: Fraction | None = None


def make_variable(value: Ball, place: int) -> Jet:
    """Return the jet of the variable of a place."""
    return Jet(value, {place: arb(1)})


def to_ball(value: Fraction) -> Ball:
    """Return the ball of an exact rational."""
    return arb(fmpq(value.numerator, value.denominator))


def evaluate_jet(node: Node, values: Mapping[str, Jet], order: int) -> Jet:
    """Enclose an expression over a box.

    Parameters
    ----------
    values : the jet of each name.
    order : 0 for values alone, of which those are enclosed that are real numbers; 1 with slopes; 2 with bends.

    Raises
    ------
    NotSmoothError, OutsideDomainError : see there.
    KeyError : a name without a value.
    """
    constants = {"pi": arb.pi, "e": arb.const_e}

    def symbol(name: str) -> Jet:
        return values[name] if name not in constants else Jet(constants[name]())

    def apply(operator: str, arguments: list[Any]) -> Any:
        if operator in COMPARISONS:
            return _compare(operator, *arguments)
        if operator in _FUNCTIONS:
            return _compose(arguments[0], _FUNCTIONS[operator](arguments[0].value, order))
        return _OPERATIONS[operator](order, *arguments)

    result: Jet = walk(node, lambda value: Jet(to_ball(value), exact=value), symbol, apply)
    return result


# -- arithmetic


def _add(_order: int, a: Jet, b: Jet) -> Jet:
    return Jet(a.value + b.value, _merge(a.slopes, b.slopes), _merge(a.bends, b.bends))


def _negate(_order: int, a: Jet) -> Jet:
    exact = None if a.exact is None else -a.exact
    return Jet(-a.value, {i: -d for i, d in a.slopes.items()}, {ij: -d for ij, d in a.bends.items()}, exact)


def _subtract(order: int, a: Jet, b: Jet) -> Jet:
    return _add(order, a, _negate(order, b))


def _multiply(order: int, a: Jet, b: Jet) -> Jet:
    value = _times(a.value, b.value)
    if order == 0:
        return Jet(value)
    slopes = _merge(_scale(a.slopes, b.value), _scale(b.slopes, a.value))
    if order == 1:
        return Jet(value, slopes)
    bends = _merge(_scale(a.bends, b.value), _scale(b.bends, a.value))
    for i, of_a in a.slopes.items():
        for j, of_b in b.slopes.items():
            # A diagonal entry gets the product twice: from the pair (i, i) and from its mirror.
            key, product = (min(i, j), max(i, j)), of_a * of_b
            bends[key] = bends.get(key, 0) + (2 * product if i == j else product)
    return Jet(value, slopes, bends)


def _times(a: Ball, b: Ball) -> Ball:
    """Return a product, that of wide balls as the hull of the products of their ends: midpoints and radii alone reach farther."""
    if not (_is_wide(a) and _is_wide(b)):
        return a * b
    ends_a, ends_b = (a.lower(), a.upper()), (b.lower(), b.upper())
    hull = reduce(lambda x, y: x.union(y), [x * y for x in ends_a for y in ends_b])
    return hull if hull.is_finite() else a * b


def _divide(order: int, a: Jet, b: Jet) -> Jet:
    return _multiply(order, a, _compose(b, _raise_whole(b.value, -1, order)))


def _merge(a: dict[Any, Ball], b: Mapping[Any, Ball]) -> dict[Any, Ball]:
    merged = dict(a)
    for key, value in b.items():
        merged[key] = merged[key] + value if key in merged else value
    return merged


def _scale(entries: Mapping[Any, Ball], factor: Ball) -> dict[Any, Ball]:
    return {key: value * factor for key, value in entries.items()}


def _compose(u: Jet, outer: tuple[Ball, ...]) -> Jet:
    """Return f(u), given f and as many of its derivatives as the order asks for, over u's values."""
    if len(outer) == 1 or not u.slopes:
        return Jet(outer[0])
    slopes = _scale(u.slopes, outer[1])
    if len(outer) == 2:
        return Jet(outer[0], slopes)
    bends = _scale(u.bends, outer[1])
    if not outer[2].is_zero():
        places = sorted(u.slopes)
        for rank, i in enumerate(places):
            along = u.slopes[i] * outer[2]
            for j in places[rank:]:
                square = _square(u.slopes[i]) * outer[2] if i == j else along * u.slopes[j]
                bends[i, j] = bends[i, j] + square if (i, j) in bends else square
    return Jet(outer[0], slopes, bends)


# -- powers


def _power(order: int, base: Jet, exponent: Jet) -> Jet:
    if exponent.exact is not None and exponent.exact.denominator == 1:
        return _compose(base, _raise_whole(base.value, int(exponent.exact), order))
    if exponent.exact is None and order == 0 and not base.value > 0:
        # Below zero there are values where the exponent happens to be whole.
        return Jet(_give_everything(0, "")[0])
    if not exponent.slopes:
        return _compose(base, _raise_real(base.value, exponent.value, order))
    logarithm = _compose(base, _log(base.value, order))
    product = _multiply(order, exponent, logarithm)
    return _compose(product, _exp(product.value, order))


def _raise_whole(u: Ball, power: int, order: int) -> tuple[Ball, ...]:
    if power < 0 and u.contains(0):
        return _give_everything(order, "a division by zero cannot be ruled out", is_outside=u.is_zero())
    # A factor of zero comes first, so that a power below zero of a ball around zero is not asked for.
    slope = power * _raise(u, power - 1) if power != 0 else arb(0)
    bend = power * (power - 1) * _raise(u, power - 2) if power not in (0, 1) else arb(0)
    return (_raise(u, power), slope, bend)[: order + 1]


def _raise(u: Ball, power: int) -> Ball:
    """Return a whole power of a ball, an even one without values below zero."""
    if power < 0:
        return 1 / _raise(u, -power)
    if power == 0 or (u.is_exact() and u.is_finite()):
        return u**power
    if not u.is_finite():
        return arb(0, "inf")
    if not _is_wide(u):
        return (u**power).nonnegative_part() if power % 2 == 0 and u.contains(0) else u**power
    low, high = u.lower() ** power, u.upper() ** power
    hull = low.union(high)
    return arb(0).union(hull).nonnegative_part() if power % 2 == 0 and u.contains(0) else hull


def _square(u: Ball) -> Ball:
    return _raise(u, 2)


def _raise_real(u: Ball, power: Ball, order: int) -> tuple[Ball, ...]:
    if u > 0:
        value = _by_ends(lambda x: (x.log() * power).exp(), u)
        return (value, power * value / u, power * (power - 1) * value / _square(u))[: order + 1]
    if order == 0 and power > 0 and u.is_finite() and not u < 0:
        high = u.upper()
        return (arb(0).union((high.log() * power).exp()) if high > 0 else arb(0),)
    return _give_everything(order, "a broken power of something that may be zero or less", is_outside=bool(u < 0))


# -- functions of one variable: the value and as many derivatives as the order asks for


def _is_wide(u: Ball) -> bool:
    return bool(not u.is_exact() and (u.contains(0) or u.rad() > _WIDE * abs(u.mid())))


def _by_ends(function: Callable[[Ball], Ball], u: Ball) -> Ball:
    """Return the values of a monotone function, the hull of those at the ends of a wide ball."""
    if not _is_wide(u) or not u.is_finite():
        return function(u)
    hull = function(u.lower()).union(function(u.upper()))
    return hull if hull.is_finite() else function(u)


def _exp(u: Ball, order: int) -> tuple[Ball, ...]:
    return (_by_ends(lambda x: x.exp(), u),) * (order + 1)


def _log(u: Ball, order: int) -> tuple[Ball, ...]:
    if u > 0:
        return (_by_ends(lambda x: x.log(), u), 1 / u, -1 / _square(u))[: order + 1]
    return _give_everything(order, "a logarithm of something that may be zero or less", is_outside=bool(u <= 0))


def _sqrt(u: Ball, order: int) -> tuple[Ball, ...]:
    if u > 0:
        root = _by_ends(lambda x: x.sqrt(), u)
        return (root, 1 / (2 * root), -1 / (4 * root * u))[: order + 1]
    if u < 0 or (order == 0 and not u.is_finite()):
        return _give_everything(order, "a square root of something below zero", is_outside=bool(u < 0))
    if order == 0:
        return (arb(0).union(u.upper().sqrt()) if not u.is_zero() else arb(0),)
    raise NotSmoothError("a square root may be of zero, where it is not smooth")


def _sin(u: Ball, order: int) -> tuple[Ball, ...]:
    sine, cosine = u.sin_cos()
    return (sine, cosine, -sine)[: order + 1]


def _cos(u: Ball, order: int) -> tuple[Ball, ...]:
    sine, cosine = u.sin_cos()
    return (cosine, -sine, -cosine)[: order + 1]


def _tan(u: Ball, order: int) -> tuple[Ball, ...]:
    value = u.tan()
    if not value.is_finite():
        return _give_everything(order, "a tangent whose pole cannot be ruled out")
    rise = 1 + _square(value)
    return (value, rise, 2 * value * rise)[: order + 1]


def _asin(u: Ball, order: int) -> tuple[Ball, ...]:
    if not (u > -1 and u < 1):
        return _give_angle(u, order, arb.pi() / 2)
    rest = 1 - _square(u)
    root = rest.sqrt()
    return (_by_ends(lambda x: x.asin(), u), 1 / root, u / (rest * root))[: order + 1]


def _acos(u: Ball, order: int) -> tuple[Ball, ...]:
    if not (u > -1 and u < 1):
        return _give_angle(u, order, arb.pi())
    _, *slopes = _asin(u, order)
    return (_by_ends(lambda x: x.acos(), u), *(-slope for slope in slopes))


def _give_angle(u: Ball, order: int, largest: Ball) -> tuple[Ball, ...]:
    if order == 0 and not (u < -1 or u > 1):
        return (largest.union(-largest),)
    raise OutsideDomainError("an inverse sine or cosine of something that may be beyond -1 .. 1")


def _give_everything(order: int, reason: str, *, is_outside: bool = False) -> tuple[Ball, ...]:
    """Return all numbers, where values alone are asked for and it is not certain that there are none."""
    if order == 0 and not is_outside:
        return (arb(0, "inf"),)
    raise OutsideDomainError(reason)


def _atan(u: Ball, order: int) -> tuple[Ball, ...]:
    rise = 1 / (1 + _square(u))
    return (_by_ends(lambda x: x.atan(), u), rise, -2 * u * _square(rise))[: order + 1]


def _sinh(u: Ball, order: int) -> tuple[Ball, ...]:
    sine = _by_ends(lambda x: x.sinh(), u)
    return (sine, u.cosh(), sine)[: order + 1]


def _cosh(u: Ball, order: int) -> tuple[Ball, ...]:
    sine, cosine = _by_ends(lambda x: x.sinh(), u), u.cosh()
    return (cosine, sine, cosine)[: order + 1]


def _tanh(u: Ball, order: int) -> tuple[Ball, ...]:
    value = _by_ends(lambda x: x.tanh(), u)
    fall = 1 - _square(value)
    return (value, fall, -2 * value * fall)[: order + 1]


def _sigmoid(u: Ball, order: int) -> tuple[Ball, ...]:
    value = _by_ends(lambda x: 1 / (1 + (-x).exp()), u)
    rise = value * (1 - value)
    return (value, rise, rise * (1 - 2 * value))[: order + 1]


def _erf(u: Ball, order: int) -> tuple[Ball, ...]:
    rise = 2 / arb.pi().sqrt() * _by_ends(lambda x: x.exp(), -_square(u))
    return (_by_ends(lambda x: x.erf(), u), rise, -2 * u * rise)[: order + 1]


def _abs(u: Ball, order: int) -> tuple[Ball, ...]:
    if u > 0 or u < 0:
        return (abs(u), arb(1) if u > 0 else arb(-1), arb(0))[: order + 1]
    if order == 0:
        return (arb(0).union(u.lower()).union(u.upper()).nonnegative_part() if not u.is_zero() else u,)
    raise NotSmoothError("abs may turn, where it is not smooth")


def _sign(u: Ball, order: int) -> tuple[Ball, ...]:
    if u > 0 or u < 0:
        return (arb(1) if u > 0 else arb(-1), arb(0), arb(0))[: order + 1]
    if order == 0:
        return (arb(-1).union(arb(1)) if not u.is_zero() else arb(0),)
    raise NotSmoothError("sign may jump")


_FUNCTIONS: dict[str, Callable[[Ball, int], tuple[Ball, ...]]] = {
    "sin": _sin, "cos": _cos, "tan": _tan, "asin": _asin, "acos": _acos, "atan": _atan, "sinh": _sinh, "cosh": _cosh, "tanh": _tanh,
    "exp": _exp, "log": _log, "sqrt": _sqrt, "sigmoid": _sigmoid, "erf": _erf, "abs": _abs, "sign": _sign,
}  # fmt: skip


# -- what switches, and atan2


def _compare(operator: str, a: Jet, b: Jet) -> bool | None:
    """Tell whether a comparison holds everywhere in the box, nowhere (False), or neither for certain (None)."""
    difference = a.value - b.value
    if operator in ("==", "!="):
        is_equal = True if difference.is_zero() else None if difference.contains(0) else False
        return is_equal if operator == "==" or is_equal is None else not is_equal
    if operator in (">", ">="):
        difference = -difference
    if operator in ("<", ">"):
        return True if difference < 0 else False if difference >= 0 else None
    return True if difference <= 0 else False if difference > 0 else None


def _where(order: int, condition: bool | None, a: Jet, b: Jet) -> Jet:
    if condition is not None:
        return a if condition else b
    if order == 0:
        return Jet(a.value.union(b.value))
    raise NotSmoothError("a where may switch")


def _choose(name: str, order: int, *arguments: Jet) -> Jet:
    return reduce(lambda a, b: _choose_of_two(name, order, a, b), arguments)


def _choose_of_two(name: str, order: int, a: Jet, b: Jet) -> Jet:
    is_first = a.value <= b.value if name == "min" else a.value >= b.value
    is_second = b.value < a.value if name == "min" else b.value > a.value
    if is_first or is_second:
        return a if is_first else b
    if order == 0:
        return Jet(a.value.min(b.value) if name == "min" else a.value.max(b.value))
    raise NotSmoothError(f"a {name} may switch, where it is not smooth")


def _atan2(order: int, y: Jet, x: Jet) -> Jet:
    """Return the angle of (x, y) by the quotient that is bounded there; the cut along the negative x axis is not smooth."""
    if x.value > 0:
        quotient = _divide(order, y, x)
        return _compose(quotient, _atan(quotient.value, order))
    if y.value > 0 or y.value < 0:
        quotient = _divide(order, x, y)
        right_angle = Jet(arb.pi() / 2 if y.value > 0 else -arb.pi() / 2)
        return _subtract(order, right_angle, _compose(quotient, _atan(quotient.value, order)))
    if order == 0:
        return Jet(arb.pi().union(-arb.pi()))
    raise NotSmoothError("atan2 may jump across the negative axis")


_OPERATIONS: dict[str, Callable[..., Jet]] = {
    "+": _add, "-": _subtract, "*": _multiply, "/": _divide, "**": _power, "neg": _negate, "where": _where, "atan2": _atan2,
    "min": lambda order, *arguments: _choose("min", order, *arguments),
    "max": lambda order, *arguments: _choose("max", order, *arguments),
}  # fmt: skip
