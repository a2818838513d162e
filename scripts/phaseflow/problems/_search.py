"""Run one algorithm of optimagic from one start, and keep every evaluation."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import nlopt
import numpy as np
import optimagic
import scipy.optimize
from numpy.typing import NDArray
from optimagic.exceptions import OptimagicError
from optimagic.optimizers.scipy_optimizers import process_scipy_result
from optimagic.typing import AggregationLevel

from phaseflow.catalogues import read_algorithms

Array = NDArray[np.float64]

# What an algorithm may raise on a hard problem; the trial then says so instead of ending the run.
_FAILURES = (
    OptimagicError,
    nlopt.RoundoffLimited,
    nlopt.ForcedStop,
    nlopt.exception,
    ArithmeticError,
    ValueError,
    RuntimeError,
    np.linalg.LinAlgError,
    # Careful: nlopt's direct calls the function again while an exception is on its way, which Python reports as this.
    SystemError,
)
_SEEDS = 2**31 - 1
# The most points of a grid where no budget says so.
_LARGEST_GRID = 1_000_000
# After so many seconds a run says in the log how far it is.
_SILENCE_S = 10.0
# optimagic's names for the tolerances and the limits of algorithms.
_TOLERANCES = frozenset(f"convergence_{what}_{how}" for what in ("ftol", "xtol", "gtol") for how in ("abs", "rel"))
_LIMITS = frozenset({"stopping_maxfun", "stopping_maxiter"})
# The step of a forward difference, relative to max(1, |x|): the square root of the rounding error balances rounding and curvature.
_STEP = float(np.sqrt(np.finfo(np.float64).eps))


@dataclass(frozen=True)
class Objective:
    """What is minimised, as functions of a point.

    Attributes
    ----------
    value, gradient, hessian : exact up to rounding; a value may be NaN or infinite. An algorithm is then given a large finite
        one, growing with the distance from its start, so that it turns back; the record keeps what it was.
    residuals, jacobian : where the value is a sum of squares, its single terms; shapes (n,) and (n, n_variables).
    """

    value: Callable[[Array], float]
    gradient: Callable[[Array], Array]
    hessian: Callable[[Array], Array] | None = None
    residuals: Callable[[Array], Array] | None = None
    jacobian: Callable[[Array], Array] | None = None


class Constraints(Protocol):
    """What must hold besides the bounds."""

    def list_for_optimagic(self) -> list[Any]:
        """Return the constraints as optimagic takes them."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How a run ended: converged, stopped or failed, with the algorithm's answer and its own words."""

    status: str
    point: Array
    message: str


