"""SBML's formulas as trees of the expression language; nothing is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache, reduce
from types import MappingProxyType
from typing import Any

import libsbml

from phaseflow.expressions.derivative import substitute
from phaseflow.expressions.parser import fold, is_name, parse_number
from phaseflow.expressions.tree import TIME, Apply, Node, Number, Symbol

# A function that a model defines: the names of its arguments, and its formula.
Function = tuple[tuple[str, ...], Node]

_NAMES = {kind: name for name, kind in vars(libsbml).items() if name.startswith("AST_") and isinstance(kind, int)}
_FUNCTIONS = {
    "AST_FUNCTION_EXP": "exp", "AST_FUNCTION_LN": "log", "AST_FUNCTION_ABS": "abs", "AST_FUNCTION_SIN": "sin",
    "AST_FUNCTION_COS": "cos", "AST_FUNCTION_TAN": "tan", "AST_FUNCTION_ARCSIN": "asin", "AST_FUNCTION_ARCCOS": "acos",
    "AST_FUNCTION_ARCTAN": "atan", "AST_FUNCTION_SINH": "sinh", "AST_FUNCTION_COSH": "cosh", "AST_FUNCTION_TANH": "tanh",
    "AST_FUNCTION_MIN": "min", "AST_FUNCTION_MAX": "max",
}  # fmt: skip
_COMPARISONS = {
    "AST_RELATIONAL_EQ": "==", "AST_RELATIONAL_NEQ": "!=", "AST_RELATIONAL_LT": "<", "AST_RELATIONAL_LEQ": "<=",
    "AST_RELATIONAL_GT": ">", "AST_RELATIONAL_GEQ": ">=",
}  # fmt: skip
_AVOGADRO = Fraction("6.02214179e23")
_ONE, _HALF = Number(Fraction(1)), Number(Fraction(1, 2))


@cache
def rename(name: str) -> str:
    """Return the name of an SBML or PEtab entity in the expression language, in which some words are taken."""
    while not is_name(name):
        name += "_"
    return name


def read_text(text: str) -> Node:
    """Read a formula of a PEtab table, in SBML's infix notation with `log` as the natural logarithm.

    Raises
    ------
    ValueError : it is no formula, or uses what is not supported.
    """
    settings = libsbml.L3ParserSettings()
    settings.setParseLog(libsbml.L3P_PARSE_LOG_AS_LN)
    # Careful: the pointer to the syntax tree must outlive the walk over it.
    found = libsbml.parseL3FormulaWithSettings(text, settings)
    if found is None:
        raise ValueError(f"{text!r} is no formula: {libsbml.getLastParseL3Error().splitlines()[-1]}")
    return read_ast(found)


def read_ast(node: Any, functions: Mapping[str, Function] = MappingProxyType({})) -> Node:
    """Read a formula of an SBML model, with the functions that the model defines written out.

    Raises
    ------
    ValueError : it uses what is not supported, which is named.
    """
    kind = _NAMES.get(node.getType(), str(node.getType()))
    leaf = _read_leaf(node, kind)
    if leaf is not None:
        return leaf
    if kind == "AST_FUNCTION_PIECEWISE":
        return _read_piecewise(node, functions)
    arguments = [read_ast(node.getChild(place), functions) for place in range(node.getNumChildren())]
    if kind == "AST_FUNCTION":
        return _call(node.getName(), arguments, functions)
    try:
        return _apply(kind, arguments)
    except ZeroDivisionError:
        raise ValueError("a formula divides by zero") from None


def read_function(node: Any, functions: Mapping[str, Function]) -> Function:
    """Read a function definition, given those before it.

    Raises
    ------
    ValueError : it uses what is not supported.
    """
    count = node.getNumChildren()
    names = tuple(rename(node.getChild(place).getName()) for place in range(count - 1))
    return names, read_ast(node.getChild(count - 1), functions)


def _call(name: str, arguments: list[Node], functions: Mapping[str, Function]) -> Node:
    if name not in functions or len(functions[name][0]) != len(arguments):
        raise ValueError(f"the function {name!r} of {len(arguments)} arguments is not defined")
    names, body = functions[name]
    return substitute(body, dict(zip(names, arguments, strict=True)))


def _read_leaf(node: Any, kind: str) -> Node | None:
    if kind == "AST_INTEGER":
        return Number(Fraction(node.getInteger()))
    if kind == "AST_RATIONAL":
        return Number(Fraction(node.getNumerator(), node.getDenominator()))
    if kind == "AST_REAL_E":
        return Number(Fraction(repr(node.getMantissa())) * Fraction(10) ** node.getExponent())
    if kind == "AST_REAL":
        value = node.getReal()
        return parse_number(repr(value)) if value >= 0 else fold("neg", (parse_number(repr(-value)),))
    leaves: dict[str, Node] = {"AST_CONSTANT_PI": Symbol("pi"), "AST_CONSTANT_E": Symbol("e"), "AST_NAME_AVOGADRO": Number(_AVOGADRO)}
    leaves["AST_NAME_TIME"] = Symbol(TIME)
    return Symbol(rename(node.getName())) if kind == "AST_NAME" else leaves.get(kind)


def _apply(kind: str, arguments: list[Node]) -> Node:
    if kind in ("AST_PLUS", "AST_TIMES"):
        operator, neutral = ("+", Number(Fraction(0))) if kind == "AST_PLUS" else ("*", _ONE)
        return reduce(lambda a, b: fold(operator, (a, b)), arguments) if arguments else neutral
    if kind == "AST_MINUS":
        return fold("neg", (arguments[0],)) if len(arguments) == 1 else fold("-", (arguments[0], arguments[1]))
    if kind == "AST_DIVIDE":
        return fold("/", (arguments[0], arguments[1]))
    if kind in ("AST_POWER", "AST_FUNCTION_POWER"):
        return fold("**", (arguments[0], arguments[1]))
    if kind == "AST_FUNCTION_LOG":
        return fold("/", (Apply("log", (arguments[1],)), Apply("log", (arguments[0],))))
    if kind == "AST_FUNCTION_ROOT":
        inner, degree = arguments[-1], arguments[0] if len(arguments) == 2 else Number(Fraction(2))
        return fold("**", (inner, fold("/", (_ONE, degree))))
    if kind in ("AST_FUNCTION_MIN", "AST_FUNCTION_MAX") and len(arguments) == 1:
        return arguments[0]
    if kind in _FUNCTIONS:
        return Apply(_FUNCTIONS[kind], tuple(arguments))
    raise ValueError(f"{kind.removeprefix('AST_').removeprefix('FUNCTION_').lower()} is not supported in a formula")


def _read_piecewise(node: Any, functions: Mapping[str, Function]) -> Node:
    """Read value, condition, value, condition, ..., otherwise."""
    count = node.getNumChildren()
    if count % 2 == 0:
        raise ValueError("piecewise without an otherwise is not supported in a formula")
    found = read_ast(node.getChild(count - 1), functions)
    for place in range(count - 3, -1, -2):
        found = _choose(node.getChild(place + 1), read_ast(node.getChild(place), functions), found, functions)
    return found


def _choose(condition: Any, yes: Node, no: Node, functions: Mapping[str, Function]) -> Node:
    """Return what is `yes` where a condition holds and `no` elsewhere."""
    kind = _NAMES.get(condition.getType(), "")
    parts = [condition.getChild(place) for place in range(condition.getNumChildren())]
    if kind in _COMPARISONS and len(parts) == 2:
        return Apply("where", (Apply(_COMPARISONS[kind], (read_ast(parts[0], functions), read_ast(parts[1], functions))), yes, no))
    if kind == "AST_LOGICAL_AND":
        return reduce(lambda found, part: _choose(part, found, no, functions), reversed(parts), yes)
    if kind == "AST_LOGICAL_OR":
        return reduce(lambda found, part: _choose(part, yes, found, functions), reversed(parts), no)
    if kind == "AST_LOGICAL_NOT":
        return _choose(parts[0], no, yes, functions)
    if kind in ("AST_CONSTANT_TRUE", "AST_CONSTANT_FALSE"):
        return yes if kind == "AST_CONSTANT_TRUE" else no
    raise ValueError(f"the condition {kind.removeprefix('AST_').lower()} is not supported in a formula")
