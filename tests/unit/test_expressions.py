"""Expressions: what they accept, what they are worth, and that they never run anything.

Settings of hypothesis: derandomised, so that a run of the suite is one fixed set of examples; no database, no deadline.
"""

from __future__ import annotations

import builtins
import contextlib
import math
import operator
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import heyoka as hy
import mpmath
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.compiled import to_heyoka, use_cache
from phaseflow.expressions.parser import MAX_LENGTH, ExpressionError, fold, is_name, parse, parse_number
from phaseflow.expressions.quantity import DecimalFloat, Expression, Quantity
from phaseflow.expressions.text import format_expression, format_fraction
from phaseflow.expressions.tree import COMPARISONS, FUNCTIONS, MAX_DEPTH, Apply, Node, Number, Symbol, find_names, find_operators, walk

FIXED = settings(deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
NAMES = ("x", "y", "z")


@pytest.fixture(scope="module", autouse=True)
def _compiled_code_stays_in_tmp(tmp_path_factory: pytest.TempPathFactory) -> None:
    use_cache(Path(tmp_path_factory.mktemp("heyoka")))


@pytest.fixture(autouse=True)
def _fifty_digits() -> Iterator[None]:
    with mp.workdps(50):
        yield


# --- Nothing runs -----------------------------------------------------------------------------------------------------

HARMLESS = {"compile", "object.__getattr__"}  # ast.parse itself is a 'compile' event; no code object is made
WATCH: list[str] | None = None


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if WATCH is not None and event not in HARMLESS:
        WATCH.append(f"{event} {arguments!r:.100}")


sys.addaudithook(_listen)  # a hook cannot be taken away again: it is deaf while WATCH is None


def watch(act: Callable[[], Any]) -> tuple[Any, list[str]]:
    """Return what an act returns (None where it raises a ValueError), and every audited event that it caused."""
    global WATCH
    result = None
    seen: list[str] = []
    WATCH = seen
    try:
        result = act()
    except ValueError:
        pass
    finally:
        WATCH = None
    return result, seen


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put a builtin within reach of any evaluated text, which sings when it is touched."""
    songs: list[str] = []

    class Canary:
        def __getattribute__(self, name: str) -> Any:
            songs.append(name)
            raise AttributeError(name)

        def __call__(self, *_arguments: Any) -> int:
            songs.append("called")
            return 1

        __getitem__ = __add__ = __radd__ = __mul__ = __rmul__ = __neg__ = __lt__ = __gt__ = __pow__ = __call__  # type: ignore[assignment]

    monkeypatch.setattr(builtins, "canary", Canary(), raising=False)
    return songs


HOSTILE = (
    "__import__('os').system('true')", "__import__", "('os')", "lambda", ":", "lambda: ", "[", "]", "{", "}", "(", ")", "[]",
    "{}", "()", ".",
    "f'{", "}'", "f\"{canary()}\"", "f'{canary()}'", ":=", "(c:=canary())", "[c for c in (1,)]", " for ", " in ", " if ", " else ",
    "x.__class__", ".__class__", ".__mro__[1]", ".__subclasses__()", "__builtins__", "eval", "exec", "open", "('/etc/passwd')", "compile",
    "globals()", "getattr", "print", "input()", "breakpoint()", "exit()", "canary", "canary()", "canary[0]", "canary.x", "`",
    "\\", "\n", "\t",
    "\x00", "\x1c", ";", "#", "@", "~", "!", "%", "//", "<<", "|", "&", "^", "not ", " and ", " or ", "await ", "yield ", "*",
    "**", "+", "-",
    "/", ",", "=", "==", "<", ">", "<=", "!=", "'", '"', '"""', "b''", "r'", "1j", "0x1", "1_0", "1e9", "9**9**9", "...", "None",
    "True", "x",
    "y", "1", "0", "sin(", "where(", "min(", "where(x<1,", "é", "ｘ", "𝟏", "ª", "ſin(", "\u202e", "\u2028", "\ud800", "π",
    "import os", "type: ",
)  # fmt: skip
hostile_texts = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="xyz0189.eE+-*/(), <>=!_", max_size=40),
    st.text(alphabet="12.+-*", min_size=1, max_size=4),
    st.lists(st.sampled_from(HOSTILE), max_size=12).map("".join),
    st.lists(st.sampled_from(HOSTILE), max_size=8).map(" ".join),
)


@pytest.mark.parametrize("read", [Expression.parse, Quantity.parse], ids=["expression", "quantity"])
def test_no_text_runs_anything_or_raises_anything_but_valueerror(read: Callable[[object], Expression], canary: list[str]) -> None:
    outcomes = {"accepted": 0, "refused": 0}

    @settings(FIXED, max_examples=1_000)
    @given(text=hostile_texts)
    def check(text: str) -> None:
        value, events = watch(lambda: read(text))
        assert events == []
        assert canary == []
        outcomes["refused" if value is None else "accepted"] += 1

    check()
    assert min(outcomes.values()) > 20, "the texts must be of both kinds for this test to mean anything"


