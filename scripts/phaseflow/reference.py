"""The reference of the config language, written from the settings themselves."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from phaseflow.catalogues import Catalogue, read_algorithms
from phaseflow.config import SECTIONS
from phaseflow.expressions.condition import Condition
from phaseflow.expressions.quantity import Expression, Quantity
from phaseflow.expressions.tree import FUNCTIONS
from phaseflow.plugins import list_plugins, load_plugin
from phaseflow.problem_sets import load_problem_set
from phaseflow.settings.base import Settings, is_planned
from phaseflow.settings.invariants import Invariants
from phaseflow.settings.report import Report
from phaseflow.settings.systems import System

_INTRODUCTION = """# The config

This page is written from the settings by `make docs`. A config has the sections below, all of them optional;
at least one of `simulate`, `optimize` and `fit` asks for something. Keys marked *not built yet* are part of the
language; using them is an error that says so.

`seed` is a whole number from which every random number of a run derives (default 0).

**Expressions** are text: numbers, `+ - * / **`, parentheses, names, the constants `pi` and `e`, the time `t`, and
{functions}. `where(condition, a, b)` takes one comparison. A number may be a constant expression such as `8/3`,
which stays exact. Inside `{{}}` an expression with a comma or an index needs quotes.

**An index** makes many states of one equation: with `index: {{i: N}}` and a parameter `N`, the state `x[i]` is `x_1` .. `x_N`,
and `x[i+1]`, `x[i-2]` are its neighbours, round a ring or, with `boundary: fixed`, 0 beyond the ends; `x[1]` is the first,
and `i` and `N` are numbers. Everything else sees the single states: `x_3` can be given an initial value, perturbed,
swept and measured alone. `N` can be overridden and not swept.

**Names** of states, parameters and variables have letters, digits and `_`; `lambda` and Python's other words
cannot be names.
"""

_CATALOGUE = """# The catalogue

This page is written from `scripts/phaseflow/catalogue/` by `make docs`. Each of these {count} systems is there under its name,
`system: lorenz63`; its file has its equations and its initial state. What is known of its solutions is what the tests hold
it against: conserved quantities, the divergence of its field where that is constant (the sum of all Lyapunov exponents),
published exponents and periods.
"""

_ALGORITHMS = """## Algorithms of `optimize`

