"""Solve a linear or mixed-integer program by HiGHS, and prove its answer: a linear one in exact arithmetic, prices included."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from phaseflow.expressions.rationals import Rational, to_fraction
from phaseflow.kinds.program import METHODS
from phaseflow.problems import NO_CERTIFICATE, Certificate, Problem, Solution
from phaseflow.problems._elastic import explain
from phaseflow.problems._exact_optimum import Optimum, find_optimum, find_prices, fix_integers
from phaseflow.problems._highs import Answer, measure_residual, measure_violation, solve
from phaseflow.problems._linear_program import LinearProgram, to_double
from phaseflow.problems._planning import Numbers, choose_translation, read_numbers
from phaseflow.problems._simplex import Basis
from phaseflow.settings.studies import Study


@dataclass(frozen=True)
class _Found:
    """An answer: the values of the program's variables, exact where `is_exact`, and what is known of it."""

    status: str
    message: str
    value: float
    point: Sequence[Any]
    evidence: Mapping[str, float]
    certificate: Certificate


class Planner:
    """Solves the trials of a program."""

    def __init__(self, study: Study, _tables: Mapping[str, Path]) -> None:
        program = study.planned
        self.statement, self.translation = program.statement, choose_translation(program.statement)
        self.is_maximum = program.is_maximum
        self.time_limit = None if program.time_limit_s is None else program.time_limit_s.value
        self.n_columns = len(self.statement.list_columns())

    def __call__(self, trial: Mapping[str, Any], random: np.random.Generator) -> Solution:  # noqa: ARG002 - nothing here is drawn
        """Solve one program."""
        numbers = read_numbers(self.statement, trial)
        try:
            program = self.translation.translate(numbers)
        except ValueError as error:
            return self._give_up("failed", str(error), "")
        answer = solve(program, METHODS[trial["algorithm"]], self.time_limit)
        if answer.status == "failed":
            return self._explain(program, answer.message, numbers)
        if np.isnan(answer.point).any():
            return self._give_up(self._name_limit(answer.status), answer.message, "a limit was met before there was an answer")
        if program.has_integers:
            return self._report(self._weigh_integers(program, answer), numbers)
        optimum = find_optimum(program, answer.point, answer.prices)
        if optimum.status in ("infeasible", "unbounded"):
            return self._explain(program, answer.message, numbers)
        found = self._weigh(program, answer, optimum.reason) if optimum.basis is None else self._certify(program, optimum, optimum.basis)
        return self._report(found, numbers)

    def _explain(self, program: LinearProgram, message: str, numbers: Numbers) -> Solution:
        """Say why there is no answer; where exact arithmetic finds one that the solver's tolerances hid, return it."""
        diagnosis = explain(program, message)
        if diagnosis.optimum is not None and diagnosis.optimum.basis is not None:
            return self._report(self._certify(program, diagnosis.optimum, diagnosis.optimum.basis), numbers)
        return self._give_up(diagnosis.status, diagnosis.message, diagnosis.reason)

    def _certify(self, program: LinearProgram, optimum: Optimum, basis: Basis) -> _Found:
        """Return the exact optimum of a linear program with its prices."""
        value = program.find_cost(optimum.point)
        exact = -value if self.is_maximum else value
        double = to_double(exact)
        text = (
            f"the {'greatest' if self.is_maximum else 'least'} value of the numbers as written is {_write(exact)}: a basis and its prices, "
            "checked in exact rational arithmetic"
        )
        prices = find_prices(program, basis)
        sides = [None] * len(program.constraints) if prices is None else [(price.less, price.more) for price in prices]
        plain = [to_double(price) for price in basis.find_prices(program.cost)] if prices is None else None
        evidence = {"gap_proven": _measure_rounding(double, to_fraction(exact)), "kkt_residual": 0.0, "feasibility": 0.0}
        evidence |= self._tabulate_prices(program, sides, plain)
        gap = evidence["gap_proven"]
        point = np.array([to_double(x) for x in optimum.point])
        error = max((_measure_rounding(x, to_fraction(y)) for x, y in zip(point.tolist(), optimum.point, strict=True)), default=0.0)
        certificate = Certificate("exact_optimal", text, gap=gap, scope="global", point=point, value=double, error=error, least=double)
        return _Found("converged", "optimal, exactly", double, optimum.point, evidence, certificate)

    def _tabulate_prices(
        self, program: LinearProgram, sides: Sequence[tuple[float, float] | None], plain: Sequence[float] | None
    ) -> dict[str, float]:
        """Return the columns of prices; where the slopes on both sides differ there is no one price."""
        sign = -1 if self.is_maximum else 1
        columns: dict[str, float] = {}
        for place, constraint in enumerate(program.constraints):
            if plain is not None:
                columns[f"price.{constraint.name}"] = sign * plain[place] + 0.0
            elif (both := sides[place]) is not None:
                less, more = (sign * side + 0.0 for side in both)
                columns |= {f"price_less.{constraint.name}": less, f"price_more.{constraint.name}": more}
                if less == more:
                    columns[f"price.{constraint.name}"] = less
        return columns

    def _weigh(self, program: LinearProgram, answer: Answer, reason: str) -> _Found:
        """Return an answer in floating point, with the solver's prices, of which nothing is proven."""
        value = float(np.dot([to_double(c) for c in program.cost], answer.point)) + to_double(program.constant)
        evidence = {"kkt_residual": measure_residual(program, answer), "feasibility": measure_violation(program, answer.point)}
        evidence |= self._tabulate_prices(program, [], answer.prices.tolist())
        status = self._name_limit(answer.status)
        value = -value if self.is_maximum else value
        return _Found(status, answer.message, value, answer.point.tolist(), evidence, replace(NO_CERTIFICATE, reason=reason))

    def _weigh_integers(self, program: LinearProgram, answer: Answer) -> _Found:
        """Return the answer of a program with integers: these rounded, the rest exact, and the solver's bound."""
        held = fix_integers(program, answer.point.tolist())
        optimum = find_optimum(held, answer.point, answer.prices)
        is_exact = optimum.status == "optimal"
        point = optimum.point if is_exact else answer.point.tolist()
        cost = to_double(program.find_cost(point)) if is_exact else float(np.dot([to_double(c) for c in program.cost], point))
        cost += 0.0 if is_exact else to_double(program.constant)
        bound = answer.bound + to_double(program.constant)
        sign = -1 if self.is_maximum else 1
        evidence = {
            "gap_proven": max(cost - bound, 0.0) if math.isfinite(bound) else math.nan,
            "feasibility": 0.0 if is_exact else measure_violation(program, answer.point),
            "best_bound": sign * bound,
        }
        how = (
            "the point keeps all constraints exactly" if is_exact else f"the point is in floating point: {optimum.reason or optimum.status}"
        )
        reason = f"the bound is the solver's, by branch and bound in floating point; {how}"
        certificate = replace(NO_CERTIFICATE, reason=reason, gap=evidence["gap_proven"], scope="global")
        return _Found(self._name_limit(answer.status), answer.message, sign * cost, point, evidence, certificate)

    def _name_limit(self, status: str) -> str:
        return "time_limit" if status == "stopped" and self.time_limit is not None else status

    def _report(self, found: _Found, numbers: Numbers) -> Solution:
        columns = self.translation.report(found.point, numbers)
        point = np.array([x if isinstance(x, float) else to_double(x) for x in columns]) + 0.0
        nothing = np.empty((0, self.n_columns))
        return Solution(
            found.status, found.value, point, found.message, 0, found.evidence, np.empty(0), nothing, certificate=found.certificate
        )

    def _give_up(self, status: str, message: str, reason: str) -> Solution:
        certificate = replace(NO_CERTIFICATE, reason=reason or "there is no answer")
        nowhere, nothing = np.full(self.n_columns, np.nan), np.empty((0, self.n_columns))
        return Solution(status, np.nan, nowhere, message, 0, {}, np.empty(0), nothing, certificate=certificate)


def _measure_rounding(value: float, exact: Fraction) -> float:
    """Return by how much a double lies off its exact value at most, rounded up."""
    if math.isinf(value):
        return math.inf
    off = abs(Fraction(value) - exact)
    near = float(off)
    return near if Fraction(near) >= off else math.nextafter(near, math.inf)


def _write(value: Rational) -> str:
    """Return a fraction, or its decimals where it is long."""
    text = str(value)
    return text if len(text) <= 60 else f"{to_double(value)!r}, rounded from a fraction of {len(text)} characters"


PROBLEM = Problem(prepare=Planner)