def test_the_watch_sees_what_it_is_meant_to_see(canary: list[str], tmp_path: Path) -> None:
    assert any(event.startswith("exec") for event in watch(lambda: eval("1 + 1"))[1])
    assert any(event.startswith("import") for event in watch(_try_import)[1])
    assert any(event.startswith("open") for event in watch(lambda: (tmp_path / "a").touch() or (tmp_path / "a").read_text())[1])
    watch(lambda: eval("canary()", {}))
    assert canary == ["called"]


def _try_import() -> None:
    with contextlib.suppress(ImportError):
        __import__("phaseflow_has_no_such_module")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "lambda: 1", "(lambda: 1)()", "[x for x in (1,)]", "{x}", "{x: y}", "[x]", "x[0]", "x.real",
        "x[-1]", "x[i][j]", "x[i, j]", "x[1:2]", "x[t]", "sin[i]", "t[i]", "x[2*i]", "x[i + j]", "x[True]", "x[1_0]", "x[i + 1234567]",
        "(x + y)[i]", "f(x)[i]", "x[...]", "x['i']", "x[(i := 1)]", "x[i*1]",
        "().__class__", "f'{x}'", "(y := x)", "x if x else y", "not x", "~x", "x // y", "x % y", "x @ y", "x | y", "x and y",
        "await x", "`x`",
        "sin(*x)", "sin(**x)", "sin(x=1)", "sin(x)(y)", "eval(x)", "open(x)", "print(x)", "(x, y)", "x,", "'x'", "b'x'", "...",
        "None", "True",
        "1j", "0x10", "0b1", "0o7", "1_000", "x; y", "import os", "x = y", "x # + y", "x\n# note\n+ y", "yield x", "sin", "ſin(x)", "ｘ",
    ],
)  # fmt: skip
def test_syntax_of_python_that_is_not_listed_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


# --- The same value as Python's own reading of the text ----------------------------------------------------------------


class UndecidedError(Exception):
    """The value is not certain to be a moderate real number here: the point is skipped."""


ROUNDING = mpf(2) ** -53
# The errors of one operation in units of the last place. numpy promises 4, SLEEF (in heyoka) 1 and glibc 1 to 2;
# heyoka may write a/b as a*b**-1, or a power as products, which costs a rounding or two more. 8 covers them.
ULPS = 8
HUGE, TINY = mpf(10) ** 100, mpf(10) ** -100  # within these no order of multiplication overflows or underflows


@dataclass(frozen=True)
class Ball:
    """A number at 50 digits, and how far double arithmetic may be from it: running error analysis (Wilkinson 1986).

    `mass` is the sum of the magnitudes that were added up: heyoka sorts sums, so a rounding error is relative
    to the largest partial sum of any order, not to the sum.
    """

    value: mpf
    radius: mpf
    mass: mpf

    @staticmethod
    def of(value: mpf, inherited: mpf, roundings: float = ULPS, mass: mpf | None = None) -> Ball:
        mass = max(abs(value), mass or mpf(0))
        radius = inherited + roundings * ROUNDING * (mass + inherited)
        if not mass + radius < HUGE or 0 < abs(value) < TINY:
            raise UndecidedError
        return Ball(value, radius, mass)

    @property
    def low(self) -> mpf:
        return self.value - self.radius

    @property
    def high(self) -> mpf:
        return self.value + self.radius

    @property
    def far(self) -> mpf:
        return abs(self.value) + self.radius

    @property
    def near(self) -> mpf:
        return max(abs(self.value) - self.radius, mpf(0))

    def __add__(self, other: Ball) -> Ball:
        return Ball.of(self.value + other.value, self.radius + other.radius, mass=self.mass + other.mass)

    def __sub__(self, other: Ball) -> Ball:
        return self + -other

    def __neg__(self) -> Ball:
        return Ball(-self.value, self.radius, self.mass)

    def __pos__(self) -> Ball:
        return self

    def __mul__(self, other: Ball) -> Ball:
        spread = self.far * other.radius + other.far * self.radius
        return Ball.of(self.value * other.value, spread, mass=self.mass * other.mass)

    def __truediv__(self, other: Ball) -> Ball:
        if other.near == 0:
            raise UndecidedError
        value = self.value / other.value
        return Ball.of(value, (self.radius + abs(value) * other.radius) / other.near, mass=self.mass / other.near)

    def __pow__(self, power: Ball) -> Ball:
        if power.radius == 0 and power.value == int(power.value) and abs(power.value) <= 64:
            return self._raise(int(power.value))
        if self.low <= 0:
            raise UndecidedError
        value = mp.power(self.value, power.value)
        relative = power.far * self.radius / self.low + max(abs(mp.log(self.low)), abs(mp.log(self.high))) * power.radius
        if relative > 0.01:
            raise UndecidedError
        return Ball.of(value, 2 * abs(value) * relative)  # exp(r) - 1 <= 2r below 0.01

    def _raise(self, power: int) -> Ball:
        if power < 0 and self.near == 0:
            raise UndecidedError
        value = self.value**power
        if self.radius == 0 or power == 0:
            return Ball.of(value, mpf(0), ULPS + abs(power))
        slope = abs(power) * (self.far if power >= 1 else self.near) ** (power - 1)
        return Ball.of(value, slope * self.radius, ULPS + abs(power))

    def _compare(self, other: Ball, relation: Callable[[mpf, mpf], bool]) -> bool:
        if self.radius + other.radius > 0 and abs(self.value - other.value) <= self.radius + other.radius:
            raise UndecidedError
        return relation(self.value, other.value)

    def __lt__(self, other: Ball) -> bool:
        return self._compare(other, operator.lt)

    def __le__(self, other: Ball) -> bool:
        return self._compare(other, operator.le)

    def __gt__(self, other: Ball) -> bool:
        return self._compare(other, operator.gt)

    def __ge__(self, other: Ball) -> bool:
        return self._compare(other, operator.ge)

    def __eq__(self, other: object) -> bool:
        return self._compare(other, operator.eq)  # type: ignore[arg-type]

    def __ne__(self, other: object) -> bool:
        return self._compare(other, operator.ne)  # type: ignore[arg-type]

    __hash__ = None  # type: ignore[assignment]


