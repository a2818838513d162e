"""How far it is tried to prove what an optimum is."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.base import Count, Real, Settings, positive


class Proof(Settings):
    """What is tried to prove of each answer."""

    bits: Count = Field(240, ge=106, le=10_000, description="the precision of Newton's method and of the enclosures")
    near: Annotated[Real, AfterValidator(positive)] = Field(
        Quantity.parse("1e-3"),
        description="an answer farther than this from the stationary point, in units of max(1, |x|), has no certificate",
    )
    variables: Count = Field(60, ge=0, description="problems of more variables have no certificate: the time grows with the cube")
    boxes: Count = Field(
        2_000,
        ge=0,
        le=10_000_000,
        description="into how many boxes the bounds are cut at most to enclose the least value of all; for up to 6 variables, each with "
        "both bounds; 0: not tried",
    )


def _read_word(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, Proof) else value


Certify = Annotated[Literal["none"] | Proof | None, BeforeValidator(_read_word, json_schema_input_type=Literal["none"] | Proof)]
