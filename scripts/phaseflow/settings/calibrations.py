"""`optimize: calibrate`: what is known of a record, and what is sought."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from phaseflow.expressions.quantity import Expression, Quantity
from phaseflow.expressions.tree import Symbol
from phaseflow.settings.base import Count, Formula, Name, Real, Settings, fail, positive
from phaseflow.settings.bounds import Bounded
from phaseflow.settings.systems import System

PRIORS = ("normal", "lognormal", "laplace", "uniform")
# An integration's error in one step where the config says nothing.
_TOLERANCES = {"taylor": Quantity.parse("1e-12")}
_STIFF_TOLERANCE = Quantity.parse("1e-8")
ESTIMATED = Symbol("estimated")
Positive = Annotated[Real, AfterValidator(positive)]
Pair = Annotated[list[Real], Field(min_length=2, max_length=2)]


class Prior(Settings):
    """What is known of a parameter beforehand: one distribution with its two numbers."""

    normal: Pair | None = Field(None, description="mean and standard deviation")
    lognormal: Pair | None = Field(None, description="mean and standard deviation of the natural logarithm")
    laplace: Pair | None = Field(None, description="location and scale")
    uniform: Pair | None = Field(None, description="the ends: the same as bounds, but a search may start elsewhere within the bounds")

    @model_validator(mode="after")
    def _check_kind(self) -> Prior:
        given = [kind for kind in PRIORS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise fail(f"exactly one of {', '.join(PRIORS)} is wanted, not {' and '.join(given) or 'none'}")
        kind, (first, second) = self.stated
        if kind == "uniform" and not first < second:
            raise fail(f"the first end {first:g} must be less than the second {second:g}")
        if kind != "uniform" and not second > 0:
            raise fail(f"the second number of {kind}, its width, must be greater than 0")
        return self

    @property
    def stated(self) -> tuple[str, tuple[float, float]]:
        """The distribution's name and its two numbers."""
        kind = next(kind for kind in PRIORS if getattr(self, kind) is not None)
        first, second = getattr(self, kind)
        return kind, (first.value, second.value)


class Estimated(Bounded):
    """A parameter or an initial value to calibrate."""

    start: Real | None = Field(None, description="where the first search begins (default: the middle of the bounds)")
    scale: Literal["linear", "log"] = Field(
        "linear", description="the scale on which the search moves and random starts are even; log: for a quantity above 0"
    )
    prior: Prior | None = Field(None, description="what is known beforehand: then the value is the negative log-posterior")

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


Initial = Annotated[
    Annotated[Estimated, Tag("<sought>")] | Annotated[Formula, Tag("<given>")],
    Discriminator(lambda value: "<sought>" if isinstance(value, (dict, Estimated)) else "<given>"),
]


class Span(Settings):
    """A part of a record, both ends included."""

    start: Real | None = Field(None, description="the first time that is used")
    stop: Real | None = Field(None, description="the last time that is used")


class Experiment(Settings):
    """One of several records of the same system, with what it has of its own."""

    to: str = Field(description="the data: `data.<name>` or `simulate.<name>`")
    time: str | None = Field(None, description="the column of times (default: that of the calibration)")
    times: Span | None = Field(None, description="the part of the record that is used (default: that of the calibration)")
    parameters: dict[Name, Formula] = Field({}, description="parameters of the system that are given here: numbers, or of what is sought")
    initial: dict[Name, Initial] = Field(
        {}, description="initial values of this experiment: numbers, expressions of what is sought, or sought themselves"
    )


class Shooting(Settings):
    """Multiple shooting: the record in intervals that are integrated on their own and joined by degrees."""

    interval: Positive | None = Field(
        None, description="the length of an interval (default: that of 4 samples, or a hundredth of the record)"
    )
    attempts: Count = Field(4, ge=1, le=1000, description="how many first guesses of the states to try before a trial has failed")


class Profile(Settings):
    """Profile likelihoods: for each value of one parameter, the best fit of all others."""

    parameters: list[Name] | None = Field(None, description="of which parameters (default: all that are sought)")
    points: Count = Field(20, ge=3, le=1000, description="how many values on each side of the best one, at most")
    confidence: Real = Field(Quantity.parse("0.95"), description="the confidence of the interval that is looked for")


def _read_shooting(value: Any) -> Any:
    """Read the bare word `multiple` as multiple shooting with its defaults, and `single` as none."""
    return {"multiple": {}, "single": None}.get(value, value) if isinstance(value, str) else value


def _read_profile(value: Any) -> Any:
    """Read true as the defaults, and false as none."""
    return ({} if value else None) if isinstance(value, bool) else value


def _read_sigma(value: Any) -> Any:
    """Read one size for all columns as that of each."""
    return value if isinstance(value, dict) or value is None else {"*": value}