def _monotone(function: Callable[[mpf], mpf], low: float = -math.inf, high: float = math.inf) -> Callable[[Ball], Ball]:
    """Enclose a function that rises or falls all over its domain from its values at both ends."""

    def apply(x: Ball) -> Ball:
        if x.low < low or x.high > high:
            raise UndecidedError
        value = function(x.value)
        return Ball.of(value, max(abs(function(x.low) - value), abs(function(x.high) - value)))

    return apply


def _with_slope(function: Callable[[mpf], mpf], slope: Callable[[Ball], mpf]) -> Callable[[Ball], Ball]:
    def apply(x: Ball) -> Ball:
        if x.far > mpf(10) ** 8:  # SLEEF reduces angles to 1 ulp up to 1e14, and a far angle means nothing
            raise UndecidedError
        return Ball.of(function(x.value), x.radius * slope(x))

    return apply


def _slope_of_tan(x: Ball) -> mpf:
    cosine = abs(mp.cos(x.value)) - x.radius
    if cosine <= 0:
        raise UndecidedError
    return 1 / cosine**2


def _log(x: Ball) -> Ball:
    if x.low <= 0:
        raise UndecidedError
    return _monotone(mp.log)(x)


def _atan2(y: Ball, x: Ball) -> Ball:
    distance = mp.hypot(y.near, x.near)
    if distance == 0 or (y.near == 0 and x.low <= 0):  # the cut, where +pi and -pi meet
        raise UndecidedError
    return Ball.of(mp.atan2(y.value, x.value), 2 * (y.radius + x.radius) / distance)


def _sign(x: Ball) -> Ball:
    zero = Ball(mpf(0), mpf(0), mpf(0))
    return Ball.of(mpf(1 if x > zero else -1 if x < zero else 0), mpf(0), 0)


def _extreme(pick: Callable[..., mpf]) -> Callable[..., Ball]:
    def apply(*arguments: Ball) -> Ball:
        masses = max(argument.mass for argument in arguments)
        return Ball(pick(a.value for a in arguments), max(a.radius for a in arguments), masses)

    return apply


def _literal(text: str) -> Ball:
    """Read a literal of the text: a decimal at full precision, which double arithmetic rounds first."""
    value = mpf(text)
    return Ball(value, mpf(0) if float(text) == value else ROUNDING * abs(value), abs(value))


def _exact(value: float) -> Ball:
    return Ball(mpf(value), mpf(0), abs(mpf(value)))


WORLD: dict[str, Any] = {
    "__builtins__": {},
    "N": _literal,
    "pi": Ball(mp.pi + 0, ROUNDING * 4, mpf(4)),
    "e": Ball(mp.e + 0, ROUNDING * 4, mpf(4)),
    "sin": _with_slope(mp.sin, lambda _: mpf(1)),
    "cos": _with_slope(mp.cos, lambda _: mpf(1)),
    "tan": _with_slope(mp.tan, _slope_of_tan),
    "cosh": _with_slope(mp.cosh, lambda x: mp.sinh(min(x.far, mpf(600)))),
    "sinh": _monotone(mp.sinh, -600, 600),
    "exp": _monotone(mp.exp, -600, 600),
    "tanh": _monotone(mp.tanh),
    "asin": _monotone(mp.asin, -1, 1),
    "acos": _monotone(mp.acos, -1, 1),
    "atan": _monotone(mp.atan),
    "log": _log,
    "sqrt": _monotone(mp.sqrt, 0),
    "erf": _monotone(mp.erf),
    "sigmoid": _monotone(lambda x: 1 / (1 + mp.exp(-x)), -600, 600),
    "abs": lambda x: Ball(abs(x.value), x.radius, x.mass),
    "sign": _sign,
    "atan2": _atan2,
    "min": _extreme(min),
    "max": _extreme(max),
    "where": lambda condition, a, b: a if condition else b,
}

literals = st.one_of(
    st.integers(0, 20).map(str),
    st.decimals("0.001", "99", places=3).map(str),
    st.sampled_from(["0.1", "1e-3", "2.5e2", ".5", "3.", "1E1", "0.3333333333333333333333"]),
)


