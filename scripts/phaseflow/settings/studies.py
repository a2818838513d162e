"""`optimize`: what is minimised, calibrated, planned or compared, and by which algorithms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.quantity import Expression, Quantity
from phaseflow.expressions.tree import TIME
from phaseflow.settings.base import PLANNED, Count, Formula, Name, Real, Settings, fail
from phaseflow.settings.sweeps import Sweep, check_axis, check_size, count_values, expand_axis
from phaseflow.sweeps import Axis, Identity

# The axes of a sweep over trials: the kind of their values, and the column that they fill.
AXES: dict[str, tuple[str, str]] = {"algorithm": ("word", "algorithm"), "starts": ("count", "start")}
PLANNED_AXES = frozenset({"noise", "replicates", "budget"})
KINDS = ("minimize", "calibrate", "program", "benchmark")
_ASIDE = frozenset({"algorithm"})
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

    @property
    def is_random(self) -> bool:
        """Whether the result depends on the seed."""
        return any(name == "starts" and count_values(values, "count") > 1 for block in self.sweep or [] for name, values in block.items())

    def resolve(self) -> Study:
        """Return the study with defaults filled in."""
        return self.model_copy(update={"chunk": self.chunk or _CHUNK})

    def list_chunk_settings(self) -> dict[str, Any]:
        """Return what a chunk's content depends on besides its trials' ids, which stand for their values."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"sweep", "chunk"})

    def identify(self) -> Identity:
        """Return what the trials of the study are made of."""
        bounds = ", ".join(f"{name} in [{v.bounds[0]!r}, {v.bounds[1]!r}] from {v.start.value!r}" for name, v in self.variables.items())
        return Identity(f"minimize {self.objective.text}; {bounds}", {"start": 0, "algorithm": "scipy_lbfgsb"}, _ASIDE)

    def expand_blocks(self) -> list[list[Axis]]:
        """Return the axes of each block; where no algorithm is named it is scipy_lbfgsb."""
        blocks = []
        for block in self.sweep or [{}]:
            axes = [expand_axis(AXES[name][1], values, AXES[name][0]) for name, values in block.items()]
            if "algorithm" not in block:
                axes.append(expand_axis("algorithm", ["scipy_lbfgsb"], "word"))
            blocks.append(axes)
        return blocks

    def check(self, path: KeyPath, algorithms: Mapping[str, Any]) -> list[Mistake]:
        """Check what the types cannot say: names, bounds and algorithms."""
        taken = sorted(set(self.variables) & _RESERVED_COLUMNS)
        mistakes = [Mistake((*path, "variables", name), f"{name!r} is a column of every table: choose another name") for name in taken]
        if self.minimize is not None:
            for name in sorted(self.minimize.names - set(self.variables)):
                hint = "the time has no meaning here" if name == TIME else f"it is not among the variables{suggest(name, self.variables)}"
                mistakes.append(Mistake((*path, "minimize"), f"{self.minimize.text!r} needs {name!r}: {hint}"))
            unused = sorted(set(self.variables) - self.minimize.names)
            mistakes += [Mistake((*path, "variables", name), f"{name!r} does not occur in the expression to minimise") for name in unused]
        for place, block in enumerate(self.sweep or []):
            here = (*path, "sweep") if len(self.sweep or []) == 1 else (*path, "sweep", place)
            mistakes += self._check_block(here, block, algorithms)
        return mistakes

    def _check_block(self, path: KeyPath, block: dict[str, Any], algorithms: Mapping[str, Any]) -> list[Mistake]:
        mistakes: list[Mistake] = []
        for name, values in block.items():
            if name in PLANNED_AXES:
                mistakes.append(Mistake((*path, name), f"a sweep over {name!r} is not built yet (built so far: {', '.join(AXES)})"))
            elif name not in AXES:
                mistakes.append(Mistake((*path, name), f"{name!r} cannot be swept{suggest(name, AXES)}"))
            else:
                mistakes += check_axis((*path, name), values, AXES[name][0])
        for value in block.get("algorithm", []) if isinstance(block.get("algorithm"), list) else []:
            if not isinstance(value, Quantity) and value not in algorithms:
                mistakes.append(Mistake((*path, "algorithm"), f"there is no algorithm {value!r}{suggest(value, algorithms)}"))
        if not mistakes:
            mistakes += check_size(path, [count_values(values, AXES[name][0]) for name, values in block.items()])
        return mistakes
