"""Walk the settings' own definition: for error messages, for keys not built yet, for the reference page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from phaseflow.errors import KeyPath, Mistake, shorten, suggest
from phaseflow.settings.base import Settings, is_planned


def find_settings(annotation: Any) -> type[Settings] | None:
    """Return the first settings class inside a type."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    for part in get_args(annotation):
        if found := find_settings(part):
            return found
    return None


def find_keys(model: type[Settings], path: Sequence[str | int]) -> list[str]:
    """Return the keys that are allowed at a path below a settings class."""
    annotation: Any = model
    for key in path:
        here = find_settings(annotation)
        if here is not None and key in here.model_fields:
            annotation = here.model_fields[str(key)].annotation
    found = find_settings(annotation)
    return list(found.model_fields) if found else []


def find_planned(settings: Settings, path: KeyPath) -> Iterator[Mistake]:
    """Yield a mistake for each key in use that is not built yet."""
    for key in settings.model_fields_set:
        field, value = type(settings).model_fields[key], getattr(settings, key)
        if is_planned(field):
            yield Mistake((*path, key), f"{key!r} is part of the language but not built yet")
        elif isinstance(value, Settings):
            yield from find_planned(value, (*path, key))


def list_mistakes(error: ValidationError, model: type[Settings], entry: Any, path: KeyPath) -> list[Mistake]:
    """Turn pydantic's errors into mistakes that say what stands there and what may.

    Parameters
    ----------
    entry : the data that was validated, as it was written.
    path : where it stands.
    """
    mistakes = []
    for item in error.errors(include_url=False):
        here = _find_written(entry, item["loc"])
        mistakes.append(Mistake((*path, *here), _describe(item, model, here)))
    return mistakes


def _find_written(entry: Any, path: Sequence[str | int]) -> KeyPath:
    """Return a path without pydantic's own marks, and without the places of lists that the user wrote as a single value."""
    written: list[str | int] = []
    for key in path:
        is_mark = (str(key).startswith("<") or key == "[key]") and not (isinstance(entry, dict) and key in entry)
        if is_mark or (isinstance(key, int) and not isinstance(entry, list)):
            continue
        written.append(key)
        if isinstance(entry, dict):
            entry = entry.get(key)
        elif isinstance(entry, list) and isinstance(key, int):
            entry = entry[key]
    return tuple(written)


def _describe(item: Any, model: type[Settings], path: KeyPath) -> str:
    kind, message, value = item["type"], item["msg"], shorten(item["input"])
    if kind == "extra_forbidden":
        return f"unknown key{suggest(str(path[-1]), find_keys(model, path[:-1]))}"
    if kind == "missing":
        return "this key is wanted and is not there"
    if kind == "phaseflow":
        return str(message)
    if kind == "literal_error":
        return f"{value} is not one of {item['ctx']['expected']}"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"{value} is not a mapping of keys to values{suggest('', find_keys(model, path))}"
    wanted = message.replace("Input should be ", "").replace("a valid ", "a ").replace("a integer", "a whole number")
    return f"{value} is not allowed: it should be {wanted}"
