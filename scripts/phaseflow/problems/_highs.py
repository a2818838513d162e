"""A linear or mixed-integer program by HiGHS, in floating point. Source: Huangfu and Hall (2018), Math. Program. Comput. 10, 119-142."""

from __future__ import annotations

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
    status : converged, stopped, or failed where there is no point.
    point, prices : shapes (n_variables,) and (n_constraints,); prices are 0 where there are none.
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
    method : highs, highs-ds (dual simplex) or highs-ipm (interior point, then crossover).
    """
    n = len(program.unknowns)
    low, high = to_doubles(program.lower, -np.inf), to_doubles(program.upper, np.inf)
    rows = _gather_rows(program)
    is_equal = low[n:] == high[n:]
    above, below = np.isfinite(high[n:]) & ~is_equal, np.isfinite(low[n:]) & ~is_equal
    options: dict[str, Any] = {"mip_rel_gap": 0.0} if program.has_integers else {}
    if time_limit is not None:
        options["time_limit"] = time_limit
    result = scipy.optimize.linprog(
        np.array([to_double(c) for c in program.cost]),
        A_ub=scipy.sparse.vstack([rows[above], -rows[below]]),
        b_ub=np.concatenate([high[n:][above], -low[n:][below]]),
        A_eq=rows[is_equal],
        b_eq=low[n:][is_equal],
        bounds=np.stack([low[:n], high[:n]], axis=1),
        method=method,
        integrality=[int(unknown.is_integer) for unknown in program.unknowns] if program.has_integers else None,
        options=options,
    )
    message, prices = " ".join(str(result.message).split()), np.zeros(len(program.constraints))
    if result.status not in (_SOLVED, _LIMIT) or result.x is None:
        return Answer("failed", message, np.full(n, np.nan), prices)
    status = "converged" if result.status == _SOLVED else "stopped"
    if program.has_integers:
        return Answer(status, message, np.asarray(result.x), prices, float(result.mip_dual_bound))
    marginals, n_above = np.asarray(result.ineqlin.marginals), int(above.sum())
    prices[is_equal] = result.eqlin.marginals
    prices[above] += marginals[:n_above]
    prices[below] -= marginals[n_above:]
    return Answer(status, message, np.asarray(result.x), prices)


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
    reduced = np.array([to_double(c) for c in program.cost]) - rows.T @ answer.prices
    values, prices = np.concatenate([answer.point, rows @ answer.point]), np.concatenate([reduced, answer.prices])
    gaps = np.minimum(np.abs(values - to_doubles(program.lower, -np.inf)), np.abs(values - to_doubles(program.upper, np.inf)))
    free = np.isinf(gaps)
    products = np.where(free, np.abs(prices), np.abs(prices) * np.where(free, 0, gaps))
    return float(products.max(initial=0.0)) if n else 0.0
