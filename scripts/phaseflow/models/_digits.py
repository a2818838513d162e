"""From a ball that holds the exact value to the double that is printed, and how many of its digits are right."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flint import arb, fmpq

Ball = Any

# A double carries no more digits than these.
MOST_DIGITS = 17
# A ball this sharp leaves no doubt which double is nearest, but for ties.
_SHARP_BITS = 64
# Below half of the least double, 0 is the nearest.
_LEAST_EXPONENT = -1_075


def round_to_double(ball: Ball) -> float:
    """Return the double next to a ball's middle, which next to a sharp ball's exact value it is too; 0 where that is not excluded."""
    if not ball.is_finite() or ball.contains(0):
        return 0.0 if ball.is_finite() else float("nan")
    mantissa, exponent = (int(part) for part in ball.mid().man_exp())
    value = Fraction(mantissa << exponent) if exponent >= 0 else Fraction(mantissa, 1 << -exponent)
    try:
        return value.numerator / value.denominator
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def is_sharp(ball: Ball) -> bool:
    """Tell whether a ball determines the double to print: relative to its value, or as a zero."""
    if not ball.is_finite():
        return False
    return bool(ball.is_exact() or ball.rel_accuracy_bits() >= _SHARP_BITS or abs(ball) < arb(2) ** _LEAST_EXPONENT)


def find_root(square: Ball) -> Ball:
    """Return the square root of what cannot be below zero, though its ball may reach there."""
    return square.sqrt() if square > 0 or square.is_exact() else arb(0).union(square.upper().sqrt())


def count_digits(printed: float, ball: Ball) -> int:
    """Return how many decimal digits of a printed double are proven to be right: the greatest k for which it is off by 10^-k or less.

    The distance is relative to the exact value, and absolute where that may be zero.
    """
    if not ball.is_finite() or printed in (float("inf"), float("-inf")) or printed != printed:
        return 0
    exact = Fraction(printed)
    distance = abs(ball - arb(fmpq(exact.numerator, exact.denominator)))
    size = arb(1) if ball.contains(0) else abs(ball)
    return next((digits for digits in range(MOST_DIGITS, 0, -1) if distance * arb(10) ** digits <= size), 0)
