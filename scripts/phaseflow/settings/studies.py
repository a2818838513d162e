"""`optimize`: what is minimised, calibrated, planned or compared, and by which algorithms."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from phaseflow.errors import KeyPath, Mistake
from phaseflow.expressions.quantity import Expression
from phaseflow.settings.base import PLANNED, Count, Formula, Name, Real, Settings, fail
from phaseflow.settings.bounds import Bounded
from phaseflow.settings.calibrations import Calibrate
from phaseflow.settings.programs import Program, Transport
from phaseflow.settings.sweeps import Sweep

KINDS = ("minimize", "calibrate", "program", "benchmark")
# What is said of every answer, where it can be (the columns of the table of trials).
EVIDENCE = ("gap_proven", "gap_known", "gap_best_seen", "kkt_residual", "gradient_error", "feasibility")
_CHUNK = 200
_RESERVED_COLUMNS = frozenset(
    {"trial", "start", "algorithm", "noise", "replicate", "status", "value", "evaluations", "gradients", "message", "error"}
    | {"certificate", "certificate_reason", "least_curvature", "evaluation", "best"}
)


class Variable(Bounded):
    """A variable: where the search begins, and the bounds of where it may go."""

    start: Real = Field(description="where the first search begins")

    @model_validator(mode="after")
    def _check_order(self) -> Variable:
        self.check_start(self.start)
        return self


class Roots(Settings):
    """How the roots of a function of one variable are searched."""

    points: Count = Field(10_001, ge=2, le=10_000_000, description="how many points between the bounds are looked at first")


def _read_roots(value: Any) -> Any:
    """Read true as the defaults, and false as no search."""
    return ({} if value else None) if isinstance(value, bool) else value


class Study(Settings):
    """One problem of optimisation, solved by one algorithm or compared over many."""

    minimize: Formula | None = Field(None, description="the expression to minimise")
    calibrate: Calibrate | None = Field(None, description="parameters of a system from data")
    program: Program | None = Field(None, description="a linear or mixed-integer program")
    benchmark: Annotated[str | None, PLANNED] = Field(None, description="a set of test problems")
    variables: dict[Name, Variable] = Field({}, description="the variables of `minimize`")
    constraints: Annotated[list[str] | None, PLANNED] = Field(None, description="inequalities and equations that must hold")
    roots: Annotated[Roots | None, BeforeValidator(_read_roots, json_schema_input_type=bool | Roots)] = Field(
        None, description="find also where the expression is zero: true, or how it is searched"
    )
    sweep: Sweep | None = Field(
        None,
        description="`algorithm`: names; `starts`: a count (the first start is as given, the others are random within the bounds); "
        "calibrate to a simulated record also `noise` (relative to the spread of each observed column; with lognormal errors the standard "
        "deviation of the logarithm) and `replicates`: a count; program the numbers of the problem, such as `demand.Topeka`",
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

    @property
    def calibration(self) -> Calibrate:
        """What is calibrated.

        Raises
        ------
        TypeError : the study is of another kind.
        """
        if self.calibrate is None:
            raise TypeError("this study calibrates nothing")
        return self.calibrate

    @property
    def transport(self) -> Transport:
        """The transportation problem.

        Raises
        ------
        TypeError : the study is of another kind.
        """
        if self.program is None or self.program.transport is None:
            raise TypeError("this study plans no transport")
        return self.program.transport

    def with_defaults(self) -> Study:
        """Return the study with defaults filled in."""
        return self.model_copy(update={"chunk": self.chunk or _CHUNK})

    def list_chunk_settings(self) -> dict[str, Any]:
        """Return what a chunk's content depends on besides its trials' ids, which stand for their values."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"sweep", "chunk"})

    def check_names(self, path: KeyPath) -> list[Mistake]:
        """Check that nothing that is sought has the name of a column that every table has."""
        section: KeyPath = ("variables",)
        names = set(self.variables)
        if self.calibrate is not None:
            section, names = (("calibrate", "parameters"), set(self.calibrate.sought))
        taken = sorted(names & (_RESERVED_COLUMNS | set(EVIDENCE)))
        return [Mistake((*path, *section, name), f"{name!r} is a column of every table: choose another name") for name in taken]
