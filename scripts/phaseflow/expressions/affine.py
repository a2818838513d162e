"""Tree to affine form: what multiplies each variable, and the rest, each a tree of the other names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from phaseflow.expressions.derivative import ONE, ZERO, add, multiply, negate, subtract
from phaseflow.expressions.parser import fold
from phaseflow.expressions.text import format_expression
from phaseflow.expressions.tree import Apply, Node, Number, Symbol


@dataclass(frozen=True)
class Affine:
    """A sum of variables, each times a tree without variables, and a tree without variables."""

    constant: Node = ZERO
    slopes: Mapping[str, Node] = field(default_factory=dict)

    def __add__(self, other: Affine) -> Affine:
        names = dict.fromkeys([*self.slopes, *other.slopes])
        slopes = {name: add(self.slopes.get(name, ZERO), other.slopes.get(name, ZERO)) for name in names}
        return Affine(add(self.constant, other.constant), slopes)

    def __neg__(self) -> Affine:
        return Affine(negate(self.constant), {name: negate(slope) for name, slope in self.slopes.items()})

    def __sub__(self, other: Affine) -> Affine:
        names = dict.fromkeys([*self.slopes, *other.slopes])
        slopes = {name: subtract(self.slopes.get(name, ZERO), other.slopes.get(name, ZERO)) for name in names}
        return Affine(subtract(self.constant, other.constant), slopes)


def separate(node: Node, variables: Collection[str]) -> Affine:
    """Write an expression as an affine function of some of its names.

    Raises
    ------
    ValueError : a term of it is not affine in them; the message names the term.
    """
    if isinstance(node, Symbol) and node.name in variables:
        return Affine(slopes={node.name: ONE})
    if not isinstance(node, Apply):
        return Affine(node)
    parts = [separate(argument, variables) for argument in node.arguments]
    if not any(part.slopes for part in parts):
        return Affine(node)
    if node.operator == "neg":
        return -parts[0]
    if node.operator in ("+", "-"):
        return parts[0] + parts[1] if node.operator == "+" else parts[0] - parts[1]
    if node.operator == "*" and not (parts[0].slopes and parts[1].slopes):
        factor, rest = (parts[1], parts[0]) if parts[0].slopes else (parts[0], parts[1])
        return _scale(rest, factor.constant)
    if node.operator == "/" and not parts[1].slopes:
        return _scale(parts[0], fold("/", (Number(Fraction(1)), parts[1].constant)))
    raise ValueError(f"the term {format_expression(node)!r} is not linear in {', '.join(sorted({n for p in parts for n in p.slopes}))}")


def _scale(affine: Affine, factor: Node) -> Affine:
    return Affine(multiply(factor, affine.constant), {name: multiply(factor, slope) for name, slope in affine.slopes.items()})