class Calibrate(Settings):
    """Parameters of a system from data."""

    to: str | None = Field(None, description="the data: `data.<name>` or `simulate.<name>`")
    system: Name | System | None = Field(None, description="the system whose parameters are sought; that of the scenario where `to` is one")
    time: str | None = Field(None, description="the column of times, where `to` is a table")
    observe: dict[str, Formula] = Field(
        {}, description="for each column of the data, the expression of the states, parameters and t that it observes"
    )
    times: Span | None = Field(None, description="the part of the record that is used")
    experiments: dict[Name, Experiment] | None = Field(
        None, min_length=1, description="several records of the system instead of one: what is sought is shared by all"
    )
    error: Literal["normal", "lognormal", "laplace"] = Field(
        "normal",
        description="the distribution of the errors; normal without a `sigma`: least squares, each column in units of its own "
        "standard deviation; otherwise the greatest likelihood",
    )
    sigma: Annotated[dict[str, Formula] | None, BeforeValidator(_read_sigma, json_schema_input_type=str | float | dict[str, str])] = Field(
        None,
        description="the size of the errors, for all columns or for each: a number; an expression of states, parameters, t, observed "
        "columns and `noise`; or `estimated`: the most likely, one a column (the default but for normal errors). normal: the standard "
        "deviation; lognormal: that of the logarithm; laplace: the mean absolute error",
    )
    parameters: dict[Name, Estimated] = Field({}, description="the parameters sought")
    initial: dict[Name, Estimated] = Field({}, description="the initial values sought; they hold at the first time of the record")
    noise: dict[Name, Estimated] = Field({}, description="the parameters of `sigma` that are sought")
    shooting: Annotated[
        Shooting | None, BeforeValidator(_read_shooting, json_schema_input_type=Literal["single", "multiple"] | Shooting)
    ] = Field(None, description="single: one integration from the initial values; multiple: for chaotic records")
    petab: str | None = Field(
        None,
        description="a PEtab problem (version 1): the path of its YAML file, relative to the config; model, data, parameters and noise "
        "are as its files say",
    )
    files: list[str] = Field([], description="the files of the PEtab problem: found by itself, not to be given")
    method: Literal["taylor", "LSODA", "BDF", "Radau"] | None = Field(
        None,
        description="how the system and its derivatives are integrated; LSODA, BDF and Radau are for stiff systems "
        "(default: taylor, for PEtab LSODA)",
    )
    tolerance: Positive | None = Field(
        None, description="the error allowed in one step of the integration, relative to the state (default: 1e-12; stiff methods 1e-8)"
    )
    absolute: Positive | None = Field(
        None, description="the error of a state allowed besides, by stiff methods (default: a hundredth of the tolerance)"
    )
    max_steps: Count = Field(100_000, ge=1, description="an integration that needs more steps counts as failed")
    redraws: Count = Field(100, ge=0, le=1_000_000, description="how often a start whose simulation fails is drawn again")
    profile: Annotated[Profile | None, BeforeValidator(_read_profile, json_schema_input_type=bool | Profile)] = Field(
        None, description="profile likelihoods of the best trial: true, or how"
    )

    @model_validator(mode="after")
    def _check_record(self) -> Calibrate:
        given = [key for key in ("to", "experiments", "petab") if getattr(self, key) is not None]
        if len(given) != 1:
            raise fail(f"exactly one of to, experiments and petab is wanted, not {' and '.join(given) or 'none'}")
        if self.petab is None and not self.observe:
            raise fail("`observe` is wanted: what each column of the data observes")
        return self

    @property
    def records(self) -> dict[str, Experiment]:
        """The experiments by name; the only one of a calibration without has the name ``."""
        if self.petab is not None:
            return {}
        if self.experiments is None:
            return {"": Experiment(to=self.to or "", time=self.time, times=self.times)}
        shared = {"time": self.time, "times": self.times}
        own = {name: {k: v for k, v in shared.items() if getattr(one, k) is None} for name, one in self.experiments.items()}
        return {name: one.model_copy(update=own[name]) for name, one in self.experiments.items()}

    @property
    def tables(self) -> list[str]:
        """The tables that are read, each once."""
        return list(dict.fromkeys(record.to for record in self.records.values()))

    @property
    def is_simulated(self) -> bool:
        """Whether every record is a simulated one, so that the true values are known."""
        return self.petab is None and all(table.startswith("simulate.") for table in self.tables)

    @property
    def sought(self) -> dict[str, Estimated]:
        """What is sought by column: parameters, initial values (`<state>_0`, `<state>_0_<experiment>`), parameters of the noise."""
        shared = {f"{state}_0": estimated for state, estimated in self.initial.items()}
        own = {
            f"{state}_0_{name}": value
            for name, record in self.records.items()
            for state, value in record.initial.items()
            if isinstance(value, Estimated)
        }
        return dict(self.parameters) | shared | own | dict(self.noise)

    @property
    def sizes(self) -> Literal["squares", "solved", "given"]:
        """Where the sizes of the errors come from: nowhere (least squares), the most likely ones, or expressions."""
        if self.petab is not None:
            return "given"
        if self.sigma is None:
            return "squares" if self.error == "normal" else "solved"
        return "solved" if all(size.tree == ESTIMATED for size in self.sigma.values()) else "given"

    def find_size(self, column: str) -> Expression | None:
        """Return the expression of the size of a column's errors, where it is given."""
        sigma: Mapping[str, Expression] = self.sigma or {}
        return sigma.get(column, sigma.get("*")) if self.sizes == "given" else None

    @property
    def accuracy(self) -> tuple[str, float, float, int]:
        """The method of integration, its relative and absolute tolerance, and its most steps."""
        method = self.method or ("taylor" if self.petab is None else "LSODA")
        tolerance = (self.tolerance or _TOLERANCES.get(method, _STIFF_TOLERANCE)).value
        return method, tolerance, self.absolute.value if self.absolute else tolerance / 100, self.max_steps

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
