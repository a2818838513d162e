"""`optimize: train`: which network is trained on which columns, and how far."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.base import Count, Real, Settings, fail, not_negative, positive


def _check_share(quantity: Quantity) -> Quantity:
    if not 0 < quantity.value < 1:
        raise fail(f"{quantity.text} must be between 0 and 1")
    return quantity


def _check_momentum(quantity: Quantity) -> Quantity:
    if not 0 <= quantity.value < 1:
        raise fail(f"{quantity.text} must be 0 or more and less than 1")
    return quantity


class Train(Settings):
    """A small network, and the rows that it learns from."""

    to: str = Field(description="the table: `data.<name>`, or `simulate.<scenario>` for its trajectories")
    inputs: list[str] = Field(min_length=1, description="the columns that the network sees")
    outputs: list[str] | None = Field(None, min_length=1, description="the columns that it predicts (default with `horizon`: the inputs)")
    horizon: Annotated[Real, AfterValidator(positive)] | None = Field(
        None, description="predict the outputs so much later, in units of the column t (default: those of the same row)"
    )
    layers: list[Annotated[Count, Field(ge=1, le=1_000)]] = Field(
        max_length=10, description="the number of units of each hidden layer; [] is a linear map"
    )
    activation: Literal["tanh", "relu", "logistic"] = Field("tanh", description="the activation of the hidden units")
    penalty: Annotated[Real, AfterValidator(not_negative)] = Field(
        Quantity.parse(0), description="added to the mean squared error: so many times the sum of the squared weights, biases left out"
    )
    batch: Count = Field(32, ge=1, description="how many rows each step of sgd, momentum and adam sees, where it is not swept")
    epochs: Count = Field(
        200, ge=1, le=1_000_000, description="how many times an algorithm may pass over the training rows, where it is not swept"
    )
    validation: Annotated[Real, AfterValidator(_check_share)] = Field(
        Quantity.parse("0.2"), description="the share of the rows that is held out"
    )
    held_out: Literal["last", "spread"] | None = Field(
        None,
        description="which rows are held out: last (of each member; the default for a scenario and with `horizon`), or spread: "
        "every so many-th (the default for another table)",
    )
    momentum: Annotated[Real, AfterValidator(_check_momentum)] = Field(
        Quantity.parse("0.9"), description="what share of its last step `momentum` keeps"
    )
    tolerance: Annotated[Real, AfterValidator(not_negative)] = Field(
        Quantity.parse("1e-12"), description="every tolerance at which an algorithm would stop of itself: tight, so that the epochs decide"
    )

    @model_validator(mode="after")
    def _check_outputs(self) -> Train:
        if self.outputs is None and self.horizon is None:
            raise fail("`outputs` is wanted where there is no `horizon`: what the network predicts")
        for key, names in (("inputs", self.inputs), ("outputs", self.predicted)):
            if len(set(names)) < len(names):
                raise fail(f"{key} has a column twice")
        shown = sorted(set(self.inputs) & set(self.predicted))
        if shown and self.horizon is None:
            raise fail(f"{', '.join(shown)} cannot be both seen and predicted in the same row")
        return self

    @property
    def predicted(self) -> list[str]:
        """The columns that are predicted."""
        return list(self.inputs if self.outputs is None else self.outputs)

    @property
    def holds_last(self) -> bool:
        """Whether the last rows are held out, and not every so many-th."""
        return (self.held_out or ("last" if self.to.startswith("simulate.") or self.horizon else "spread")) == "last"
