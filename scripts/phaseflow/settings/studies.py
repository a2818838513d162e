"""`optimize`: what is minimised, calibrated, planned, compared or trained, and by which algorithms."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from phaseflow.errors import KeyPath, Mistake
from phaseflow.expressions.quantity import Expression, Quantity
from phaseflow.settings.base import Constraint, Count, Formula, Name, Real, Settings, fail, positive
from phaseflow.settings.benchmarks import Benchmark, read_benchmark
from phaseflow.settings.bounds import Bounded
from phaseflow.settings.calibrations import Calibrate
from phaseflow.settings.programs import Program
from phaseflow.settings.proofs import Certify, Proof
from phaseflow.settings.sweeps import Sweep
from phaseflow.settings.trainings import Train

KINDS = ("minimize", "calibrate", "program", "benchmark", "train")
# What is said of every answer, where it can be (the columns of the table of trials).
EVIDENCE = ("gap_proven", "gap_known", "gap_best_seen", "kkt_residual", "gradient_error", "feasibility")
_CHUNK = 200
# A training takes seconds, most other trials far less.
_CHUNK_OF_TRAININGS = 20
# Keys that have no meaning in other studies.
_OF_MINIMIZE = ("constraints", "constraint_tolerance", "sampling", "tolerance", "certify")
_ALLOWANCE = 1e-6
_CERTIFIED = "certified_"
# What the comparison of a whole study depends on, and no trial of it.
_COMPARISON = ("targets", "resamples", "confidence")
_RESERVED_COLUMNS = frozenset(
    {"trial", "start", "algorithm", "noise", "replicate", "status", "value", "evaluations", "gradients", "message", "error"}
    | {"certificate", "certificate_reason", "gap_scope", "proven_bound", "least_curvature", "evaluation", "best"}
    | {"tolerance", "derivatives", "hessians", "best_bound"}
)


def check_targets(targets: list[Quantity] | None) -> list[Quantity] | None:
    """Check that targets are shares of the way from the start to the optimum, all different."""
    for target in targets or []:
        if not 0 < target.value < 1:
            raise fail(f"{target.text} must be greater than 0 and less than 1")
    if targets is not None and len({target.value for target in targets}) != max(len(targets), 1):
        raise fail("one target or more are wanted, all different")
    return targets


def check_confidence(confidence: Quantity | None) -> Quantity | None:
    """Check that a confidence is between one half and one."""
    if confidence is not None and not 0.5 <= confidence.value < 1:
        raise fail(f"{confidence.text} must be 0.5 or more and less than 1")
    return confidence


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
    benchmark: Annotated[Benchmark | None, BeforeValidator(read_benchmark, json_schema_input_type=str | Benchmark)] = Field(
        None, description="algorithms compared on a set of test problems: its name, or the set and how it is run"
    )
    train: Train | None = Field(None, description="a small network, from the rows of a table")
    variables: dict[Name, Variable] = Field({}, description="the variables of `minimize`")
    constraints: Annotated[list[Constraint], Field(min_length=1)] | None = Field(
        None, description="conditions of `minimize` that must hold: two expressions with <=, >= or == between them"
    )
    constraint_tolerance: Annotated[Real, AfterValidator(positive)] | None = Field(
        None, description="by how much an answer may violate its constraints and still count (default: 1e-6)"
    )
    sampling: Literal["random", "latin_hypercube", "sobol"] | None = Field(
        None,
        description="how the starts of `minimize` after the first are spread over the bounds (default: random); start k is the same "
        "however many there are, but on a Latin hypercube, which is made for its count",
    )
    tolerance: Annotated[Real, AfterValidator(positive)] | None = Field(
        None,
        description="of `minimize`: takes the place of every convergence tolerance that the algorithm has (default: its own); what an "
        "algorithm has is listed below",
    )
    certify: Certify = Field(None, description="what is tried to prove of each answer of `minimize`: none, or how far it is tried")
    roots: Annotated[Roots | None, BeforeValidator(_read_roots, json_schema_input_type=bool | Roots)] = Field(
        None, description="find also where the expression is zero: true, or how it is searched"
    )
    sweep: Sweep | None = Field(
        None,
        description="`algorithm`: names; `starts`: a count (the first start is as given, the others are random within the bounds); "
        "minimize also `tolerance`, and `derivatives`: exact or differences (forward, each value counted); "
        "calibrate to a simulated record also `noise` (relative to the spread of each observed column; with lognormal errors the standard "
        "deviation of the logarithm) and `replicates`: a count; program the numbers of the problem, by its name, such as "
        "`demand.Topeka`, `cost.<from>.<to>`, `capacity.<site>`, `fixed.<site>`, a parameter, `lower.x` or `upper.x`; "
        "benchmark also `problem`: names (default: all of the set) and `budget`: evaluations (default: 1000); its `algorithm: all` is all "
        "that suit the set, and its default; train also `learning_rate` (of sgd, momentum and adam; "
        "default: 0.1, 0.02 and 0.01), `batch` and `epochs`; its starts are draws of the weights, all random",
    )
    targets: Annotated[list[Real] | None, AfterValidator(check_targets)] = Field(
        None,
        description="a trial has solved its problem to a target when f - f* <= target (f(start) - f*), where f* is the least value known "
        "(benchmark's default: 1e-1, 1e-3, 1e-5, 1e-7)",
    )
    resamples: Annotated[Count | None, Field(ge=100, le=100_000)] = Field(
        None, description="how many times the problems are drawn anew for the bands of a comparison (benchmark's default: 1000)"
    )
    confidence: Annotated[Real | None, AfterValidator(check_confidence)] = Field(
        None, description="the confidence of a comparison: of its bands, and of what it calls significant (benchmark's default: 0.95)"
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
        astray = [key for key in _OF_MINIMIZE if getattr(self, key) is not None and self.minimize is None]
        if astray:
            raise fail(f"{', '.join(astray)}: only a study that has `minimize` can have this")
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
    def allowance(self) -> float:
        """By how much an answer may violate bounds and constraints; bounds alone are kept exactly."""
        if self.constraints is None:
            return 0.0 if self.program is None else _ALLOWANCE
        return _ALLOWANCE if self.constraint_tolerance is None else self.constraint_tolerance.value

    @property
    def proof(self) -> Proof | None:
        """What is tried to prove of each answer, None for nothing."""
        return None if self.certify == "none" else self.certify or Proof()

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
    def planned(self) -> Program:
        """The linear or mixed-integer program.

        Raises
        ------
        TypeError : the study is of another kind.
        """
        if self.program is None:
            raise TypeError("this study has no linear program")
        return self.program

    @property
    def bench(self) -> Benchmark:
        """What is compared.

        Raises
        ------
        TypeError : the study is of another kind.
        """
        if self.benchmark is None:
            raise TypeError("this study compares nothing")
        return self.benchmark

    @property
    def training(self) -> Train:
        """What is trained.

        Raises
        ------
        TypeError : the study is of another kind.
        """
        if self.train is None:
            raise TypeError("this study trains nothing")
        return self.train

    def with_defaults(self) -> Study:
        """Return the study with defaults filled in."""
        return self.model_copy(update={"chunk": self.chunk or (_CHUNK if self.train is None else _CHUNK_OF_TRAININGS)})

    def list_chunk_settings(self) -> dict[str, Any]:
        """Return what a chunk's content depends on besides its trials' ids, which stand for their values."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"sweep", "chunk", *_COMPARISON})

    def check_names(self, path: KeyPath) -> list[Mistake]:
        """Check that nothing that is sought has the name of a column that every table has."""
        section: KeyPath = ("variables",)
        names = set(self.variables)
        if self.calibrate is not None:
            section, names = (("calibrate", "parameters"), set(self.calibrate.sought))
        if self.program is not None and self.program.linear is not None:
            section, names = (("program", "linear", "variables"), {*self.program.linear.variables, *self.program.linear.parameters})
        reserved = _RESERVED_COLUMNS | set(EVIDENCE)
        taken = sorted(name for name in names if name in reserved or name.startswith(_CERTIFIED))
        return [Mistake((*path, *section, name), f"{name!r} is a column of every table: choose another name") for name in taken]
