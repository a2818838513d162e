"""`fit`: which model is fitted to which table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.base import PLANNED, Count, Formula, Name, Real, Settings, fail
from phaseflow.settings.sweeps import Sweep
from phaseflow.settings.systems import System

KINDS = ("linear", "curve", "discover", "network", "forecast", "diffusion")


class Library(Settings):
    """The candidate terms of an equation to discover."""

    polynomial: Count = Field(2, ge=0, le=5, description="polynomials of the states up to this degree")
    fourier: Count = Field(0, ge=0, le=20, description="sines and cosines up to this frequency")
    terms: list[Formula] = Field([], description="further terms")


class Discover(Settings):
    """Equations from a trajectory."""

    library: Library = Field(Library(), description="the candidate terms")
    threshold: Real | None = Field(None, description="the least coefficient kept (default: chosen by held-out error)")


class Network(Settings):
    """A small neural network."""

    layers: list[Count] = Field(description="the number of units of each hidden layer")
    activation: Literal["tanh", "relu", "logistic"] = Field("tanh", description="the activation of the hidden units")


class Fit(Settings):
    """One model fitted to one table."""

    linear: str | None = Field(None, description="a formula for least squares: `response ~ term + term`")
    curve: Annotated[Formula | None, PLANNED] = Field(None, description="a curve for nonlinear least squares")
    discover: Annotated[Discover | None, PLANNED] = Field(None, description="equations from a trajectory")
    network: Annotated[Network | None, PLANNED] = Field(None, description="a neural network")
    forecast: Annotated[list[str] | None, PLANNED] = Field(None, description="the forecasters to compare")
    diffusion: Annotated[str | None, PLANNED] = Field(None, description="the stochastic system to calibrate")
    to: str = Field(description="the table: `data.<name>`, `simulate.<scenario>` (its members) or `optimize.<study>`")
    truth: Name | System | None = Field(None, description="the system that made the table, where it is known (default: the scenario's)")
    confidence: Real = Field(Quantity.parse("0.95"), description="the probability that an interval covers")
    response: Annotated[str | None, PLANNED] = Field(None, description="the column that a curve explains")
    start: Annotated[dict[Name, Real] | None, PLANNED] = Field(None, description="where the search for a curve begins")
    inputs: Annotated[list[Name] | None, PLANNED] = Field(None, description="the columns that a network sees")
    horizon: Annotated[Real | None, PLANNED] = Field(None, description="how far ahead a forecast looks")
    sweep: Annotated[Sweep | None, PLANNED] = Field(None, description="the settings that are compared")

    @model_validator(mode="after")
    def _check_kind(self) -> Fit:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise fail(f"exactly one of {', '.join(KINDS)} is wanted, not {' and '.join(given) or 'none'}")
        return self

    @property
    def kind(self) -> str:
        """The kind of model, which is the name of the plugin that fits it."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)