@dataclass
class Run:
    """One run of an algorithm: what it asked for, in its order.

    Attributes
    ----------
    tolerance, budget : what is told to the algorithm in place of its own tolerances and limits, each where it knows such an option.
    conditions : what must hold besides the bounds.
    by_differences : the algorithm's gradients are forward differences, each value that they take counted, instead of exact.
    """

    objective: Objective
    start: Array
    lower: Array
    upper: Array
    tolerance: float | None = None
    conditions: Constraints | None = None
    by_differences: bool = False
    budget: int | None = None
    values: list[float] = field(default_factory=list)
    points: list[Array] = field(default_factory=list)
    gradients: int = 0
    hessians: int = 0
    reported: float = field(default_factory=time.monotonic)

    def run(self, algorithm: str, random: np.random.Generator) -> Outcome:
        """Run an algorithm by its name; its random numbers come from the trial's own."""
        # Careful: nlopt has one generator for all; it is set anew before each run, so no run depends on another.
        nlopt.srand(int(random.integers(1, _SEEDS)))
        if not read_algorithms()[algorithm].is_global and not np.isfinite(value := self.objective.value(self.start)):
            self._keep(value, self.start)
            return Outcome("failed", self.find_best(), f"there is no finite value at the start, where it is {value}")
        is_bounded = bool(np.isfinite([self.lower, self.upper]).any())
        is_squares = read_algorithms()[algorithm].least_squares
        mark = optimagic.mark.least_squares if is_squares else optimagic.mark.scalar
        slopes = mark(lambda point: self._count_jacobian(point) if is_squares else self._count_gradient(point))
        try:
            # What an algorithm warns of is seen in its answer; what it raises must not depend on how warnings are treated.
            with warnings.catch_warnings(action="ignore"):
                result = optimagic.minimize(
                    mark(lambda point: self._count_residuals(point) if is_squares else self._count_value(point)),
                    params=self.start,
                    algorithm=self._choose(algorithm, random),
                    jac=slopes if read_algorithms()[algorithm].gradient else None,
                    bounds=optimagic.Bounds(lower=self.lower, upper=self.upper) if is_bounded else None,
                    constraints=self.conditions.list_for_optimagic() if self.conditions else None,
                )
        except _FAILURES as error:
            reason = str(error).strip().splitlines()[-1] if str(error).strip() else "no reason given"
            return Outcome("failed", self.find_best(), f"{type(error).__name__}: {reason}")
        status = "converged" if result.success else "stopped"
        return Outcome(status, np.asarray(result.params, dtype=np.float64), " ".join(str(result.message or "").split()))

    def find_best(self) -> Array:
        """Return the point of the least value seen; NaN where none was finite."""
        values = np.array(self.values)
        if not np.isfinite(values).any():
            return np.full(len(self.start), np.nan)
        return self.points[int(np.nanargmin(np.where(np.isfinite(values), values, np.nan)))]

    def _choose(self, name: str, random: np.random.Generator) -> Any:
        if read_algorithms()[name].hessian:
            algorithm = SECOND_ORDER[name](hessian=self._count_hessian)
        else:
            algorithm = optimagic.algorithms.AVAILABLE_ALGORITHMS[name]()
        algorithm = algorithm.with_option(**self._list_options(algorithm))
        is_seeded = "seed" in algorithm.__dataclass_fields__
        return algorithm.with_option(seed=int(random.integers(1, _SEEDS))) if is_seeded else algorithm

    def _list_options(self, algorithm: Any) -> dict[str, Any]:
        """Return the options of an algorithm that say when it stops."""
        known = algorithm.__dataclass_fields__
        options: dict[str, Any] = {} if self.tolerance is None else dict.fromkeys(_TOLERANCES & set(known), self.tolerance)
        if "n_grid_points" in known:
            options["n_grid_points"] = self._count_grid_points(algorithm.n_grid_points)
        return options if self.budget is None else options | dict.fromkeys(_LIMITS & set(known), self.budget)

    def _count_grid_points(self, most: int) -> int:
        """Return how many points a variable a grid may have, so that all of them can be paid for.

        Raises
        ------
        ValueError : not even two.
        """
        points, n = self.budget or _LARGEST_GRID, len(self.start)
        # Careful: a power of a double may round to just below a whole number.
        count = max(k for k in range(1, most + 1) if k**n <= points)
        if count < 2:
            raise ValueError(f"a grid of two points a variable has 2**{n} points, which are more than {points}")
        return count

    def _keep(self, value: float, point: Array) -> None:
        self.values.append(value)
        self.points.append(np.array(point))
        if time.monotonic() > self.reported + _SILENCE_S:
            self._report()

    def _report(self) -> None:
        """Print to the job's log how far a long run has come; nothing but the log depends on when that is."""
        best = np.fmin.reduce(self.values)
        print(f"  {len(self.values)} calls of the function so far, best value {best:.10g}", flush=True)
        self.reported = time.monotonic()

    def _count_value(self, point: Array) -> float:
        value = self.objective.value(point)
        self._keep(value, point)
        return value if np.isfinite(value) else self._turn_back(point)[0]

    def _count_gradient(self, point: Array) -> Array:
        if self.by_differences:
            return self._take_differences(point)
        self.gradients += 1
        gradient = self.objective.gradient(point)
        return gradient if np.isfinite(gradient).all() else self._turn_back(point)[1]

    def _count_hessian(self, point: Array) -> Array:
        self.hessians += 1
        if self.objective.hessian is None:
            raise TypeError("the objective has no second derivatives")
        return self.objective.hessian(point)

    def _take_differences(self, point: Array) -> Array:
        """Return the gradient by forward differences, backward ones at an upper bound; every value is counted and kept.

        Source: Nocedal and Wright (2006), Numerical Optimization, sec. 8.1.
        """
        is_known = bool(self.points) and np.array_equal(self.points[-1], point) and np.isfinite(self.values[-1])
        here = self.values[-1] if is_known else self._count_value(point)
        steps = _STEP * np.maximum(1, np.abs(point))
        steps = np.where(point + steps > self.upper, -steps, steps)
        slopes = np.empty(len(point))
        for place, step in enumerate(steps):
            shifted = np.array(point)
            shifted[place] += step
            slopes[place] = (self._count_value(shifted) - here) / (shifted[place] - point[place])
        return slopes

    def _count_residuals(self, point: Array) -> Array:
        residuals = self._residuals(point)
        value = float(residuals @ residuals)
        self._keep(value if np.isfinite(value) else np.inf, point)
        if np.isfinite(value):
            return residuals
        height = self._turn_back(point)[0]
        return np.full(len(residuals), np.sqrt(height / len(residuals)), dtype=np.float64)

    def _count_jacobian(self, point: Array) -> Array:
        self.gradients += 1
        if self.objective.jacobian is None:
            raise TypeError("the objective is no sum of squares")
        jacobian: Array = self.objective.jacobian(point)
        if np.isfinite(jacobian).all():
            return jacobian
        value, gradient = self._turn_back(point)
        turned: Array = np.tile(gradient / (2 * np.sqrt(value * len(jacobian))), (len(jacobian), 1))
        return turned

    def _residuals(self, point: Array) -> Array:
        if self.objective.residuals is None:
            raise TypeError("the objective is no sum of squares")
        return self.objective.residuals(point)

    def _turn_back(self, point: Array) -> tuple[float, Array]:
        """Return a value above the first one, and its gradient, which points away from the start."""
        first = abs(self.values[0]) if self.values and np.isfinite(self.values[0]) else 1.0
        away = point - self.start
        distance = float(np.linalg.norm(away))
        scale = 10 * max(1.0, first)
        return scale * (1 + distance), scale * away / (distance or 1.0)


