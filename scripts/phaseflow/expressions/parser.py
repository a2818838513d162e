"""Text to tree: Python's syntax, a whitelist of its nodes, and no evaluation anywhere."""

from __future__ import annotations

import ast
import re
import warnings
from fractions import Fraction

from phaseflow.errors import shorten, suggest
from phaseflow.expressions.tree import COMPARISONS, FUNCTIONS, MAX_DEPTH, RESERVED, Apply, Node, Number, Symbol

MAX_LENGTH = 20_000
_DECIMAL = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?")
_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_LARGEST_POWER = 1_000
_LARGEST_BITS = 4_096
# A folded number is written with at most 990 digits, within the range of a double: the canonical text parses back.
_LARGEST_RESULT_BITS = 990


class ExpressionError(ValueError):
    """A text that is not an expression; `column` counts from 1."""

    def __init__(self, message: str, text: str, column: int) -> None:
        super().__init__(f"{message} (column {column} of {shorten(text)})")
        self.column = column


def parse(text: str) -> Node:
    """Parse an expression.

    Raises
    ------
    ExpressionError : anything but numbers, names, names with an index, + - * / **, parentheses, the listed
        functions, and one comparison as the first argument of `where`.
    """
    flat, body = _read_syntax(text)
    return _Reader(flat).read(body, 0)


def parse_condition(text: str) -> Apply:
    """Parse two expressions with a comparison between them.

    Raises
    ------
    ExpressionError : anything else.
    """
    flat, body = _read_syntax(text)
    return _Reader(flat).read_condition(body, 0, "a condition is one comparison of two expressions")


def _read_syntax(text: str) -> tuple[str, ast.expr]:
    """Return a text on one line, and Python's syntax tree of it."""
    flat = " ".join(text.split())
    if not flat:
        raise ExpressionError("an expression is empty", text, 1)
    if len(flat) > MAX_LENGTH:
        raise ExpressionError(f"an expression may have {MAX_LENGTH} characters, not {len(flat)}", text, 1)
    for column, character in enumerate(flat, 1):
        if not (character.isascii() and character.isprintable()) or character == "#":
            raise ExpressionError(f"the character {character!r} is not allowed (plain letters, digits, + - * / **)", flat, column)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(flat, mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(_explain_syntax(flat, error.msg), flat, max(error.offset or 1, 1)) from None
    except (MemoryError, RecursionError, ValueError):
        raise ExpressionError("an expression is nested too deeply", flat, 1) from None
    return flat, body


def parse_number(text: str) -> Number:
    """Parse one unsigned decimal literal exactly.

    Raises
    ------
    ValueError : not a decimal number, or outside the range of a double.
    """
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"{shorten(text)} is not a decimal number")
    mantissa, _, exponent = text.lower().partition("e")
    if abs(int(exponent or 0)) > 400 or len(mantissa) > 1_000:
        raise ValueError(f"{shorten(text)} is outside the range of a double")
    value = Fraction(text)
    if value and not 1e-308 <= value <= Fraction(17976931348623157 * 10**292):
        raise ValueError(f"{shorten(text)} is outside the range of a double")
    return Number(value)


def fold(operator: str, arguments: tuple[Node, ...]) -> Node:
    """Apply an operator; arithmetic on exact numbers of moderate size is done exactly.

    Raises
    ------
    ZeroDivisionError : division by an exact zero.
    """
    if operator == "/" and arguments[1] == Number(Fraction(0)):
        raise ZeroDivisionError
    values = [argument.value for argument in arguments if isinstance(argument, Number)]
    if len(values) != len(arguments):
        return Apply(operator, arguments)
    if operator == "neg":
        return Number(-values[0])
    if operator == "**":
        return _fold_power(values[0], values[1], arguments)
    exact = {"+": Fraction.__add__, "-": Fraction.__sub__, "*": Fraction.__mul__, "/": Fraction.__truediv__}.get(operator)
    if exact is None or sum(_count_bits(value) for value in values) > _LARGEST_BITS:
        return Apply(operator, arguments)
    return _keep_exact(exact(*values), operator, arguments)


def _fold_power(base: Fraction, exponent: Fraction, arguments: tuple[Node, ...]) -> Node:
    if base == 0 and exponent < 0:
        raise ZeroDivisionError
    is_small = exponent.denominator == 1 and abs(exponent) <= _LARGEST_POWER
    if is_small and abs(exponent) * _count_bits(base) <= _LARGEST_BITS:
        return _keep_exact(Fraction(base ** int(exponent)), "**", arguments)
    return Apply("**", arguments)


def _keep_exact(value: Fraction, operator: str, arguments: tuple[Node, ...]) -> Node:
    is_writable = max(value.numerator.bit_length(), value.denominator.bit_length()) <= _LARGEST_RESULT_BITS
    return Number(value) if is_writable else Apply(operator, arguments)


def _count_bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _explain_syntax(text: str, reason: str) -> str:
    if reason.startswith("too many nested"):
        return "an expression is nested too deeply"
    if re.search(r"\blambda\b", text):
        return "'lambda' is a word of Python's own: call it lambda_ or lam"
    if re.search(r"(?<![A-Za-z_0-9.])\d+(\.\d*)?[A-Za-z_(]", text):
        return "this is not an expression; is a * missing, as in 2*x?"
    if text.count("(") != text.count(")"):
        return "the parentheses do not match"
    if "=" in text.replace("==", "").replace("<=", "").replace(">=", "").replace("!=", ""):
        return "an expression has no '='"
    return "this is not an expression"


