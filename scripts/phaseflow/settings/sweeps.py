"""How the values of a sweep are written: lists, ranges, grids, and lists of grids."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Discriminator, Field, PlainSerializer, PlainValidator, Tag, WithJsonSchema, model_validator

from phaseflow.errors import KeyPath, Mistake, shorten
from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.base import Count, Real, Settings, fail
from phaseflow.sweeps import Axis

MAX_MEMBERS = 100_000_000


class Range(Settings):
    """Evenly spaced values, both ends included."""

    start: Real = Field(description="the first value")
    stop: Real = Field(description="the last value")
    count: Count = Field(ge=1, le=MAX_MEMBERS, description="how many values")
    scale: Literal["linear", "log"] = Field("linear", description="even steps of the value, or of its logarithm")

    @model_validator(mode="after")
    def _check_log(self) -> Range:
        if self.scale == "log" and not (self.start.value > 0 and self.stop.value > 0):
            raise fail("a range with scale: log needs start and stop greater than 0")
        if self.count > 1 and self.start.value == self.stop.value:
            raise fail(f"start and stop are both {self.start.text}: a range of {self.count} needs two different ends")
        return self


def _parse_value(value: Any) -> Quantity | str:
    if isinstance(value, Quantity):
        return value
    try:
        return Quantity.parse(value)
    except ValueError:
        if isinstance(value, str) and value.isidentifier():
            return value
        raise fail(f"{shorten(value)} is neither a number nor a name") from None


_Value = Annotated[
    Any,
    PlainValidator(_parse_value),
    PlainSerializer(str),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]}),
]
_Written = Range | list[float | str] | float | str
Values = Annotated[
    Annotated[Range, Tag("<range>")] | Annotated[list[_Value], Field(min_length=1), Tag("<list>")],
    Discriminator(lambda value: "<range>" if isinstance(value, (dict, Range)) else "<list>"),
    BeforeValidator(lambda value: value if isinstance(value, (dict, list, Range)) else [value], json_schema_input_type=_Written),
]
Sweep = Annotated[
    list[dict[str, Values]],
    Field(min_length=1),
    BeforeValidator(
        lambda value: [value] if isinstance(value, dict) else value,
        json_schema_input_type=dict[str, _Written] | list[dict[str, _Written]],
    ),
]


def expand_axis(name: str, values: Range | list[Quantity | str], kind: str) -> Axis:
    """Return an axis as an array: doubles for numbers, texts for words, 0 .. n-1 for a count."""
    if kind == "count":
        return Axis(name, np.arange(count_values(values, kind), dtype=np.int64))
    if isinstance(values, Range):
        ends = values.start.value, values.stop.value, values.count
        return Axis(name, np.geomspace(*ends) if values.scale == "log" else np.linspace(*ends))
    if kind == "word":
        return Axis(name, np.array(list(dict.fromkeys(str(value) for value in values))))
    doubles = [value.value + 0.0 for value in values if isinstance(value, Quantity)]
    return Axis(name, np.array(list(dict.fromkeys(doubles))))


def count_values(values: Range | list[Quantity | str], kind: str) -> int:
    """Return how many values an axis has, without laying them out."""
    if isinstance(values, Range):
        return values.count
    return int(values[0].value) if kind == "count" and isinstance(values[0], Quantity) else len(values)


def check_axis(path: KeyPath, values: Range | list[Quantity | str], kind: str) -> list[Mistake]:
    """Check that the values of an axis are of its kind."""
    if isinstance(values, Range):
        return [] if kind == "number" else [Mistake(path, "a range has numbers; a list is wanted here")]
    if kind == "count":
        only = values[0]
        is_count = len(values) == 1 and isinstance(only, Quantity) and only.value >= 1 and only.value.is_integer()
        return [] if is_count else [Mistake(path, f"{shorten([str(v) for v in values])} must be one whole number, 1 or more")]
    wrong = [value for value in values if isinstance(value, Quantity) != (kind == "number")]
    wanted = "number" if kind == "number" else "name"
    return [Mistake(path, f"{shorten(str(value))} is not a {wanted}") for value in wrong[:3]]


def check_size(path: KeyPath, grids: Sequence[Sequence[int]]) -> list[Mistake]:
    """Check that grids, which add up, are of a size that can be planned."""
    total = sum(math.prod(sizes) for sizes in grids)
    if total <= MAX_MEMBERS:
        return []
    written = [" x ".join(map(str, sizes)) for sizes in grids[:3]] + ["..."] * (len(grids) > 3)
    return [Mistake(path, f"{' + '.join(written)} = {total:.3g} members; at most {MAX_MEMBERS:.0e} can be planned")]
