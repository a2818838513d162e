"""A PEtab problem as a calibration: parameters, conditions, observables and measurements with the model's equations."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml

from phaseflow.expressions.derivative import ZERO, substitute
from phaseflow.expressions.quantity import Expression, Quantity
from phaseflow.expressions.tree import Node, Symbol, find_names
from phaseflow.petab import PetabError
from phaseflow.petab.mathml import read_text, rename
from phaseflow.petab.sbml import Model, inline_all, read_model, read_number
from phaseflow.problems._experiments import Belief, Column, Record, Setup, Sought
from phaseflow.settings.systems import System

_TABLES = ("condition", "observable", "measurement")
_SCALES: dict[str, Literal["linear", "log", "log10"]] = {"lin": "linear", "log": "log", "log10": "log10"}
_PRIORS = {"normal": "normal", "laplace": "laplace", "uniform": "uniform", "logNormal": "lognormal", "logLaplace": "loglaplace"}
_ON_SCALE = {"parameterScaleNormal": "normal", "parameterScaleLaplace": "laplace", "parameterScaleUniform": "uniform"}
_PLACEHOLDER = re.compile(r"(observable|noise)Parameter(\d+)_(\w+)")


def list_files(path: Path) -> list[str]:
    """Return the names of the files of a problem, relative to the folder of the problem's own file, which is the first.

    Raises
    ------
    PetabError : the file or one that it names is not there, or it is no PEtab problem of version 1.
    """
    stated = _read_yaml(path)
    parameters = stated["parameter_file"]
    named = [*(parameters if isinstance(parameters, list) else [parameters])]
    for problem in stated["problems"]:
        named += [*problem.get("sbml_files", []), *(name for kind in _TABLES for name in problem.get(f"{kind}_files", []))]
    missing = [name for name in named if not (path.parent / name).is_file()]
    if missing:
        raise PetabError([f"{path}: the file {name!r} is not there" for name in missing])
    return [path.name, *dict.fromkeys(named)]


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        stated = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PetabError([f"{path} cannot be read: {' '.join(str(error).split())}"]) from None
    if not isinstance(stated, dict) or not isinstance(stated.get("problems"), list) or "parameter_file" not in stated:
        raise PetabError([f"{path} is no PEtab problem: it has no parameter_file or no list of problems"])
    if str(stated.get("format_version")) not in ("1", "1.0", "1.0.0"):
        raise PetabError([f"{path}: version {stated.get('format_version')!r} of PEtab is not supported, only 1"])
    if len(stated["problems"]) != 1 or len(stated["problems"][0].get("sbml_files", [])) != 1:
        raise PetabError([f"{path}: one problem with one SBML model is supported, not several"])
    return stated


def read_problem(path: Path) -> Setup:
    """Read a problem.

    Raises
    ------
    PetabError : it cannot be read or holds what is not supported; all of it is named.
    """
    list_files(path)
    stated, folder = _read_yaml(path), path.parent
    parameters = stated["parameter_file"]
    files = {"parameter": parameters if isinstance(parameters, list) else [parameters]}
    files |= {kind: stated["problems"][0].get(f"{kind}_files", []) for kind in _TABLES}
    tables = {kind: _read_tables([folder / name for name in names]) for kind, names in files.items()}
    model = read_model(folder / stated["problems"][0]["sbml_files"][0])
    reader = _Reader(model, tables)
    setup = reader.read()
    if reader.problems or setup is None:
        raise PetabError([f"{path}: {problem}" for problem in dict.fromkeys(reader.problems)])
    return setup


def _read_tables(paths: list[Path]) -> pd.DataFrame:
    frames = [pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False) for path in paths]
    return pd.concat(frames, ignore_index=True).fillna("") if frames else pd.DataFrame()


@dataclass(frozen=True)
class _Kind:
    """A column of measurements: an observable with the values of its placeholders."""

    observable: str
    observed: str
    noise: str


class _Reader:
    """Reads the tables of one problem, and keeps what is wrong with them."""

    def __init__(self, model: Model, tables: Mapping[str, pd.DataFrame]) -> None:
        self.model, self.tables = model, tables
        self.problems: list[str] = []
        self.rows = {rename(row["parameterId"]): row for row in _list_rows(tables["parameter"])}
        self.sought = [name for name, row in self.rows.items() if row.get("estimate", "1").strip() in ("1", "1.0")]

    def read(self) -> Setup | None:
        """Return the calibration; None where something is wrong."""
        self._check_tables()
        if self.problems:
            return None
        values = self._list_values()
        kinds = self._list_kinds()
        columns = tuple(self._read_column(kind, name, values) for kind, name in kinds.items())
        records = tuple(self._read_record(*key, rows, list(kinds), values) for key, rows in self._group())
        sought = self._read_sought()
        if self.problems:
            return None
        equations = {name: Expression(node) for name, node in self.model.equations.items()}
        zero = Quantity.parse(0)
        system = System.model_construct(equations=equations, parameters=dict.fromkeys(self.model.parameters, zero), initial={}, noise=None)
        names = (*self.model.parameters, *(name for name in self.rows if name not in self.model.parameters))
        return Setup(system, names, columns, records, sought, "given")

    # -- checks

    def _check_tables(self) -> None:
        wanted = {
            "parameter": ("parameterId", "parameterScale", "lowerBound", "upperBound", "estimate"),
            "condition": ("conditionId",),
            "observable": ("observableId", "observableFormula", "noiseFormula"),
            "measurement": ("observableId", "simulationConditionId", "measurement", "time"),
        }
        for kind, names in wanted.items():
            missing = [name for name in names if name not in self.tables[kind]]
            self.problems += [f"the {kind} table has no column {name!r}" for name in missing]
        if self.problems:
            return
        if any(row.get("preequilibrationConditionId", "") for row in _list_rows(self.tables["measurement"])):
            self.problems.append("preequilibration is not supported")
        if self.tables["measurement"]["time"].str.strip().str.lower().isin(["inf", "+inf", "infinity"]).any():
            self.problems.append("measurements in a steady state (time inf) are not supported")
        known = set(self.model.equations) | set(self.model.parameters)
        for name in self.tables["condition"].columns:
            if name not in ("conditionId", "conditionName") and rename(name) not in known:
                self.problems.append(f"the condition table sets {name!r}, which is no parameter, species or compartment of the model")

    # -- parameters

    def _list_values(self) -> dict[str, Node]:
        """Return for every parameter of the model and of the table a tree of what is sought, before any condition."""
        values: dict[str, Node] = {name: node for name, node in self.model.parameters.items() if node is not None}
        for name, row in self.rows.items():
            values[name] = Symbol(name) if name in self.sought else self._read_value(row.get("nominalValue", ""), f"parameter {name!r}")
        return values

    def _read_value(self, text: str, place: str) -> Node:
        """Read a number or the name of a parameter."""
        text = text.strip()
        try:
            value = float(text)
        except ValueError:
            if rename(text) in self.rows:
                return self._find_parameter(rename(text))
            self.problems.append(f"{place} has {text!r}, which is neither a number nor a parameter of the parameter table")
            return ZERO
        if not math.isfinite(value):
            self.problems.append(f"{place} has {text!r}, which is not finite")
            return ZERO
        return read_number(value)

    def _find_parameter(self, name: str) -> Node:
        return Symbol(name) if name in self.sought else self._read_value(self.rows[name].get("nominalValue", ""), f"parameter {name!r}")

    def _read_sought(self) -> Sought:
        rows = [self.rows[name] for name in self.sought]
        numbers = {key: np.array([self._read_float(row, key) for row in rows]) for key in ("lowerBound", "upperBound", "nominalValue")}
        scales = [self._find_scale(row) for row in rows]
        is_log = np.array([scale != "linear" for scale in scales], dtype=bool)
        lower, upper = numbers["lowerBound"], numbers["upperBound"]
        for name, low, high, log in zip(self.sought, lower, upper, is_log, strict=True):
            if not low < high or (log and low <= 0):
                self.problems.append(f"parameter {name!r} has the bounds {low:g} and {high:g}")
        with np.errstate(all="ignore"):
            middle = np.where(is_log, np.sqrt(lower * upper), (lower + upper) / 2)
        nominal = numbers["nominalValue"]
        start = np.clip(np.where(np.isfinite(nominal), nominal, middle), lower, upper)
        beliefs = {place: belief for place, row in enumerate(rows) if (belief := self._read_prior(row, scales[place]))}
        return Sought(tuple(self.sought), lower, upper, start, is_log, beliefs)

    def _find_scale(self, row: Mapping[str, str]) -> Literal["linear", "log", "log10"]:
        scale = row.get("parameterScale", "") or "lin"
        if scale not in _SCALES:
            self.problems.append(f"parameter {row['parameterId']!r} has the scale {scale!r}; lin, log and log10 are supported")
        return _SCALES.get(scale, "linear")

    def _read_float(self, row: Mapping[str, str], key: str) -> float:
        try:
            return float(row.get(key, "") or "nan")
        except ValueError:
            self.problems.append(f"parameter {row['parameterId']!r} has {row[key]!r} as {key}, which is no number")
            return math.nan

    def _read_prior(self, row: Mapping[str, str], scale: Literal["linear", "log", "log10"]) -> Belief | None:
        kind = row.get("objectivePriorType", "")
        if kind in ("", "parameterScaleUniform", "uniform"):
            return None  # uniform priors are the bounds, and add a constant
        if kind not in _PRIORS | _ON_SCALE:
            self.problems.append(f"parameter {row['parameterId']!r} has a prior {kind!r}, which is not supported")
            return None
        try:
            first, second = (float(part) for part in row.get("objectivePriorParameters", "").split(";"))
        except ValueError:
            self.problems.append(f"parameter {row['parameterId']!r} needs two numbers, as in 0;1, in objectivePriorParameters")
            return None
        return Belief(_ON_SCALE[kind], first, second, scale) if kind in _ON_SCALE else Belief(_PRIORS[kind], first, second)

    # -- observables

    def _list_kinds(self) -> dict[_Kind, str]:
        """Return the columns that the measurements make, with their names: an observable, or each of its overrides by number."""
        kinds = dict.fromkeys(_find_kind(row) for row in _list_rows(self.tables["measurement"]))
        counts: dict[str, int] = {}
        for kind in kinds:
            counts[kind.observable] = counts.get(kind.observable, 0) + 1
        named: dict[_Kind, str] = {}
        for kind in kinds:
            number = sum(other.observable == kind.observable for other in named) + 1
            named[kind] = kind.observable if counts[kind.observable] == 1 else f"{kind.observable}_{number}"
        return named

    def _read_column(self, kind: _Kind, name: str, values: Mapping[str, Node]) -> Column:
        rows = {row["observableId"]: row for row in _list_rows(self.tables["observable"])}
        shape, scale = "normal", "lin"
        formula: Node = ZERO
        size: Node = ZERO
        if kind.observable not in rows:
            self.problems.append(f"the observable {kind.observable!r} of the measurements is not in the observable table")
        else:
            row = rows[kind.observable]
            formula = self._fill(row["observableFormula"], kind, {})
            size = self._fill(row["noiseFormula"], kind, {rename(kind.observable): formula})
            shape, scale = row.get("noiseDistribution", "") or "normal", row.get("observableTransformation", "") or "lin"
        if shape not in ("normal", "laplace") or scale not in _SCALES:
            self.problems.append(f"the observable {kind.observable!r} has {shape!r} noise on the scale {scale!r}, which is not supported")
            shape, scale = "normal", "lin"
        known = {*self.model.equations, *values, "t"}
        for name_ in sorted((find_names(formula) | find_names(size)) - known):
            self.problems.append(f"the observable {kind.observable!r} needs {name_!r}, which nothing gives a value to")
        kept: Literal["normal", "laplace"] = "laplace" if shape == "laplace" else "normal"
        return Column(name, Expression(formula), Expression(size), kept, _SCALES[scale])

    def _fill(self, text: str, kind: _Kind, observed: Mapping[str, Node]) -> Node:
        """Read a formula, with the values of its placeholders and what assignment rules define."""
        try:
            tree = read_text(text)
        except ValueError as error:
            self.problems.append(f"the observable {kind.observable!r}: {error}")
            return ZERO
        given: dict[str, Node] = {}
        for match in {match.group(): match for match in _PLACEHOLDER.finditer(text)}.values():
            stated = [part for part in (kind.observed if match.group(1) == "observable" else kind.noise).split(";") if part.strip()]
            place = int(match.group(2))
            if place > len(stated):
                self.problems.append(f"{match.group()} has no value in the measurements of {kind.observable!r}")
                continue
            given[rename(match.group())] = self._read_value(stated[place - 1], f"{match.group()} of the measurements")
        return substitute(substitute(tree, given | dict(observed)), self.model.rules)

    # -- measurements

    def _group(self) -> Iterator[tuple[tuple[str], list[Mapping[str, str]]]]:
        for name, rows in self.tables["measurement"].groupby("simulationConditionId", sort=False):
            yield (str(name),), _list_rows(rows)

    def _read_record(self, name: str, rows: list[Mapping[str, str]], kinds: list[_Kind], values: Mapping[str, Node]) -> Record:
        """Return the record of one condition; measurements that repeat at a time are rows of their own."""
        places: dict[tuple[float, int, int], float] = {}
        repeats: dict[tuple[float, int], int] = {}
        for row in rows:
            try:
                time, value = float(row["time"]), float(row["measurement"] or "nan")
            except ValueError:
                self.problems.append(f"a measurement of {row['observableId']!r} has the time {row['time']!r} and {row['measurement']!r}")
                continue
            column = kinds.index(_find_kind(row))
            repeat = repeats.get((time, column), 0)
            repeats[time, column] = repeat + 1
            places[time, repeat, column] = value
        keys = sorted({(time, repeat) for time, repeat, _ in places})
        observed = np.full((len(keys), len(kinds)), np.nan)
        for (time, repeat, column), value in places.items():
            observed[keys.index((time, repeat)), column] = value
        given = self._read_condition(name)
        bound = self._bind(dict(values) | {key: node for key, node in given.items() if key not in self.model.equations})
        starts = dict(self.model.initial) | {key: node for key, node in given.items() if key in self.model.equations}
        starts |= {key: self._find_parameter(key) for key in self.rows if key in self.model.equations and key not in given}
        initial = {key: substitute(node, bound) for key, node in inline_all(starts).items()}
        self._check_closed(name, bound | initial)
        return Record(name, 0.0, np.array([time for time, _ in keys]), observed, bound, initial)

    def _read_condition(self, name: str) -> dict[str, Node]:
        found = [row for row in _list_rows(self.tables["condition"]) if row["conditionId"] == name]
        if len(found) != 1:
            self.problems.append(f"the condition {name!r} stands {len(found)} times in the condition table")
            return {}
        stated = {key: text for key, text in found[0].items() if key not in ("conditionId", "conditionName")}
        given = {key: text for key, text in stated.items() if text.strip().lower() not in ("", "nan")}
        return {rename(key): self._read_value(text, f"{key!r} in the condition {name!r}") for key, text in given.items()}

    def _bind(self, values: Mapping[str, Node]) -> dict[str, Node]:
        """Return the value of every parameter as a tree of what is sought."""
        own = {name: node for name, node in values.items() if not (isinstance(node, Symbol) and node.name == name)}
        written = inline_all({name: node for name, node in own.items() if not self._is_sought(node)})
        return {name: substitute(node, written) for name, node in values.items()}

    def _is_sought(self, node: Node) -> bool:
        return isinstance(node, Symbol) and node.name in self.sought

    def _check_closed(self, name: str, trees: Mapping[str, Node]) -> None:
        missing = sorted(set(self.model.parameters) - trees.keys())
        self.problems += [f"the parameter {parameter!r} of the model has no value in the condition {name!r}" for parameter in missing]
        for key, tree in trees.items():
            for other in sorted(find_names(tree) - set(self.sought)):
                self.problems.append(f"{key!r} needs {other!r}, which has no value in the condition {name!r}")


def _list_rows(table: pd.DataFrame) -> list[Mapping[str, str]]:
    return [{str(key): str(value) for key, value in row.items()} for row in table.to_dict("records")]


def _find_kind(row: Mapping[str, str]) -> _Kind:
    return _Kind(row["observableId"], row.get("observableParameters", ""), row.get("noiseParameters", ""))