def _extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Write larger texts around smaller ones, with parentheses at random: Python's precedence must decide as ours does."""
    spaces = st.sampled_from(["", " ", "  ", "\n "])
    part = st.one_of(inner, inner.map(lambda text: f"({text})"))
    binary = st.builds(lambda a, s, o, t, b: f"{a}{s}{o}{t}{b}", part, spaces, st.sampled_from(["+", "-", "*", "/"]), spaces, part)
    power = st.builds("{}**{}".format, part, st.one_of(st.sampled_from(["2", "3", "-1", "-2", "0.5", "-y", "2**2", "(1/2)", "0"]), part))
    unary = st.builds("{}{}".format, st.sampled_from("+-"), part)
    one = st.builds("{}({})".format, st.sampled_from(sorted(name for name, count in FUNCTIONS.items() if count == 1)), inner)
    two = st.builds("atan2({}, {})".format, inner, inner)
    lists = st.lists(inner, min_size=2, max_size=4)
    many = st.builds(lambda name, parts: f"{name}({', '.join(parts)})", st.sampled_from(["min", "max"]), lists)
    relation = st.sampled_from(sorted(COMPARISONS))
    where = st.builds("where({} {} {}, {}, {})".format, inner, relation, inner, inner, inner)
    return st.one_of(binary, binary, power, unary, one, one, two, many, where)


expression_texts = st.recursive(st.one_of(st.sampled_from((*NAMES, *NAMES, "pi", "e")), literals), _extend, max_leaves=10)
POINTS = np.vstack([np.random.default_rng(1).normal(scale=2, size=(4, 3)), np.random.default_rng(2).uniform(0, 1, size=(4, 3))])
_LITERAL = re.compile(r"(?<![A-Za-z_0-9.])(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(?![A-Za-z_0-9.(])")


def find_truth(text: str) -> list[Ball | None]:
    """Let Python read the text itself, over balls instead of floats, at every point."""
    program = compile(_LITERAL.sub(r"N('\g<0>')", " ".join(text.split())), "<expression>", "eval")
    truths: list[Ball | None] = []
    for point in POINTS:
        try:
            truths.append(eval(program, {**WORLD, **{name: _exact(float(value)) for name, value in zip(NAMES, point, strict=True)}}))
        except UndecidedError:
            truths.append(None)
    return truths


def parse_unless_zero_divides(text: str) -> Node | None:
    """Parse a text of the grammar, which nothing but an exact zero below a stroke may make invalid."""
    try:
        return parse(text)
    except ExpressionError as error:
        if "division by zero" not in str(error):
            raise
        return None


def compile_field(node: Node, names: tuple[str, ...] = NAMES) -> Callable[[np.ndarray], np.ndarray]:
    """Compile an expression with heyoka; the result takes points of shape (n_points, n_names)."""
    variables = [hy.make_vars(name) for name in names]
    return _compile(to_heyoka(node, dict(zip(names, variables, strict=True))), variables)


def _compile(expression: Any, variables: list[Any]) -> Callable[[np.ndarray], np.ndarray]:
    function = hy.cfunc([expression], vars=variables)
    return lambda points: function(np.ascontiguousarray(points.T))[0]


def _hold_against_truth(values: np.ndarray, truths: list[Ball | None], text: str) -> int:
    known = [(float(value), truth) for value, truth in zip(values, truths, strict=True) if truth is not None]
    for value, truth in known:
        assert math.isfinite(value), f"{text}: {value}, and the truth is {mp.nstr(truth.value, 20)}"
        assert abs(mpf(value) - truth.value) <= truth.radius, f"{text}: {value!r} is too far from {mp.nstr(truth.value, 25)}"
    return len(known)


def test_arrays_give_the_value_that_python_reads_in_the_text() -> None:
    counts = {"points": 0, "texts": 0}

    @settings(FIXED, max_examples=600)
    @given(text=expression_texts)
    def check(text: str) -> None:
        tree = parse_unless_zero_divides(text)
        if tree is None:
            return
        truths = find_truth(text)
        columns = dict(zip(NAMES, POINTS.T, strict=True))
        values = np.broadcast_to(evaluate(tree, columns), len(POINTS))
        counts["points"] += _hold_against_truth(values, truths, text)
        counts["texts"] += any(truths)

    check()
    assert counts["texts"] > 300
    assert counts["points"] > 2_000


def test_heyoka_gives_the_value_that_python_reads_in_the_text() -> None:
    counts = {"points": 0, "texts": 0}

    @settings(FIXED, max_examples=250)
    @given(text=expression_texts)
    def check(text: str) -> None:
        tree = parse_unless_zero_divides(text)
        if tree is None:
            return
        truths = find_truth(text)
        if any(truths):
            counts["texts"] += 1
            counts["points"] += _hold_against_truth(compile_field(tree)(POINTS), truths, text)

    check()
    assert counts["texts"] > 125
    assert counts["points"] > 800


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_listed_function_is_its_mathematical_namesake(name: str) -> None:
    arguments = {"where": "x < y, x + 1, y*z", "atan2": "x, y", "min": "x, y, z", "max": "x, y, z"}.get(name, "x")
    text = f"{name}({arguments})"
    truths = find_truth(text)
    columns = dict(zip(NAMES, POINTS.T, strict=True))
    assert _hold_against_truth(evaluate(parse(text), columns), truths, text) >= 4
    assert _hold_against_truth(compile_field(parse(text))(POINTS), truths, text) >= 4


