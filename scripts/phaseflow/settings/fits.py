"""`fit`: which model is fitted to which table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.base import Count, Formula, Name, Real, Settings, fail, not_negative, positive
from phaseflow.settings.sweeps import Sweep
from phaseflow.settings.systems import System

# In the order in which each must beat the best of those before it.
FORECASTERS = ("persistence", "climatology", "linear", "quadratic", "network")
KINDS = ("linear", "curve", "discover", "network", "forecast", "diffusion")


# The keys beside the kind itself that each kind reads; those with True are wanted.
_KEYS: dict[str, dict[str, bool]] = {
    "linear": dict.fromkeys(("weights", "covariance", "lags", "family", "link", "penalty", "folds", "exact_up_to"), False),
    "curve": {"response": True, "start": True} | dict.fromkeys(("weights", "bounds", "starts", "errors", "profile", "exact_up_to"), False),
    "discover": {"inputs": False, "truth": False, "noise": False},
    "network": {"inputs": False, "horizon": True, "sweep": False, "noise": False},
    "forecast": {
        "horizon": True,
        "inputs": False,
        "truth": False,
        "noise": False,
        "training": False,
        "starts": False,
        "trainings": False,
        "delays": False,
    },
    "diffusion": {"series": True, "dt": False, "volatility": False, "replicates": False},
}


# Some ten seconds of exact arithmetic; a curve takes some twenty passes with second derivatives.
EXACT_UP_TO = 2_000_000
CURVE_EXACT_UP_TO = 100_000
# The links of each family, the canonical one first.
FAMILIES: dict[str, tuple[str, ...]] = {
    "gaussian": ("identity", "log", "inverse"),
    "binomial": ("logit", "probit", "cloglog", "log"),
    "poisson": ("log", "identity", "sqrt"),
    "gamma": ("inverse", "log", "identity"),
}


class Bounds(Settings):
    """Between which values a parameter may lie."""

    lower: Real | None = Field(None, description="the least value that is allowed")
    upper: Real | None = Field(None, description="the greatest value that is allowed")

    @model_validator(mode="after")
    def _check_order(self) -> Bounds:
        if self.lower is not None and self.upper is not None and not self.lower.value < self.upper.value:
            raise fail(f"lower ({self.lower.text}) must be below upper ({self.upper.text})")
        return self


class Library(Settings):
    """The candidate terms of an equation to discover."""

    polynomial: Count = Field(2, ge=1, le=5, description="polynomials of the states up to this degree")
    fourier: Count | None = Field(None, ge=0, le=20, description="sines and cosines of each state up to this frequency")
    terms: list[Formula] | None = Field(None, max_length=200, description="further terms: expressions of the states")


class Discover(Settings):
    """Equations from a trajectory."""

    library: Library = Field(Library(), description="the candidate terms")
    optimizers: list[Literal["stlsq", "ssr", "frols", "lasso"]] = Field(
        ["stlsq"],
        min_length=1,
        description="what proposes few terms of the weak form: stlsq drops those below a threshold, ssr the least one after the other, "
        "frols adds the best one after the other, lasso is the adaptive lasso; "
        "of several the best proposal on held-out trajectories is taken",
    )
    threshold: Annotated[Real, AfterValidator(positive)] | None = Field(
        None,
        description="the least share of a derivative's size that a term must contribute, and then no term is dropped or added "
        "(default: chosen by the error of held-out trajectories, and the terms by the likelihood of the whole)",
    )
    refine: bool = Field(True, description="find coefficients and trajectory together by multiple shooting; else by the weak form alone")
    refine_samples: Count = Field(5_000, ge=100, description="how many samples the refinement uses at most, the first of the table")
    ensemble: Count = Field(
        100, ge=0, le=10_000, description="how many times the windows are drawn anew, for the probability that a term is included"
    )
    window: Count = Field(16, ge=4, le=1_000, description="how many samples each test function of the weak form reaches to either side")

    @model_validator(mode="after")
    def _check_threshold(self) -> Discover:
        if self.threshold is not None and self.optimizers != ["stlsq"]:
            raise fail("a threshold is of the optimizer stlsq alone: leave it out, or the other optimizers")
        return self


class Network(Settings):
    """A small neural network."""

    layers: list[Annotated[Count, Field(ge=1, le=1_000)]] = Field(
        min_length=1, max_length=10, description="the number of units of each hidden layer"
    )
    activation: Literal["tanh", "relu", "logistic"] = Field("tanh", description="the activation of the hidden units")
    solver: Literal["lbfgs", "adam", "sgd"] = Field("lbfgs", description="the algorithm that trains, where it is not swept")
    max_steps: Count = Field(1_000, ge=1, le=1_000_000, description="how many iterations or passes over the data a solver may take")


def _check_probability(quantity: Quantity) -> Quantity:
    if not 0 < quantity.value < 1:
        raise fail(f"{quantity.text} must be between 0 and 1")
    return quantity


class Fit(Settings):
    """One model fitted to one table."""

    linear: str | None = Field(
        None,
        description="a formula: `response ~ term + term`; `a:b` is a product, `a*b` stands for a + b + a:b, arithmetic goes in "
        "`I(...)`, `C(a)` makes a term of each level of a column, `- 1` leaves out the intercept",
    )
    curve: Formula | None = Field(None, description="a curve for nonlinear least squares: an expression of columns and parameters")
    discover: Discover | None = Field(None, description="equations from a trajectory")
    network: Network | None = Field(None, description="a neural network that predicts the state one horizon ahead")
    forecast: list[Literal["persistence", "climatology", "linear", "quadratic", "network"]] | None = Field(
        None,
        min_length=1,
        description="the forecasters to compare, each trained on one stretch and running freely over the next; persistence, climatology, "
        "linear autoregression and the quadratic next-generation reservoir are always beside them",
    )
    diffusion: Name | System | None = Field(
        None,
        description="the stochastic system to calibrate, of one state and one Wiener process: geometric Brownian motion, Ornstein and "
        "Uhlenbeck's or Cox, Ingersoll and Ross's process by the exact likelihood, any other by Kessler's approximation of it",
    )
    to: str = Field(
        description="the table: `data.<name>`, `optimize.<study>` or `simulate.<scenario>`: its trajectories for discover, network and "
        "diffusion, else its members"
    )
    truth: Name | System | None = Field(None, description="the system that made the table, where it is known (default: the scenario's)")
    confidence: Annotated[Real, AfterValidator(_check_probability)] = Field(
        Quantity.parse("0.95"), description="the probability that an interval covers"
    )
    response: Formula | None = Field(None, description="what a curve explains: a column or an expression of columns such as log(y)")
    start: dict[Name, Real] | None = Field(None, description="the parameters of a curve, and where their search begins")
    weights: Formula | None = Field(
        None, description="of linear and curve: the weight of each row, 1 over its variance: a column or an expression of columns"
    )
    covariance: Literal["classical", "HC0", "HC1", "HC2", "HC3", "HAC"] | None = Field(
        None,
        description="what errors a linear fit allows for: classical (of one size), HC0 to HC3 (uneven sizes), HAC (related neighbours too)",
    )
    lags: Count | None = Field(
        None, ge=0, le=1_000, description="how many rows apart errors may be related, of HAC (default: 4*(rows/100)**(2/9), rounded down)"
    )
    family: Literal["gaussian", "binomial", "poisson", "gamma"] | None = Field(
        None, description="the distribution of the response of a generalised linear model"
    )
    link: Literal["identity", "log", "logit", "probit", "cloglog", "inverse", "sqrt"] | None = Field(
        None, description="what function of the mean is linear (default: the family's canonical one)"
    )
    penalty: Literal["ridge", "lasso"] | None = Field(
        None, description="shrink the coefficients of a linear fit, by as much as cross-validation says; there are no intervals then"
    )
    folds: Count | None = Field(
        None, ge=2, le=100, description="into how many parts cross-validation divides the rows, every so many-th to the same (default: 5)"
    )
    exact_up_to: Count | None = Field(
        None,
        ge=0,
        description="rows times squared terms up to which the exact solution is found and digits are certified "
        "(default: 2e6, of curves 1e5)",
    )
    bounds: dict[Name, Bounds] | None = Field(None, description="bounds of the parameters of a curve")
    starts: Count | None = Field(
        None,
        ge=1,
        le=1_000,
        description="from how many points a curve is sought, the first that of `start` (default: 1); from how many states after the "
        "training forecasts begin, over all members (default: 100)",
    )
    errors: Literal["jacobian", "hessian"] | None = Field(
        None, description="what the standard errors of a curve come from: the Jacobian (the default, as NIST has it) or the full Hessian"
    )
    profile: bool | None = Field(None, description="whether a curve gets profile intervals, which need no linear model (default: true)")
    inputs: list[str] | None = Field(None, description="the columns that hold the state (default: all but member and t)")
    horizon: Annotated[Real, AfterValidator(positive)] | None = Field(None, description="how far ahead a forecast looks, in units of t")
    training: Annotated[Real, AfterValidator(positive)] | None = Field(
        None, description="how long a forecaster is trained, in units of t (default: half of the record)"
    )
    trainings: Annotated[Count, Field(ge=1, le=1_000)] | None = Field(
        None, description="how many times forecasters are trained anew as the starts move forward (default: 3)"
    )
    delays: Annotated[Count, Field(ge=1, le=100)] | None = Field(
        None, description="how many of the last samples a forecaster sees (default: 3)"
    )
    noise: Annotated[Real, AfterValidator(not_negative)] | None = Field(
        None, description="normal noise added to the states before anything is fitted, relative to the standard deviation of each"
    )
    series: str | None = Field(None, description="the column that a diffusion is fitted to, in the order of time")
    volatility: Literal["constant", "garch"] | None = Field(
        None, description="of a price: constant (the default), or garch: a GARCH(1,1) model of its steps beside it"
    )
    replicates: Annotated[Count, Field(ge=99, le=100_000)] | None = Field(
        None, description="how many series are simulated for the intervals of a short one (default: 499; 199 where each is a search)"
    )
    dt: Annotated[Real, AfterValidator(positive)] | None = Field(
        None, description="the time from one row of the series to the next (default: that of column t)"
    )
    sweep: Sweep | None = Field(None, description="the settings that are compared: `solver` of a network")

    @model_validator(mode="after")
    def _check_kind(self) -> Fit:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise fail(f"exactly one of {', '.join(KINDS)} is wanted, not {' and '.join(given) or 'none'}")
        keys = _KEYS[given[0]]
        if missing := [key for key, is_wanted in keys.items() if is_wanted and getattr(self, key) is None]:
            raise fail(f"{given[0]} needs {' and '.join(missing)} beside it")
        others = sorted({key for every in _KEYS.values() for key in every} - set(keys))
        if unused := [key for key in others if getattr(self, key) is not None]:
            raise fail(f"{' and '.join(unused)} has no meaning for {given[0]}")
        return self

    @property
    def exact_limit(self) -> int:
        """Rows times squared terms up to which the exact solution is found."""
        if self.exact_up_to is not None:
            return self.exact_up_to
        return EXACT_UP_TO if self.curve is None else CURVE_EXACT_UP_TO

    @property
    def kind(self) -> str:
        """The kind of model, which is the name of the plugin that fits it."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)
