"""The Taylor series of a system's solution, as expressions of its state, its parameters, the time and the step.

Every subexpression is a series, computed once however often it occurs. Its term k has the step to the power k in it, so that a series is
summed by adding and no power of the step is ever formed.

Source: Moore (1966), Interval Analysis, ch. 11; Griewank and Walther (2008), Evaluating Derivatives, ch. 13.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import heyoka as hy

from phaseflow.dynamics.fields import Field
from phaseflow.expressions.compiled import FUNCTIONS, LARGEST_PRODUCT, to_heyoka
from phaseflow.expressions.derivative import differentiate
from phaseflow.expressions.tree import TIME, Apply, Node, Number, Symbol, walk
from phaseflow.settings.systems import System

_ZERO = hy.expression(0.0)
_TERMWISE = frozenset({"+", "-", "neg"})
_PERIODIC = frozenset({"sin", "cos", "tan"})
# Beyond it an angle in double precision has lost its first decimal.
_LARGEST_ANGLE = 1e14


def expand_solution(system: System, vector_field: Field, step: Any, order: int) -> list[list[Any]]:
    """Return for each state the terms of its series, from the state itself to the power `order` of the step.

    Parameters
    ----------
    vector_field : that of the system.
    step : heyoka's expression for the step.
    """
    recursion = _Recursion(vector_field, step)
    slopes = [walk(formula.tree, recursion.number, recursion.symbol, recursion.apply) for formula in system.equations.values()]
    states = [recursion.symbol(state) for state in system.equations]
    recursion.slopes.update(zip(states, slopes, strict=True))
    for power in range(order + 1):
        for series in recursion.series:
            series.terms.append(series.rule(power))
    return [series.terms for series in states]


@dataclass(eq=False)
class Series:
    """A subexpression along the solution.

    Attributes
    ----------
    rule : gives term k, once all series have their terms up to k - 1, and those that this one is made of have term k.
    is_constant : the same at all times.
    exact : its value where it is a number.
    terms : those known so far.
    """

    rule: Callable[[int], Any]
    is_constant: bool = False
    exact: Fraction | None = None
    terms: list[Any] = field(default_factory=list)

    def __getitem__(self, power: int) -> Any:
        return self.terms[power]


class _Recursion:
    """The subexpressions of a system, each once, in an order in which their terms can be computed."""

    def __init__(self, vector_field: Field, step: Any) -> None:
        self.names, self.states, self.step = vector_field.names, vector_field.states, step
        self.series: list[Series] = []
        self.slopes: dict[Series, Series] = {}
        self._known: dict[object, Series] = {}

    def number(self, value: Fraction) -> Series:
        """Return a number as a series."""
        if value not in self._known:
            self._known[value] = self._add_constant(to_heyoka(Number(value), {}), value)
        return self._known[value]

    def symbol(self, name: str) -> Series:
        """Return a state, a parameter, the time or a constant of nature as a series."""
        if name not in self._known:
            self._known[name] = self._add_symbol(name)
        return self._known[name]

    def apply(self, operator: str, arguments: list[Series]) -> Series:
        """Return an operator or function of series as a series."""
        key = (operator, *arguments)
        if key not in self._known:
            self._known[key] = self._make(operator, arguments)
        return self._known[key]

    def _add(self, rule: Callable[[int], Any]) -> Series:
        self.series.append(Series(rule))
        return self.series[-1]

    def _add_constant(self, value: Any, exact: Fraction | None = None) -> Series:
        self.series.append(Series(lambda power: _ZERO if power else value, is_constant=True, exact=exact))
        return self.series[-1]

    def _add_symbol(self, name: str) -> Series:
        value = to_heyoka(Symbol(name), self.names)
        if name == TIME:
            return self._add(lambda power: (value, self.step)[power] if power < 2 else _ZERO)
        if name not in self.states:
            return self._add_constant(value)
        state = self._add(lambda power: self.step * (1 / power) * self.slopes[state][power - 1] if power else value)
        return state

    def _make(self, operator: str, arguments: list[Series]) -> Series:
        if all(argument.is_constant for argument in arguments):
            return self._add_constant(_evaluate(operator, [argument.rule(0) for argument in arguments]))
        if operator in _TERMWISE:
            return self._add(lambda power: FUNCTIONS[operator](*(argument[power] for argument in arguments)))
        makers: dict[str, Callable[..., Series]] = {"*": self._multiply, "/": self._divide, "**": self._raise, "sqrt": self._root}
        return makers[operator](*arguments) if operator in makers else self._compose(operator, arguments)

    def _multiply(self, a: Series, b: Series) -> Series:
        return self._add(lambda power: _square(a, power) if a is b else _convolve(a, b, range(power + 1), power))

    def _divide(self, a: Series, b: Series) -> Series:
        """From q b = a."""

        def rule(power: int) -> Any:
            return (a[power] - _convolve(b, q, range(1, power + 1), power)) * (1.0 / b[0]) if power else a[0] / b[0]

        q = self._add(rule)
        return q

    def _root(self, base: Series) -> Series:
        return self._raise(base, self.number(Fraction(1, 2)))

    def _raise(self, base: Series, exponent: Series) -> Series:
        """Whole powers are products, for which the base may be zero."""
        if exponent.exact is not None and exponent.exact.denominator == 1 and abs(exponent.exact) <= LARGEST_PRODUCT:
            return self._multiply_out(base, int(exponent.exact))
        if not exponent.is_constant:
            return self.apply("exp", [self.apply("*", [exponent, self.apply("log", [base])])])
        return self._raise_to_constant(base, exponent.rule(0))

    def _raise_to_constant(self, base: Series, exponent: Any) -> Series:
        """From p' base = exponent p base'."""

        def rule(power: int) -> Any:
            if power == 0:
                return FUNCTIONS["**"](base[0], exponent)
            weighed = [(exponent * float(power - k) - float(k)) * base[power - k] * p[k] for k in range(power)]
            return hy.sum(weighed) * (1 / power) * (1.0 / base[0])

        p = self._add(rule)
        return p

    def _multiply_out(self, base: Series, power: int) -> Series:
        if power == 0:
            return self.number(Fraction(1))
        if power < 0:
            return self.apply("/", [self.number(Fraction(1)), self._multiply_out(base, -power)])
        if power == 1:
            return base
        half = self._multiply_out(base, power // 2)
        square = self.apply("*", [half, half])
        return self.apply("*", [square, base]) if power % 2 else square

    def _compose(self, function: str, arguments: list[Series]) -> Series:
        """From f' = sum of the partial derivatives of f times the derivatives of its arguments.

        The partial derivatives may be made of f itself: their term k needs no more of it than its terms up to k.
        """
        names = [f"u{place}" for place in range(len(arguments))]
        partial: list[Series] = []

        def rule(power: int) -> Any:
            if power == 0:
                return _evaluate(function, [argument[0] for argument in arguments])
            pairs = zip(arguments, partial, strict=True)
            return hy.sum([float(k) * u[k] * slope[power - k] for u, slope in pairs for k in range(1, power + 1)]) * (1 / power)

        composed = self._known[(function, *arguments)] = self._add(rule)
        call, given = Apply(function, tuple(Symbol(name) for name in names)), dict(zip(names, arguments, strict=True))
        partial.extend(self._translate(differentiate(call, name), given) for name in names)
        return composed

    def _translate(self, tree: Node, given: dict[str, Series]) -> Series:
        return walk(tree, self.number, lambda name: given[name] if name in given else self.symbol(name), self.apply)


def _convolve(a: Series, b: Series, places: range, power: int) -> Any:
    """Return the sum of a[k] b[power - k] over some places k."""
    return hy.sum([a[k] * b[power - k] for k in places])


def _square(a: Series, power: int) -> Any:
    pairs = [2.0 * a[k] * a[power - k] for k in range((power + 1) // 2)]
    return hy.sum([*pairs, a[power // 2] * a[power // 2]] if power % 2 == 0 else pairs)


def _evaluate(operator: str, values: list[Any]) -> Any:
    """Return a function's value.

    Careful: where one angle of a batch is very large or no number, the compiled sine takes another way for all of the batch, which
    changes last digits of the others. So such an angle is kept from it, and the answer is no number.
    """
    if operator not in _PERIODIC:
        return FUNCTIONS[operator](*values)
    is_known = hy.lt(values[0] * values[0], hy.expression(_LARGEST_ANGLE**2))
    return hy.select(is_known, FUNCTIONS[operator](hy.select(is_known, values[0], _ZERO)), hy.expression(float("nan")))