`tolerance` takes the place of each tolerance in the last column: of the gradient (gtol), of the variables (xtol) and of the
value (ftol), absolute or relative. A value is flat at a minimum, so that a tolerance of the value alone leaves its square root in
the variables. For a minimum to eight digits and more ask for `tolerance: 1e-12`, and for `1e-16` with `scipy_truncated_newton`, which
stops by the value. Below 1e-14 rounding keeps some from saying that they have converged.
"""
_TYPE_NAMES: dict[Any, str] = {
    Condition: "condition",
    Quantity: "number",
    Expression: "expression",
    int: "whole number",
    str: "text",
    bool: "true or false",
    Any: "value",
}


def write_markdown() -> str:
    """Return the reference as Markdown."""
    functions = ", ".join(f"`{name}`" for name in FUNCTIONS)
    parts = [_INTRODUCTION.format(functions=functions)]
    for section, model in SECTIONS.items():
        parts += _describe_model(model, f"{section}.<name>", f"## {section}")
    parts += _describe_model(Report, "report", "## report")
    parts.append("## Figures\n\nEach is drawn from one section's entries; a list under `report.figures` chooses among them.\n")
    parts.append(_write_table(["figure", "drawn from", "options", "shows"], list(_list_figures())))
    parts.append("## Systems of the catalogue\n\nThey are listed in [catalogue.md](catalogue.md).\n")
    parts.append(_ALGORITHMS)
    parts.append(_write_table(["name", "uses", "keeps bounds", "keeps constraints", "tolerances"], list(_list_algorithms())))
    parts.append("## Test problems of `benchmark`\n\nf* is the least value known; a trial's `gap_relative` is (f - f*)/(f(start) - f*).\n")
    parts.append(_write_table(["set", "problems", "what they are", "source"], list(_list_problem_sets())))
    return "\n".join(parts)


def write_catalogue() -> str:
    """Return the page of the shipped systems as Markdown."""
    catalogue = Catalogue()
    head = ["name", "what it is", "states", "parameters", "source", "what is known of its solutions"]
    return _CATALOGUE.format(count=len(catalogue)) + "\n" + _write_table(head, [_describe_system(*item) for item in catalogue.items()])


def _describe_system(name: str, system: System) -> list[str]:
    link = f"[`{name}`](../scripts/phaseflow/catalogue/{name}.yaml)"
    states = ", ".join(f"`{state}`" for state in system.equations)
    ranges = "".join(f"; `{index}` = 1 .. `{size}`, {system.boundary or 'periodic'}" for index, size in (system.index or {}).items())
    parameters = ", ".join(f"`{parameter}` = {value.text}" for parameter, value in system.parameters.items())
    return [link, str(system.description), states + ranges, parameters, str(system.source), _describe_invariants(system.invariants)]


def _describe_invariants(known: Invariants | None) -> str:
    if known is None:
        return ""
    said = [f"{name} is conserved" for name in known.conserved]
    if known.divergence is not None:
        said.append("volume is conserved" if known.divergence.text == "0" else f"divergence `{known.divergence.text}`")
    if known.lyapunov is not None and known.lyapunov_error is not None:
        said.append(f"exponents {', '.join(value.text for value in known.lyapunov)} (to {known.lyapunov_error.text})")
    if known.period is not None:
        said.append(f"period {known.period.text}")
    return "; ".join(said) + (f" ({known.source})" if known.source else "")


def write_schema() -> str:
    """Return the JSON Schema that editors complete from."""
    properties: dict[str, Any] = {"seed": {"type": "integer", "minimum": 0, "description": "every random number derives from it"}}
    definitions: dict[str, Any] = {}
    models: dict[str, type[Settings]] = {**SECTIONS, "report": Report}
    for section, model in models.items():
        schema = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions |= schema.pop("$defs", {})
        definitions[model.__name__] = schema
        reference = {"$ref": f"#/$defs/{model.__name__}"}
        entries = {"type": "object", "additionalProperties": reference, "description": model.__doc__}
        properties[section] = reference if section == "report" else entries
    top: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Phaseflow config", "type": "object"}
    top |= {"properties": properties, "additionalProperties": False, "$defs": dict(sorted(definitions.items()))}
    return json.dumps(top, indent=1) + "\n"


def _describe_model(model: type[Settings], path: str, title: str) -> Iterator[str]:
    yield f"{title}\n\n{_first_line(model)}\n"
    rows, nested = [], []
    for key, field in model.model_fields.items():
        note = " *Not built yet.*" if is_planned(field) else ""
        rows.append([f"`{key}`", _name_field(key, field), _format_default(field), f"{field.description}{note}"])
        nested += [(inner, f"{path}.{key}") for inner in _find_nested(field) if not is_planned(field)]
    yield _write_table(["key", "type", "default", "meaning"], rows)
    for inner, where in nested:
        yield from _describe_model(inner, where, f"### `{where}`")


def _find_nested(field: FieldInfo) -> list[type[Settings]]:
    found: list[type[Settings]] = []
    _collect_settings(field.annotation, found)
    return [model for model in found if model.__name__ != "System"]


def _collect_settings(annotation: Any, found: list[type[Settings]]) -> None:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        found.append(annotation)
    for part in get_args(annotation):
        _collect_settings(part, found)


def _first_line(model: type[Settings]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _name_field(key: str, field: FieldInfo) -> str:
    return "axes, or a list of them" if key == "sweep" else _name_type(field.annotation)


def _name_type(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        return _name_type(parts[0])
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_name_type(part) for part in parts if part is not type(None)))
    if origin is dict:
        return f"names to {_name_type(parts[1])}"
    if origin is list:
        return f"list of {_name_type(parts[0])}"
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return "keys below" if annotation.__name__ != "System" else "a system"
    return _TYPE_NAMES.get(annotation, str(annotation))


def _format_default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None or field.default in ({}, []) or isinstance(field.default, Settings):
        return ""
    return f"`{field.default}`"


def _list_algorithms() -> Iterator[list[str]]:
    from phaseflow.problems._search import list_tolerances

    for name, algorithm in read_algorithms().items():
        uses = "exact gradient and Hessian" if algorithm.hessian else "exact gradient" if algorithm.gradient else "values alone"
        tolerances = ", ".join(f"`{option}`" for option in list_tolerances(name))
        yield [f"`{name}`", uses, "yes" if algorithm.bounds else "no", algorithm.constraints, tolerances or "none"]


def _list_problem_sets() -> Iterator[list[str]]:
    for name in list_plugins("problem_sets"):
        found = load_problem_set(name)
        yield [f"`{name}`", str(len(found.dimensions)), found.description, found.source]


def _list_figures() -> Iterator[list[str]]:
    for name in list_plugins("figures"):
        figure = load_plugin("figures", name)
        options = ", ".join(f"`{key}`" for key in figure.options.model_fields)
        module = __import__(f"phaseflow.figures.{name}", fromlist=["__doc__"])
        yield [f"`{name}`", f"`{figure.section}`", options, (module.__doc__ or "").strip().split(": ", 1)[-1]]


def _write_table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines) + "\n"