def list_tolerances(name: str) -> list[str]:
    """Return optimagic's names of the tolerances that an algorithm has."""
    known = (SECOND_ORDER | optimagic.algorithms.AVAILABLE_ALGORITHMS)[name].__dataclass_fields__
    return sorted(_TOLERANCES & set(known))


def draw_start(random: np.random.Generator, number: int, start: Array, lower: Array, upper: Array) -> Array:
    """Return the start of a number: 0 is the given one, the others are random.

    Random starts are uniform between finite bounds, else normal about the given start, kept within the bounds.
    """
    if number == 0:
        return start
    n = len(start)
    uniform, normal = random.random((number, n))[-1], random.standard_normal((number, n))[-1]
    is_box = np.isfinite(lower) & np.isfinite(upper)
    width = np.where(is_box, upper - np.where(is_box, lower, 0), 0)
    inside = np.where(is_box, lower, 0) + uniform * width
    about = start + normal * np.maximum(1, np.abs(start))
    drawn: Array = np.clip(np.where(is_box, inside, about), lower, upper)
    return drawn


def measure_stationarity(point: Array, gradient: Array, lower: Array, upper: Array) -> float:
    """Return the length of the projected gradient step, the largest of its parts: 0 at a point that satisfies the KKT conditions.

    Source: Conn, Gould and Toint (1988), Math. Comp. 50, 399-430, eq. 2.2.
    """
    return float(np.abs(np.clip(point - gradient, lower, upper) - point).max())


def _make_second_order(name: str, method: str) -> Any:
    """Return an algorithm of scipy that uses the exact Hessian, which optimagic itself does not hand on.

    Source: Conn, Gould and Toint (2000), Trust-region methods, ch. 7.
    """

    @optimagic.mark.minimizer(
        name=name,
        solver_type=AggregationLevel.SCALAR,
        is_available=True,
        is_global=False,
        needs_jac=True,
        needs_hess=True,
        needs_bounds=False,
        supports_parallelism=False,
        supports_bounds=False,
        supports_infinite_bounds=False,
        supports_linear_constraints=False,
        supports_nonlinear_constraints=False,
        disable_history=False,
    )
    @dataclass(frozen=True)
    class SecondOrder(optimagic.optimization.algorithm.Algorithm):  # type: ignore[misc]
        hessian: Any = None
        # scipy's own default.
        convergence_gtol_abs: float = 1e-4

        def _solve_internal_problem(self, problem: Any, x0: Array) -> Any:
            options = {"gtol": self.convergence_gtol_abs}
            raw = scipy.optimize.minimize(problem.fun, x0, method=method, jac=problem.jac, hess=self.hessian, options=options)
            return process_scipy_result(raw)

    return SecondOrder


SECOND_ORDER: dict[str, Any] = {
    "scipy_trust_exact": _make_second_order("scipy_trust_exact", "trust-exact"),
    "scipy_trust_krylov": _make_second_order("scipy_trust_krylov", "trust-krylov"),
    "scipy_trust_ncg": _make_second_order("scipy_trust_ncg", "trust-ncg"),
}
