"""What a benchmark runs: a set of test problems, how derivatives are had, and what ends a trial."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.base import Real, Settings, not_negative, positive


class Benchmark(Settings):
    """A set of test problems, and how algorithms are let loose on it."""

    problems: str = Field(description="the set of test problems")
    derivatives: Literal["exact", "differences"] = Field(
        "exact",
        description="exact, where the set has them: a gradient costs one evaluation, a Hessian as many as there are variables; "
        "differences: of function values, each of which counts",
    )
    tolerance: Annotated[Real, AfterValidator(not_negative)] = Field(
        Quantity.parse("1e-12"),
        description="every tolerance at which an algorithm would stop of itself: tight, so that the budget decides, and not so tight that "
        "rounding keeps an algorithm busy for ever",
    )
    time_limit_s: Annotated[Real, AfterValidator(positive)] | None = Field(
        None,
        description="the most seconds a trial may take, looked at before each evaluation; its status is then time_limit, its row the one "
        "thing that may differ from run to run (default: no limit)",
    )


def read_benchmark(value: Any) -> Any:
    """Read a bare word as the name of the set."""
    return {"problems": value} if isinstance(value, str) else value
