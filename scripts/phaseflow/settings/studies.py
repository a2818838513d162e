"""`optimize`: what is minimised, calibrated, planned or compared, and by which algorithms."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from phaseflow.errors import KeyPath, Mistake
from phaseflow.expressions.quantity import Expression
from phaseflow.settings.base import PLANNED, Count, Formula, Name, Real, Settings, fail
from phaseflow.settings.sweeps import Sweep

KINDS = ("minimize", "calibrate", "program", "benchmark")
# What is said of every answer, where it can be (the columns of the table of trials).
EVIDENCE = ("gap_proven", "gap_known", "gap_best_seen", "kkt_residual", "gradient_error", "feasibility")
_CHUNK = 200
_RESERVED_COLUMNS = frozenset(
    {"trial", "start", "algorithm", "status", "value", "evaluations", "gradients", "message"}
    | {"certificate", "feasibility", "evaluation", "best"}
)


class Variable(Settings):
    """A variable: where the search begins, and the bounds of where it may go."""

    start: Real = Field(description="where the first search begins")
    lower: Real | None = Field(None, description="the least value allowed")
    upper: Real | None = Field(None, description="the greatest value allowed")

    @model_validator(mode="after")
    def _check_order(self) -> Variable:
        lower, upper = self.bounds
        if not lower < upper:
            raise fail(f"the lower bound {lower:g} must be less than the upper bound {upper:g}")
        if not lower <= self.start.value <= upper:
            raise fail(f"the start {self.start.text} is outside the bounds {lower:g} .. {upper:g}")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """The bounds as doubles, infinite where there are none."""
        return (
            self.lower.value if self.lower is not None else float("-inf"),
            self.upper.value if self.upper is not None else float("inf"),
        )


class Estimated(Settings):
    """A parameter to calibrate."""

    start: Real | None = Field(None, description="where the search begins")
    lower: Real | None = Field(None, description="the least value allowed")
    upper: Real | None = Field(None, description="the greatest value allowed")
    scale: Literal["linear", "log"] = Field("linear", description="the scale on which the search moves")


class Calibrate(Settings):
    """Parameters of a system from data."""

    to: str = Field(description="the data: `data.<name>` or `simulate.<name>`")
    system: Name | None = Field(None, description="the system whose parameters are sought")
    time: str | None = Field(None, description="the column of times")
    observe: dict[str, Formula] = Field(description="for each column of the data, the expression of the states that it observes")
    times: dict[str, Real] | None = Field(None, description="the part of the record that is used")
    error: Literal["normal", "lognormal"] = Field("normal", description="the distribution of the errors")
    parameters: dict[Name, Estimated] = Field(description="the parameters sought")
    initial: dict[Name, Estimated] = Field({}, description="the initial values sought")


class Program(Settings):
    """A linear or mixed-integer program."""

    transport: dict[str, Any] | None = Field(None, description="supply, demand and cost of a transportation problem")
    facility: dict[str, Any] | None = Field(None, description="a facility location problem")
    linear: dict[str, Any] | None = Field(None, description="a general linear or mixed-integer program")


class Study(Settings):
    """One problem of optimisation, solved by one algorithm or compared over many."""

    minimize: Formula | None = Field(None, description="the expression to minimise")
    calibrate: Annotated[Calibrate | None, PLANNED] = Field(None, description="parameters of a system from data")
    program: Annotated[Program | None, PLANNED] = Field(None, description="a linear or mixed-integer program")
    benchmark: Annotated[str | None, PLANNED] = Field(None, description="a set of test problems")
    variables: dict[Name, Variable] = Field({}, description="the variables of `minimize`")
    constraints: Annotated[list[str] | None, PLANNED] = Field(None, description="inequalities and equations that must hold")
    roots: Annotated[bool | None, PLANNED] = Field(None, description="find also where the expression is zero")
    sweep: Sweep | None = Field(
        None, description="`algorithm`: names; `starts`: a count (the first start is as given, the others are random within the bounds)"
    )
    on_failure: Literal["keep", "stop"] = Field("keep", description="keep: a failed trial is a row with a status; stop: the run fails")
    chunk: Annotated[Count | None, Field(ge=1, le=10_000_000)] = Field(
        None, description="about how many trials a job has (default: computed from the config); no result depends on it"
    )

    @model_validator(mode="after")
    def _check_kind(self) -> Study:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise fail(f"exactly one of {', '.join(KINDS)} is wanted, not {' and '.join(given) or 'none'}")
        return self

    @property
    def kind(self) -> str:
        """The kind of study, which is the name of the plugin that solves it."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def objective(self) -> Expression:
        """The expression to minimise.

        Raises
        ------
        TypeError : the study is of another kind.
        """
        if self.minimize is None:
            raise TypeError("this study minimises no expression")
        return self.minimize

    def with_defaults(self) -> Study:
        """Return the study with defaults filled in."""
        return self.model_copy(update={"chunk": self.chunk or _CHUNK})

    def list_chunk_settings(self) -> dict[str, Any]:
        """Return what a chunk's content depends on besides its trials' ids, which stand for their values."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"sweep", "chunk"})

    def check_names(self, path: KeyPath) -> list[Mistake]:
        """Check that no variable has the name of a column that every table has."""
        taken = sorted(set(self.variables) & _RESERVED_COLUMNS)
        return [Mistake((*path, "variables", name), f"{name!r} is a column of every table: choose another name") for name in taken]