class _Reader:
    """Turn the allowed nodes of Python's syntax tree into ours."""

    def __init__(self, text: str) -> None:
        self.text = text

    def fail(self, message: str, node: ast.expr) -> ExpressionError:
        return ExpressionError(message, self.text, node.col_offset + 1)

    def read(self, node: ast.expr, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.fail(f"an expression is nested more than {MAX_DEPTH} deep", node)
        match node:
            case ast.Constant():
                return self._read_number(node)
            case ast.Name() | ast.Subscript():
                return self._read_name(node)
            case ast.UnaryOp(op=ast.UAdd()):
                return self.read(node.operand, depth + 1)
            case ast.UnaryOp(op=ast.USub()):
                return self._apply("neg", (self.read(node.operand, depth + 1),), node)
            case ast.BinOp() if type(node.op) in _BINARY:
                arguments = (self.read(node.left, depth + 1), self.read(node.right, depth + 1))
                return self._apply(_BINARY[type(node.op)], arguments, node)
            case ast.BinOp(op=ast.BitXor()):
                column = self.text.index("^", node.left.end_col_offset) + 1
                raise ExpressionError("'^' is not a power here: write **", self.text, column)
            case ast.Call():
                return self._read_call(node, depth)
            case ast.Compare():
                raise self.fail("a comparison may stand only first in where(condition, a, b)", node)
        raise self.fail("only numbers, names, + - * / **, parentheses and the listed functions are allowed", node)

    def _apply(self, operator: str, arguments: tuple[Node, ...], node: ast.expr) -> Node:
        try:
            return fold(operator, arguments)
        except ZeroDivisionError:
            raise self.fail("division by zero", node) from None

    def _read_number(self, node: ast.Constant) -> Number:
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            raise self.fail(f"{shorten(node.value)} is not a number", node)
        literal = self.text[node.col_offset : node.end_col_offset]
        try:
            return parse_number(literal)
        except ValueError as error:
            raise self.fail(str(error), node) from None

    def _read_name(self, node: ast.Name | ast.Subscript) -> Symbol:
        if isinstance(node, ast.Subscript):
            return self._read_subscript(node)
        if node.id in FUNCTIONS:
            raise self.fail(f"the function {node.id!r} needs its arguments in parentheses", node)
        return Symbol(node.id)

    def _read_subscript(self, node: ast.Subscript) -> Symbol:
        """Read `x[i]`, `x[i + 1]`, `x[i - 2]` or `x[3]` as a name; whether it is known is for others to say."""
        match node.value, node.slice:
            case ast.Name(id=base), ast.Name(id=index) if {base, index}.isdisjoint(RESERVED):
                return Symbol(f"{base}[{index}]")
            case ast.Name(id=base), ast.BinOp(left=ast.Name(id=index), op=ast.Add() | ast.Sub()) if {base, index}.isdisjoint(RESERVED):
                sign = 1 if isinstance(node.slice.op, ast.Add) else -1
                offset = sign * self._read_place(node.slice.right)
                return Symbol(f"{base}[{index}{offset:+}]" if offset else f"{base}[{index}]")
            case ast.Name(id=base), ast.Constant() if base not in RESERVED and (place := self._read_place(node.slice)):
                return Symbol(f"{base}[{place}]")
        raise self.fail("an index is written x[i], x[i + 1], x[i - 1] or x[1], counted from 1", node)

    def _read_place(self, node: ast.expr) -> int:
        literal = self.text[node.col_offset : node.end_col_offset]
        if not re.fullmatch(r"\d{1,6}", literal):
            raise self.fail(f"{shorten(literal)} is not a whole number of at most 6 digits, as an index wants", node)
        return int(literal)

    def _read_call(self, node: ast.Call, depth: int) -> Node:
        if not isinstance(node.func, ast.Name):
            raise self.fail("only the listed functions can be called; is a * missing, as in 2*(x + 1)?", node)
        name = node.func.id
        if name not in FUNCTIONS:
            raise self.fail(f"there is no function {name!r}{suggest(name, FUNCTIONS)}", node)
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.fail(f"{name} takes plain arguments only", node)
        wanted = FUNCTIONS[name]
        if len(node.args) != wanted if wanted else len(node.args) < 2:
            raise self.fail(f"{name} takes {wanted or 'two or more'} argument{'' if wanted == 1 else 's'}, not {len(node.args)}", node)
        arguments = []
        for place, argument in enumerate(node.args):
            is_condition = name == "where" and place == 0
            wanted_first = "where needs one comparison first"
            arguments.append(self.read_condition(argument, depth + 1, wanted_first) if is_condition else self.read(argument, depth + 1))
        return Apply(name, tuple(arguments))

    def read_condition(self, node: ast.expr, depth: int, wanted: str) -> Apply:
        if not (isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE):
            raise self.fail(f"{wanted}, with one of {' '.join(sorted(COMPARISONS))}", node)
        sides = (self.read(node.left, depth + 1), self.read(node.comparators[0], depth + 1))
        return Apply(_COMPARE[type(node.ops[0])], sides)


def is_name(text: str) -> bool:
    """Tell whether a text can name a state, a parameter or a variable."""
    import keyword

    return bool(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text)) and not keyword.iskeyword(text) and text not in RESERVED
