"""A linear or mixed-integer program by HiGHS, in floating point. Source: Huangfu and Hall (2018), Math. Program. Comput. 10, 119-142."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse
from numpy.typing import NDArray

from phaseflow.problems._linear_program import LinearProgram, to_double
from phaseflow.problems._start_basis import to_doubles

Array = NDArray[np.float64]

# linprog's own numbers of what may happen; HiGHS cannot always tell an infeasible program from one that is unbounded.
_SOLVED, _LIMIT = 0, 1


@dataclass(frozen=True)
class Answer:
    """What HiGHS answers.

    Attributes
    ----------
    status : converged, stopped (by a limit, maybe without a point), or failed.
    point, prices : shapes (n_variables,) and (n_constraints,); NaN where there is no point, 0 where there are no prices.
    bound : no point costs less, says the solver in floating point; minus infinity where it says nothing.
    """

    status: str
    message: str
    point: Array
    prices: Array
    bound: float = -np.inf


def solve(program: LinearProgram, method: str, time_limit: float | None = None) -> Answer:
    """Solve a program in floating point; one with integers until the gap is closed.

    Parameters
    ----------
    method : highs, highs-ds (dual simplex) or highs-ipm (interior point, then crossover); highs alone for integers.
    """
    limits = {} if time_limit is None else {"time_limit": time_limit}
    return _solve_integers(program, limits) if program.has_integers else _solve_reals(program, method, limits)


def _solve_integers(program: LinearProgram, limits: Mapping[str, float]) -> Answer:
    n = len(program.unknowns)
    low, high = to_doubles(program.lower, -np.inf), to_doubles(program.upper, np.inf)
    result = scipy.optimize.milp(
        _list_costs(program),
        integrality=[int(unknown.is_integer) for unknown in program.unknowns],
        bounds=scipy.optimize.Bounds(low[:n], high[:n]),
        constraints=scipy.optimize.LinearConstraint(_gather_rows(program), low[n:], high[n:]),
        options={"mip_rel_gap": 0.0, **limits},
    )
    bound = -np.inf if result.mip_dual_bound is None else float(result.mip_dual_bound)
    return _read(program, result, np.zeros(len(program.constraints)), bound)


def _solve_reals(program: LinearProgram, method: str, limits: Mapping[str, float]) -> Answer:
    n, rows, prices = len(program.unknowns), _gather_rows(program), np.zeros(len(program.constraints))
    low, high = to_doubles(program.lower, -np.inf), to_doubles(program.upper, np.inf)
    is_equal = low[n:] == high[n:]
    above, below = np.isfinite(high[n:]) & ~is_equal, np.isfinite(low[n:]) & ~is_equal
    result = scipy.optimize.linprog(
        _list_costs(program),
        A_ub=scipy.sparse.vstack([rows[above], -rows[below]]),
        b_ub=np.concatenate([high[n:][above], -low[n:][below]]),
        A_eq=rows[is_equal],
        b_eq=low[n:][is_equal],
        bounds=np.stack([low[:n], high[:n]], axis=1),
        method=method,
        options=dict(limits),
    )
    if result.x is not None:
        prices[is_equal] = result.eqlin.marginals
        prices[above] += result.ineqlin.marginals[: above.sum()]
        prices[below] -= result.ineqlin.marginals[above.sum() :]
    return _read(program, result, prices, -np.inf)


def _read(program: LinearProgram, result: Any, prices: Array, bound: float) -> Answer:
    """Return the answer that a result of scipy holds."""
    message = " ".join(str(result.message).split())
    if result.status not in (_SOLVED, _LIMIT) or result.x is None:
        status = "stopped" if result.status == _LIMIT else "failed"
        return Answer(status, message, np.full(len(program.unknowns), np.nan), np.zeros(len(program.constraints)))
    return Answer("converged" if result.status == _SOLVED else "stopped", message, np.asarray(result.x), prices, bound)


def _list_costs(program: LinearProgram) -> Array:
    return np.array([to_double(cost) for cost in program.cost])


def _gather_rows(program: LinearProgram) -> scipy.sparse.csr_array:
    places = [(i, j, to_double(c)) for i, row in enumerate(program.constraints) for j, c in row.terms.items()]
    rows, columns, values = (np.array(part) for part in zip(*places, strict=True)) if places else (np.empty(0, int),) * 3
    shape = (len(program.constraints), len(program.unknowns))
    return scipy.sparse.csr_array((values, (rows, columns)), shape=shape, dtype=np.float64)


def measure_violation(program: LinearProgram, point: Array) -> float:
    """Return by how much a point leaves its bounds or violates a constraint at most, beyond what rounding can do to a sum."""
    n = len(program.unknowns)
    rows = _gather_rows(program)
    values = np.concatenate([point, rows @ point])
    rounding = np.concatenate([np.zeros(n), (np.diff(rows.indptr) + 1) * (abs(rows) @ np.abs(point)) * np.finfo(np.float64).eps / 2])
    outside = np.maximum(to_doubles(program.lower, -np.inf) - values, values - to_doubles(program.upper, np.inf))
    return max(float((outside - rounding).max()), 0.0)


def measure_residual(program: LinearProgram, answer: Answer) -> float:
    """Return the largest violation of complementary slackness: of a price by what is left over, of a reduced cost by the variable."""
    n, rows = len(program.unknowns), _gather_rows(program)
    reduced = _list_costs(program) - rows.T @ answer.prices
    values, prices = np.concatenate([answer.point, rows @ answer.point]), np.concatenate([reduced, answer.prices])
    gaps = np.minimum(np.abs(values - to_doubles(program.lower, -np.inf)), np.abs(values - to_doubles(program.upper, np.inf)))
    free = np.isinf(gaps)
    products = np.where(free, np.abs(prices), np.abs(prices) * np.where(free, 0, gaps))
    return float(products.max(initial=0.0)) if n else 0.0