@pytest.mark.parametrize("x", [-700.0, -300.0, -40.0, -1.0, 0.0, 1.0, 40.0, 700.0])
def test_sigmoid_keeps_its_digits_far_from_zero(x: float) -> None:
    truth = 1 / (1 + mp.exp(-mpf(x)))
    # One exponential and two roundings, of 4 ulp each at most; exp(-700) is still a normal double.
    assert abs(mpf(float(evaluate(parse("sigmoid(x)"), {"x": x}))) - truth) <= ULPS * ROUNDING * truth
    assert abs(mpf(float(compile_field(parse("sigmoid(x)"), ("x",))(np.array([[x]]))[0])) - truth) <= ULPS * ROUNDING * truth


def test_what_is_not_a_real_number_is_nan_or_infinite_and_warns_nobody() -> None:
    assert np.isnan(evaluate(parse("log(x)"), {"x": -1.0}))
    assert np.isnan(evaluate(parse("x**0.5"), {"x": -1.0}))
    assert evaluate(parse("1/x"), {"x": 0.0}) == np.inf
    assert evaluate(parse("10**10**10"), {}) == np.inf
    assert evaluate(parse("where(x > 0, log(x), 0)"), {"x": -1.0}) == 0.0


def test_values_broadcast_and_a_name_without_a_value_is_a_keyerror() -> None:
    value = evaluate(parse("where(x < y, x, erf(y)) + 0*z"), {"x": np.zeros((3, 1)), "y": np.ones(4), "z": 1.0})
    assert value.shape == (3, 4)
    assert value.dtype == np.float64
    assert evaluate(parse("sin(x)"), {"x": np.empty(0)}).shape == (0,)
    with pytest.raises(KeyError, match="y"):
        evaluate(parse("x + y"), {"x": 1.0})


def test_the_time_and_parameters_are_whatever_the_caller_names() -> None:
    x = hy.make_vars("x")
    rate = hy.cfunc([to_heyoka(parse("k*x + t"), {"x": x, "k": hy.par[0], "t": hy.time})], vars=[x])
    assert rate(np.array([3.0]), pars=np.array([2.0]), time=0.25)[0] == 6.25


# --- Derivatives --------------------------------------------------------------------------------------------------------

SMOOTH = ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "sigmoid", "erf")
# Each function of an inner expression that is O(1), off its switches and well inside its domain for x, y in (0.2, 0.8).
DERIVATIVES = {
    **{name: f"{name}(x*y - 0.3*x)" for name in SMOOTH},
    "log": "log(x*y + 0.5)", "sqrt": "sqrt(x*y + 0.5)", "atan2": "atan2(x*y, x + 0.5)",
    "abs": "abs(x*y - 2)*x", "sign": "sign(x*y - 2)*x**2", "min": "min(x**2, x*y + 2, sin(x) + 3)",
    "max": "max(x**2, x*y + 2, sin(x) - 3)",
    "where": "where(x + y < 9, x**2*y, exp(x))", "where not": "where(x + y >= 9, x**2*y, exp(x))",
    "+": "x + y*x", "-": "y - x*x", "*": "3*x*y*x", "/": "(x + y)/(x + 2)", "**": "(x + y)**(x + 1)", "integer power": "(x - y)**3",
    "negative power": "(x + 1)**-2", "fractional power": "(x + 1)**2.5", "neg": "-x**2",
    "several": "sin(exp(-x*y))/(1 + x**2) + log(2 + cos(y*x))",
}  # fmt: skip


def test_no_function_is_without_a_test_of_its_derivative() -> None:
    assert set(FUNCTIONS) <= set(DERIVATIVES)
    for name in FUNCTIONS:
        assert name in find_operators(parse(DERIVATIVES[name]))


@pytest.mark.parametrize("label", sorted(DERIVATIVES))
def test_derivatives_agree_with_differences_at_fifty_digits(label: str) -> None:
    text = DERIVATIVES[label]
    tree = parse(text)
    variables = dict(zip("xy", hy.make_vars("x", "y"), strict=True))
    slope = _compile(hy.diff(to_heyoka(tree, variables), variables["x"]), list(variables.values()))
    points = np.random.default_rng(7).uniform(0.2, 0.8, size=(20, 2))
    program = compile(_LITERAL.sub(r"N('\g<0>')", text), "<expression>", "eval")
    for (x, y), value in zip(points, slope(points), strict=True):
        step = mpf(10) ** -20  # a central difference: truncation is about step**2 = 1e-40, rounding 1e-50/step = 1e-30
        ends = [eval(program, {**WORLD, "x": Ball(mpf(x) + shift, mpf(0), mpf(1)), "y": _exact(y)}).value for shift in (step, -step)]
        truth = (ends[0] - ends[1]) / (2 * step)
        # At these points a derivative is a few terms of at most about 10, in fewer than 40 operations of 8 half ulps at
        # most, none of which amplifies by more than 2: 40 * 8 * 1.1e-16 * 2 = 7e-14 relative to 1 + |truth|.
        assert abs(mpf(float(value)) - truth) <= mpf("7e-14") * (1 + abs(truth))


# --- Text ---------------------------------------------------------------------------------------------------------------

