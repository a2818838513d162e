"""`optimize: calibrate`: what is known of a record, and what is sought."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.base import Count, Formula, Name, Real, Settings, fail, positive
from phaseflow.settings.bounds import Bounded
from phaseflow.settings.systems import System


class Estimated(Bounded):
    """A parameter or an initial value to calibrate."""

    start: Real | None = Field(None, description="where the first search begins (default: the middle of the bounds)")
    scale: Literal["linear", "log"] = Field(
        "linear", description="the scale on which the search moves and random starts are even; log: for a quantity above 0"
    )

    @model_validator(mode="after")
    def _check_order(self) -> Estimated:
        self.check_start(self.start)
        if self.start is None and not all(map(math.isfinite, self.bounds)):
            raise fail("give a start, or both a lower and an upper bound: the search then begins in their middle")
        if self.scale == "log" and not all(q.value > 0 for q in (self.start, self.lower, self.upper) if q is not None):
            raise fail("scale: log needs a start and bounds greater than 0")
        return self

    @property
    def first(self) -> float:
        """Where the first search begins."""
        if self.start is not None:
            return self.start.value
        lower, upper = self.bounds
        return math.sqrt(lower * upper) if self.scale == "log" else lower + (upper - lower) / 2


class Span(Settings):
    """A part of a record, both ends included."""

    start: Real | None = Field(None, description="the first time that is used")
    stop: Real | None = Field(None, description="the last time that is used")


class Calibrate(Settings):
    """Parameters of a system from data."""

    to: str = Field(description="the data: `data.<name>` or `simulate.<name>`")
    system: Name | System | None = Field(None, description="the system whose parameters are sought; that of the scenario where `to` is one")
    time: str | None = Field(None, description="the column of times, where `to` is a table")
    observe: dict[str, Formula] = Field(
        min_length=1, description="for each column of the data, the expression of the states that it observes"
    )
    times: Span | None = Field(None, description="the part of the record that is used")
    error: Literal["normal", "lognormal"] = Field(
        "normal",
        description="normal: least squares, each column in units of its own standard deviation; "
        "lognormal: greatest likelihood, one size a column",
    )
    parameters: dict[Name, Estimated] = Field({}, description="the parameters sought")
    initial: dict[Name, Estimated] = Field({}, description="the initial values sought; they hold at the first time of the record")
    tolerance: Annotated[Real, AfterValidator(positive)] = Field(
        Quantity.parse("1e-12"), description="the error allowed in one step of the integration, relative to the state"
    )
    max_steps: Count = Field(100_000, ge=1, description="an integration that needs more steps counts as failed")

    @property
    def sought(self) -> dict[str, Estimated]:
        """What is sought by column: parameters by name, initial values by `<state>_0`."""
        return dict(self.parameters) | {f"{state}_0": estimated for state, estimated in self.initial.items()}

    @property
    def definition(self) -> System:
        """The system of a resolved study.

        Raises
        ------
        TypeError : the study is not resolved.
        """
        if not isinstance(self.system, System):
            raise TypeError(f"the system {self.system!r} is not written out: resolve the study first")
        return self.system
