"""The types that every section of the config is made of."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from phaseflow.errors import shorten
from phaseflow.expressions.condition import Condition
from phaseflow.expressions.parser import is_name
from phaseflow.expressions.quantity import Expression, Quantity, Varying
from phaseflow.expressions.subscripts import read_subscript


class Settings(BaseModel):
    """A part of the config: frozen, strict, with no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class Planned:
    """Marks a key that is part of the language but not built yet: using it is an error that says so."""


PLANNED = Planned()


def is_planned(field: FieldInfo) -> bool:
    """Tell whether a field is marked as not built yet."""
    return any(mark is PLANNED for mark in field.metadata)


def fail(message: str) -> PydanticCustomError:
    """Return the error that a validator raises; its text reaches the user as it is."""
    return PydanticCustomError("phaseflow", "{message}", {"message": message})


def _checked(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def validate(value: Any) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            raise fail(str(error)) from None

    return validate


def _parse_formula(value: Any) -> Expression:
    return value if isinstance(value, Expression) else Expression.parse(value)


def _parse_condition(value: Any) -> Condition:
    return value if isinstance(value, Condition) else Condition.parse(value)


def _parse_number(value: Any) -> Quantity:
    return value if isinstance(value, Quantity) else Quantity.parse(value)


def _parse_start(value: Any) -> Quantity:
    """Parse a number, or an expression with names in it that an index may give a value to."""
    if isinstance(value, Quantity):
        return value
    varying = Varying.parse(value)
    return varying if varying.names else Quantity.parse(value)


def _parse_count(value: Any) -> Any:
    """Accept 1e6 for 1000000."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _parse_name(value: Any) -> str:
    if not isinstance(value, str) or not is_name(value) or len(value) > 64:
        raise ValueError(
            f"{shorten(value)} is not a name: letters, digits and _ of the English alphabet, not beginning with a digit, "
            "none of Python's own words and none of the functions and constants of expressions (t, pi, e, sin, ...)"
        )
    return value


def _parse_state(value: Any) -> str:
    if not isinstance(value, str) or "[" not in value:
        return _parse_name(value)
    found = read_subscript(value.replace(" ", ""))
    if found is None or found.index is None or found.offset or not (is_name(found.base) and is_name(found.index)):
        raise ValueError(f"{shorten(value)} is not a state: a name is wanted, or a name with its index alone, as in x[i]")
    if len(found.base) > _LONGEST_BASE:
        raise ValueError(f"{shorten(value)} is too long: a name with an index may have {_LONGEST_BASE} characters")
    return f"{found.base}[{found.index}]"


def _parse_label(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", value):
        raise ValueError(f"{shorten(value)} cannot name a file: up to 64 letters, digits, _ and - of the English alphabet")
    return value


# With the place of any state, the name keeps within the 64 characters of every name.
_LONGEST_BASE = 56
_NUMBER_SCHEMA = {"anyOf": [{"type": "number"}, {"type": "string"}], "description": "a number or a constant expression such as 8/3"}

Formula = Annotated[
    Expression,
    PlainValidator(_checked(_parse_formula)),
    PlainSerializer(str),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}], "description": "an expression"}),
]
Constraint = Annotated[
    Condition,
    PlainValidator(_checked(_parse_condition)),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "description": "a condition such as x + y >= 1"}),
]
Real = Annotated[Quantity, PlainValidator(_checked(_parse_number)), PlainSerializer(str), WithJsonSchema(_NUMBER_SCHEMA)]
Start = Annotated[Quantity, PlainValidator(_checked(_parse_start)), PlainSerializer(str), WithJsonSchema(_NUMBER_SCHEMA)]
Count = Annotated[int, BeforeValidator(_parse_count)]
Name = Annotated[str, BeforeValidator(_checked(_parse_name))]
State = Annotated[str, BeforeValidator(_checked(_parse_state))]
Label = Annotated[str, BeforeValidator(_checked(_parse_label))]


def positive(quantity: Quantity) -> Quantity:
    """Check that a quantity is above zero."""
    if not quantity.value > 0:
        raise fail(f"{quantity.text} must be greater than 0")
    return quantity


def not_negative(quantity: Quantity) -> Quantity:
    """Check that a quantity is zero or more."""
    if not quantity.value >= 0:
        raise fail(f"{quantity.text} must be 0 or greater")
    return quantity