fractions = st.one_of(
    st.integers(-30, 30).map(Fraction),
    st.fractions(max_denominator=50),
    st.decimals(-1000, 1000, places=6).map(Fraction),
    st.floats(1e-300, 1e300).map(lambda value: Fraction(repr(value))),
    st.sampled_from(
        [Fraction(2) ** 900, Fraction(5) ** -400, Fraction(1, 3**600), Fraction("1e-308"), Fraction("-1.7976931348623157e308")]
    ),
)


def _build(operator: str, arguments: tuple[Node, ...]) -> Node:
    try:
        return fold(operator, arguments)
    except ZeroDivisionError:
        return Symbol("x")


def _grow(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    pairs = st.tuples(inner, inner)
    binary = st.builds(_build, st.sampled_from(["+", "-", "*", "/", "**"]), pairs)
    negative = st.builds(_build, st.just("neg"), st.tuples(inner))
    one = st.builds(Apply, st.sampled_from(sorted(name for name, count in FUNCTIONS.items() if count == 1)), st.tuples(inner))
    two = st.builds(Apply, st.just("atan2"), pairs)
    many = st.builds(Apply, st.sampled_from(["min", "max"]), st.lists(inner, min_size=2, max_size=4).map(tuple))
    condition = st.builds(Apply, st.sampled_from(sorted(COMPARISONS)), pairs)
    where = st.builds(Apply, st.just("where"), st.tuples(condition, inner, inner))
    return st.one_of(binary, binary, binary, negative, one, two, many, where)


leaves = st.one_of(st.sampled_from([Symbol(name) for name in ("x", "y_1", "pi", "t", "E2")]), fractions.map(Number))
trees = st.recursive(leaves, _grow, max_leaves=15)


@settings(FIXED, max_examples=600)
@given(tree=trees)
def test_every_tree_comes_back_from_its_text(tree: Node) -> None:
    expression = Expression(tree)
    again = Expression.parse(expression.text)
    assert again.tree == tree
    assert again == expression
    assert hash(again) == hash(expression)
    assert again.text == expression.text


@settings(FIXED, max_examples=400)
@given(text=expression_texts)
def test_the_canonical_text_is_a_fixed_point(text: str) -> None:
    try:
        expression = Expression.parse(text)
    except ExpressionError:
        return
    assert Expression.parse(expression.text) == expression
    assert Expression.parse(expression.text).text == expression.text


@settings(FIXED, max_examples=400)
@given(value=fractions)
def test_a_rational_comes_back_from_its_text(value: Fraction) -> None:
    assert Quantity.parse(format_fraction(value)).exact == value


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("x+y", "x + y"), ("x-(y-z)", "x - (y - z)"), ("(x-y)-z", "x - y - z"), ("x*(y*z)", "x*(y*z)"), ("x/y*z", "x/y*z"),
        ("x/(y*z)", "x/(y*z)"),
        ("-x**2", "-x**2"), ("(-x)**2", "(-x)**2"), ("x**y**z", "x**y**z"), ("(x**y)**z", "(x**y)**z"), ("x**-2", "x**-2"),
        ("x**(1/3)", "x**(1/3)"),
        ("-(x*y)", "-(x*y)"), ("-x*y", "-x*y"), ("x - -y", "x - (-y)"), ("x*-2", "x*(-2)"), ("- - x", "--x"), ("(-2)**x", "(-2)**x"),
        ("8/3*x", "8/3*x"), ("x*(8/3)", "x*(8/3)"), ("0.10*x", "0.1*x"), ("1000000*x", "1000000*x"), ("100000000*x", "1e8*x"),
        ("1e-12", "1e-12"),
        ("0.001", "0.001"), ("0.0000001", "1e-7"), ("+x", "x"), ("((x))", "x"), ("where(x<y,1,2)", "where(x < y, 1, 2)"),
        ("min(x,y , z)", "min(x, y, z)"),
        ("x\n + y", "x + y"), ("1 - 1", "0"), ("-0.0", "0"), ("2**10", "1024"), ("2**-1", "0.5"), ("123456789.25", "123456789.25"),
    ],
)  # fmt: skip
def test_the_canonical_text_is_what_a_person_would_write(text: str, canonical: str) -> None:
    assert Expression.parse(text).text == canonical


@pytest.mark.parametrize(
    "text",
    ["2**2000*x", "1e-300*1e-300*x", "(3**1000)/(3**999 + 1)", "1 + 2**-1000", "1e300*1e300", "1.5e-308*1", "2**1000/3"],
)  # fmt: skip
def test_numbers_too_large_to_write_stay_unfolded_and_come_back(text: str) -> None:
    expression = Expression.parse(text)
    assert Expression.parse(expression.text) == expression


