"""Names with an index, `x[i]`, `x[i+1]`, `x[3]`: how they are written, read back and replaced."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from phaseflow.expressions.parser import fold
from phaseflow.expressions.tree import Node, Number, walk

_SUBSCRIPT = re.compile(r"([A-Za-z_]\w*)\[(?:([A-Za-z_]\w*)([+-]\d+)?|(\d+))\]", re.ASCII)


@dataclass(frozen=True)
class Subscript:
    """A name with an index: `x[i-2]` has the base x, the index i and the offset -2; `x[3]` no index and the offset 3."""

    base: str
    index: str | None
    offset: int


def read_subscript(name: str) -> Subscript | None:
    """Return the parts of a name with an index, or None where it has none."""
    found = _SUBSCRIPT.fullmatch(name)
    return Subscript(found[1], found[2], int(found[3] or found[4] or 0)) if found else None


def substitute(node: Node, replace: Callable[[str], Node]) -> Node:
    """Return an expression with other nodes for its names; arithmetic on exact numbers is done.

    Raises
    ------
    ZeroDivisionError : the replaced expression divides by an exact zero.
    """
    return walk(node, Number, replace, lambda operator, arguments: fold(operator, tuple(arguments)))
