"""Tree to derivative: exact, with the zeros and ones that differentiation makes taken out.

What is left is a tree of the same language. Where an expression switches (abs, sign, min, max, where) its derivative is that of the
branch taken; the jump itself does not appear in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from phaseflow.expressions.parser import fold
from phaseflow.expressions.tree import COMPARISONS, Apply, Node, Number, Symbol, walk

ZERO, ONE, TWO = (Number(Fraction(value)) for value in (0, 1, 2))
# An expression with its derivative.
_Pair = tuple[Node, Node]


def differentiate(node: Node, name: str) -> Node:
    """Return the derivative of an expression with respect to a name; it is `ZERO` where the expression is free of the name."""

    def symbol(other: str) -> _Pair:
        return Symbol(other), ONE if other == name else ZERO

    return walk(node, lambda value: (Number(value), ZERO), symbol, _apply)[1]


def substitute(node: Node, values: Mapping[str, Node]) -> Node:
    """Return an expression with trees in the place of names, and with zeros and ones taken out."""
    return walk(node, Number, lambda name: values.get(name, Symbol(name)), _simplify)


def add(a: Node, b: Node) -> Node:
    """Return a + b."""
    if ZERO in (a, b):
        return b if a == ZERO else a
    return fold("+", (a, b))


def subtract(a: Node, b: Node) -> Node:
    """Return a - b."""
    if b == ZERO:
        return a
    return negate(b) if a == ZERO else fold("-", (a, b))


def negate(a: Node) -> Node:
    """Return -a."""
    return fold("neg", (a,))


def multiply(a: Node, b: Node) -> Node:
    """Return a b."""
    if ZERO in (a, b):
        return ZERO
    if ONE in (a, b):
        return b if a == ONE else a
    return fold("*", (a, b))


def divide(a: Node, b: Node) -> Node:
    """Return a/b; a division by an exact zero stays as it is."""
    if b == ZERO:
        return Apply("/", (a, b))
    if a == ZERO or b == ONE:
        return a
    return fold("/", (a, b))


def raise_to(a: Node, b: Node) -> Node:
    """Return a**b."""
    if b in (ZERO, ONE):
        return ONE if b == ZERO else a
    if a == ZERO and isinstance(b, Number) and b.value < 0:
        return Apply("**", (a, b))
    return fold("**", (a, b))


def _choose(condition: Node, a: Node, b: Node) -> Node:
    return a if a == b else Apply("where", (condition, a, b))


_ARITHMETIC: dict[str, Callable[..., Node]] = {
    "+": add, "-": subtract, "*": multiply, "/": divide, "**": raise_to, "neg": negate, "where": _choose,
}  # fmt: skip


def _simplify(operator: str, arguments: list[Node]) -> Node:
    make = _ARITHMETIC.get(operator)
    return make(*arguments) if make else Apply(operator, tuple(arguments))


def _call(name: str, *arguments: Node) -> Node:
    return Apply(name, arguments)


def _square(a: Node) -> Node:
    return raise_to(a, TWO)


# The derivative of a function of one variable, from its argument and its value.
_FUNCTIONS: dict[str, Callable[[Node, Node], Node]] = {
    "sin": lambda u, _: _call("cos", u),
    "cos": lambda u, _: negate(_call("sin", u)),
    "tan": lambda _, f: add(ONE, _square(f)),
    "asin": lambda u, _: divide(ONE, _call("sqrt", subtract(ONE, _square(u)))),
    "acos": lambda u, _: negate(divide(ONE, _call("sqrt", subtract(ONE, _square(u))))),
    "atan": lambda u, _: divide(ONE, add(ONE, _square(u))),
    "sinh": lambda u, _: _call("cosh", u),
    "cosh": lambda u, _: _call("sinh", u),
    "tanh": lambda _, f: subtract(ONE, _square(f)),
    "exp": lambda _, f: f,
    "log": lambda u, _: divide(ONE, u),
    "sqrt": lambda _, f: divide(ONE, multiply(TWO, f)),
    "abs": lambda u, _: _call("sign", u),
    "sign": lambda _u, _f: ZERO,
    "sigmoid": lambda _, f: multiply(f, subtract(ONE, f)),
    "erf": lambda u, _: multiply(divide(TWO, _call("sqrt", Symbol("pi"))), _call("exp", negate(_square(u)))),
}


def _apply(operator: str, parts: list[_Pair]) -> _Pair:
    arguments, slopes = [part[0] for part in parts], [part[1] for part in parts]
    value = _simplify(operator, arguments)
    if operator in COMPARISONS or all(slope == ZERO for slope in slopes):
        return value, ZERO
    if operator in _FUNCTIONS:
        return value, multiply(_FUNCTIONS[operator](arguments[0], value), slopes[0])
    return value, _RULES[operator](arguments, slopes)


def _multiply_rule(arguments: list[Node], slopes: list[Node]) -> Node:
    return add(multiply(slopes[0], arguments[1]), multiply(arguments[0], slopes[1]))


def _divide_rule(arguments: list[Node], slopes: list[Node]) -> Node:
    (u, v), (du, dv) = arguments, slopes
    return subtract(divide(du, v), divide(multiply(u, dv), _square(v)))


def _power_rule(arguments: list[Node], slopes: list[Node]) -> Node:
    (u, v), (du, dv) = arguments, slopes
    along_base = multiply(multiply(v, raise_to(u, subtract(v, ONE))), du)
    along_exponent = ZERO if dv == ZERO else multiply(multiply(raise_to(u, v), _call("log", u)), dv)
    return add(along_base, along_exponent)


def _atan2_rule(arguments: list[Node], slopes: list[Node]) -> Node:
    (y, x), (dy, dx) = arguments, slopes
    return divide(subtract(multiply(x, dy), multiply(y, dx)), add(_square(x), _square(y)))


def _least_rule(comparison: str) -> Callable[[list[Node], list[Node]], Node]:
    """Return the rule of min or max: the slope of the first argument that is the least or the greatest."""
    name = "min" if comparison == "<=" else "max"

    def rule(arguments: list[Node], slopes: list[Node]) -> Node:
        chosen, slope = arguments[0], slopes[0]
        for argument, other in zip(arguments[1:], slopes[1:], strict=True):
            slope = _choose(Apply(comparison, (chosen, argument)), slope, other)
            chosen = _call(name, chosen, argument)
        return slope

    return rule


_RULES: dict[str, Callable[[list[Node], list[Node]], Node]] = {
    "+": lambda _, slopes: add(*slopes),
    "-": lambda _, slopes: subtract(*slopes),
    "neg": lambda _, slopes: negate(*slopes),
    "*": _multiply_rule,
    "/": _divide_rule,
    "**": _power_rule,
    "atan2": _atan2_rule,
    "where": lambda arguments, slopes: _choose(arguments[0], slopes[1], slopes[2]),
    "min": _least_rule("<="),
    "max": _least_rule(">="),
}