@pytest.mark.parametrize(
    "text",
    ["-" * MAX_DEPTH + "x", "**".join("x" * MAX_DEPTH), "+".join("x" * MAX_DEPTH), "**-".join("x" * (MAX_DEPTH // 2))],
)  # fmt: skip
def test_the_deepest_expressions_come_back(text: str) -> None:
    canonical = Expression.parse(text).text
    assert Expression.parse(canonical).text == canonical


def test_an_expression_whose_canonical_text_could_not_be_read_again_is_refused() -> None:
    long = "max(" + ",".join(["x+y"] * 4_000) + ")"
    assert len(long) < MAX_LENGTH
    with pytest.raises(ValueError, match="more than 20000 characters when it is written in full"):
        Expression.parse(long)


# --- Exact numbers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1*3", Fraction(3, 10)), ("8/3", Fraction(8, 3)), ("-8/3", Fraction(-8, 3)), ("8/-3", Fraction(-8, 3)),
        ("0.1 + 0.2 - 0.3", Fraction(0)),
        ("1e-12", Fraction(1, 10**12)), ("2**10", Fraction(1024)), ("2**-2", Fraction(1, 4)), ("(1/3)**3", Fraction(1, 27)),
        ("-2**2", Fraction(-4)),
        ("0**0", Fraction(1)), ("1.25e2", Fraction(125)), (".5", Fraction(1, 2)), ("5.", Fraction(5)), ("1/3 + 1/6", Fraction(1, 2)),
        ("1e-308", Fraction(1, 10**308)), ("1.7976931348623157e308", Fraction(17976931348623157 * 10**292)),
    ],
)  # fmt: skip
def test_arithmetic_on_literals_is_exact(text: str, value: Fraction) -> None:
    assert parse(text) == Number(value)
    assert Quantity.parse(text).exact == value


def test_what_is_irrational_is_kept_as_it_is_written() -> None:
    for text in ("sqrt(2)", "2**0.5", "pi", "e*2"):
        assert Quantity.parse(text).exact is None
    assert Quantity.parse("sqrt(2)").value == math.sqrt(2)
    assert Quantity.parse("pi").value == math.pi


@settings(FIXED, max_examples=500)
@given(value=st.one_of(fractions, st.fractions(-(10**9), 10**9)))
def test_a_rational_quantity_is_the_nearest_double(value: Fraction) -> None:
    quantity = Quantity.parse(format_fraction(value)).value
    gap = abs(Fraction(quantity) - value)
    neighbours = [math.nextafter(quantity, side) for side in (-math.inf, math.inf)]
    assert all(math.isinf(other) or gap <= abs(Fraction(other) - value) for other in neighbours)


@settings(FIXED, max_examples=500)
@given(number=st.floats(1e-300, 1e300) | st.integers(-(10**30), 10**30))
def test_a_plain_number_is_its_decimals(number: float) -> None:
    assert Quantity.parse(number).exact == Fraction(repr(number))
    assert Quantity.parse(-number).exact == -Fraction(repr(number))
    assert Quantity.parse(number).value == float(number)


def test_a_number_of_a_config_remembers_its_decimals() -> None:
    number = DecimalFloat("0.10000000000000000001")
    assert number == 0.1
    assert Quantity.parse(number).exact == Fraction("0.10000000000000000001")
    assert Quantity.parse(DecimalFloat("-1e-12")).exact == Fraction(-1, 10**12)
    assert Quantity.parse(DecimalFloat("+.5")).exact == Fraction(1, 2)


@pytest.mark.parametrize("value", [True, None, [1], {"x": 1}, math.nan, math.inf, -math.inf, 10**400, DecimalFloat("1e999"), b"1", 1j])
def test_what_is_no_number_is_a_valueerror(value: object) -> None:
    with pytest.raises(ValueError, match=r"is not an expression|decimal number|range of a double|integer string conversion"):
        Expression.parse(value)


@pytest.mark.parametrize(
    "text",
    ["1e308*10", "10**10**10", "log(0)", "log(-1)", "sqrt(-1)", "(-8)**(1/3)", "asin(2)", "exp(1000)", "x + 1", "pie"],
)  # fmt: skip
def test_a_quantity_is_finite_and_real(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        Quantity.parse(text)


def test_an_unknown_constant_brings_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="there is no constant 'pie'; did you mean 'pi'"):
        Quantity.parse("2*pie")


# --- Errors -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "an expression is empty"),
        (" \n ", 1, "an expression is empty"),
        ("1 + x^2", 6, "'^' is not a power here: write **"),
        ("2x", 1, "is a * missing, as in 2*x?"),
        ("y + 2x", 5, "is a * missing, as in 2*x?"),
        ("3(x + 1)", 1, "is a * missing, as in 2*(x + 1)?"),
        ("lambda*x", None, "'lambda' is a word of Python's own: call it lambda_ or lam"),
        ("1 + sine(x)", 5, "there is no function 'sine'; did you mean 'sin'?"),
        ("ln(x)", 1, "there is no function 'ln'"),
        ("x < y", 1, "a comparison may stand only first in where(condition, a, b)"),
        ("where(1, x < y, 2)", 7, "where needs one comparison first"),
        ("where(x < y, x < y, 2)", 14, "a comparison may stand only first in where"),
        ("where(x < y < z, 1, 2)", 7, "where needs one comparison first, with one of != < <= == > >="),
        ("where(x in y, 1, 2)", 7, "where needs one comparison first"),
        ("where(not x < y, 1, 2)", 7, "where needs one comparison first"),
        ("x + 1/0", 5, "division by zero"),
        ("x/(1 - 1)", 1, "division by zero"),
        ("0**-1", 1, "division by zero"),
        ("x + 1e999", 5, "'1e999' is outside the range of a double"),
        ("1e-999", 1, "outside the range of a double"),
        ("1.7976931348623158e308", 1, "outside the range of a double"),
        ("1e99999", 1, "'1e99999' is not a decimal number"),
        ("0x10", 1, "'0x10' is not a decimal number"),
        ("1_000", 1, "'1_000' is not a decimal number"),
        ("x*1j", 3, "1j is not a number"),
        ("'x'", 1, "is not a number"),
        ("True", 1, "True is not a number"),
        ("x + é", 5, "the character 'é' is not allowed"),
        ("x − y", 3, "the character '−' is not allowed"),
        ("x*²", 3, "the character '²' is not allowed"),
        ("x # + y", 3, "the character '#' is not allowed"),
        ("x\x00", 2, "is not allowed"),
        ("sin(x, y)", 1, "sin takes 1 argument, not 2"),
        ("sin()", 1, "sin takes 1 argument, not 0"),
        ("atan2(x)", 1, "atan2 takes 2 arguments, not 1"),
        ("where(x < y, 1)", 1, "where takes 3 arguments, not 2"),
        ("max(x)", 1, "max takes two or more arguments, not 1"),
        ("sin(x=1)", 1, "sin takes plain arguments only"),
        ("min(*x)", 1, "min takes plain arguments only"),
        ("2*sin", 3, "the function 'sin' needs its arguments in parentheses"),
        ("(x + y", 1, "the parentheses do not match"),
        ("x + y)", 6, "the parentheses do not match"),
        ("x = y", None, "an expression has no '='"),
        ("x +", None, "this is not an expression"),
        ("x y", None, "this is not an expression"),
        ("x[0]", 1, "an index is written x[i], x[i + 1], x[i - 1] or x[1], counted from 1"),
        ("x[1 + i]", 1, "an index is written x[i], x[i + 1], x[i - 1] or x[1], counted from 1"),
        ("x[i + 1.5]", 7, "'1.5' is not a whole number of at most 6 digits, as an index wants"),
        ("(" * 250 + "x" + ")" * 250, 201, "an expression is nested too deeply"),
        ("-" * 500 + "x", None, f"an expression is nested more than {MAX_DEPTH} deep"),
        ("+".join("x" * 500), None, f"an expression is nested more than {MAX_DEPTH} deep"),
        ("-" * 15_000 + "x", 1, "an expression is nested too deeply"),
        ("x" * 30_000, 1, "an expression may have 20000 characters, not 30000"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_column(text: str, column: int | None, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert f"(column {caught.value.column} of " in str(caught.value)
    assert column is None or caught.value.column == column


@pytest.mark.parametrize(
    "text",
    ["10**10**10", "9**9**9**9", "2**1000**2", "(1/3)**999999", "1.1**1000", "2**-99999999999", "9999**999**-9"],
)  # fmt: skip
def test_huge_powers_are_left_alone(text: str) -> None:
    # Folded, these would have up to 10**10 digits: that this test ends is the claim.
    assert isinstance(parse(text), Apply)


def test_a_tree_at_the_limit_of_depth_can_be_walked_formatted_evaluated_and_compiled() -> None:
    tree = parse("+".join("x" * (MAX_DEPTH + 1)))
    assert find_names(tree) == {"x"}
    assert evaluate(tree, {"x": 1.0}) == MAX_DEPTH + 1
    assert compile_field(tree, ("x",))(np.ones((1, 1)))[0] == MAX_DEPTH + 1
    assert format_expression(tree).count("x") == MAX_DEPTH + 1
    with pytest.raises(ExpressionError, match="nested more than"):
        parse("+".join("x" * (MAX_DEPTH + 2)))


@settings(FIXED, max_examples=500)
@given(text=st.text(alphabet="0123456789.eE+-_ xj", max_size=15))
def test_parse_number_takes_decimals_and_nothing_else(text: str) -> None:
    try:
        number = parse_number(text)
    except ValueError:
        return
    assert re.fullmatch(r"[0-9.]+([eE][+-]?[0-9]+)?", text)
    assert number == Number(Fraction(text))


def test_names_are_found_without_constants() -> None:
    assert find_names(parse("x*pi + e**t + where(y > 0, 1, sin(z))")) == {"x", "y", "z", "t"}
    assert walk(parse("x + 2*y"), lambda _: 0, lambda _: 1, lambda _, counts: sum(counts)) == 2


def test_a_name_is_no_function_constant_or_keyword() -> None:
    assert all(is_name(text) for text in ("x", "_", "x_1", "Theta", "lam"))
    assert not any(is_name(text) for text in ("", "1x", "x-1", "é", "lambda", "t", "pi", "e", "sin", "where", "x\n", "if"))


def test_the_balls_of_this_file_enclose_what_they_should() -> None:
    # The judge is judged: a wrong formula must be caught, at a tolerance of a few ulp and not of a few per cent.
    truths = find_truth("sin(x)*exp(y)/(1 + z**2)")
    x, y, z = POINTS.T
    right = np.sin(x) * np.exp(y) / (1 + z**2)
    assert _hold_against_truth(right, truths, "") == len(POINTS)
    with pytest.raises(AssertionError, match="too far"):
        _hold_against_truth(right * (1 + 1e-13), truths, "")
    assert mpmath.mp.dps == 50
