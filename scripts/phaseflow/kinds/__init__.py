"""Kinds of studies and fits, one plugin each: what a config may say of them, checked before anything runs.

How a kind is computed stands in the plugin of the same name in `problems/` or `models/`; what stands here
imports no engine, since every process that plans reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from phaseflow.catalogues import read_algorithms
from phaseflow.data import Table
from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.quantity import Quantity
from phaseflow.plugins import load_plugin
from phaseflow.settings.fits import Fit
from phaseflow.settings.scenarios import Scenario
from phaseflow.settings.studies import Study
from phaseflow.settings.sweeps import Range, check_axis, check_size, count_values, expand_axis
from phaseflow.settings.systems import System
from phaseflow.sweeps import Identity, Members, plan_members


@dataclass(frozen=True)
class Context:
    """What else the config holds that a study or a fit may refer to.

    Attributes
    ----------
    columns : the columns of each table that can be referred to, by `<section>.<name>`.
    known : the names of all tables, also of those with mistakes of their own.
    tables : the tables from outside, by `data.<name>`.
    broken : the names of systems with mistakes of their own.
    """

    systems: Mapping[str, System]
    scenarios: Mapping[str, Scenario]
    columns: Mapping[str, Sequence[str]]
    known: frozenset[str]
    tables: Mapping[str, Table] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()

    def check_system(self, path: KeyPath, stated: System | str | None) -> list[Mistake]:
        """Check a system that is stated in place, or that there is one of a name."""
        if isinstance(stated, System):
            return stated.check(path)
        if stated is None or stated in self.systems or stated in self.broken:
            return []
        return [Mistake(path, f"there is no system {stated!r}{suggest(stated, self.systems)}")]

    def find_system(self, stated: System | str | None) -> System | None:
        """Return a system with its index written out, or None where there is none without mistakes."""
        if isinstance(stated, System):
            return None if stated.check(()) else stated.expand()
        return None if stated is None or stated not in self.systems else self.systems[stated].expand()

    def check_table(self, path: KeyPath, name: str) -> list[Mistake]:
        """Check that there is a table of a name."""
        if name in self.known:
            return []
        return [Mistake(path, f"there is no table {name!r}{suggest(name, self.columns)}")]

    def list_columns(self, table: str, of_scenario: Literal["members", "trajectories"] = "members") -> Sequence[str] | None:
        """Return the columns of a table, where it is known; `of_scenario` tells which table of a scenario is meant."""
        section, _, name = table.partition(".")
        if section == "simulate" and of_scenario == "trajectories" and name in self.scenarios:
            return ["member", "t", *self.scenarios[name].definition.equations]
        return self.columns.get(table)

    def check_columns(
        self,
        path: KeyPath,
        table: str,
        wanted: Sequence[str] | frozenset[str],
        of_scenario: Literal["members", "trajectories"] = "members",
    ) -> list[Mistake]:
        """Check that a table has columns; one that is not known has been complained of elsewhere."""
        columns = self.list_columns(table, of_scenario)
        missing = sorted(set(wanted) - set(columns)) if columns is not None else []
        return [Mistake(path, f"{table} has no column {name!r}{suggest(name, columns or [])}") for name in missing]

    def check_kept(self, path: KeyPath, table: str) -> list[Mistake]:
        """Check that a table that is a scenario's keeps its trajectories."""
        section, _, name = table.partition(".")
        if section != "simulate" or name not in self.scenarios or self.scenarios[name].keeps_trajectories:
            return []
        return [Mistake(path, f"{table} keeps no trajectories: give it time.samples, and leave out keep: none")]


@dataclass(frozen=True)
class AxisKind:
    """What a sweep over an axis may hold, and what a trial has where it is not swept.

    Attributes
    ----------
    column : the name of the column that the axis fills.
    is_aside : says how to compute, not what: trials that differ in it alone share their random numbers.
    is_random : its values after the first are drawn at random.
    """

    values: Literal["number", "word", "count"]
    column: str
    base: float | int | str
    is_aside: bool = False
    is_random: bool = False
    allowed: frozenset[str] | None = None


@dataclass(frozen=True)
class StudyKind:
    """A kind of study.

    Attributes
    ----------
    axes : what can be swept, by the name of the axis.
    define : the canonical text of the problem.
    columns : the columns that the answer fills.
    evidence : the columns of evidence that answers of this kind alone have.
    check : the mistakes that types cannot tell.
    resolve : the study with what it refers to written out.
    sources : the tables that a trial reads, as `<section>.<name>`.
    plugins : the further plugins that a trial is made with: folder and name.
    is_random : the trials draw random numbers whatever is swept.
    """

    axes: Callable[[Study], Mapping[str, AxisKind]]
    define: Callable[[Study], str]
    columns: Callable[[Study], list[str]]
    check: Callable[[Study, KeyPath, Context], list[Mistake]]
    resolve: Callable[[Study, Context], Study] = lambda study, _: study
    sources: Callable[[Study], list[str]] = lambda _: []
    evidence: Callable[[Study], list[str]] = lambda _: []
    plugins: Callable[[Study], list[tuple[str, str]]] = lambda _: []
    is_random: bool = False


@dataclass(frozen=True)
class FitKind:
    """A kind of fit.

    Attributes
    ----------
    check : the mistakes that types cannot tell.
    resolve : the fit with what it refers to written out.
    of_scenario : which table is fitted where `to` names a scenario: `members` or `trajectories`.
    is_random : the result depends on the seed.
    """

    check: Callable[[Fit, KeyPath, Context], list[Mistake]]
    resolve: Callable[[Fit, Context], Fit] = lambda fit, _: fit
    of_scenario: Literal["members", "trajectories"] = "members"
    is_random: bool = False


def load_study_kind(study: Study) -> StudyKind:
    """Return the kind of a study."""
    kind: StudyKind = load_plugin("kinds", study.kind)
    return kind


def load_fit_kind(fit: Fit) -> FitKind:
    """Return the kind of a fit."""
    kind: FitKind = load_plugin("kinds", fit.kind)
    return kind


def list_study_plugins(study: Study) -> list[tuple[str, str]]:
    """Return the plugins that the trials of a study are made with: folder and name."""
    return [("kinds", study.kind), ("problems", study.kind), *load_study_kind(study).plugins(study)]


def lay_out_trials(study: Study) -> Members:
    """Return the trials of a resolved study."""
    kind = load_study_kind(study)
    axes = kind.axes(study)
    swept = {name for block in study.sweep or [{}] for name in block}
    values = {axis.column: axis.base for axis in axes.values()}
    aside = frozenset(axis.column for axis in axes.values() if axis.is_aside)
    blocks = [
        [expand_axis(axes[name].column, values, axes[name].values) for name, values in block.items()] for block in study.sweep or [{}]
    ]
    unnamed = [axis for name, axis in axes.items() if name == "algorithm" and name not in swept]
    always = [expand_axis(axis.column, [str(axis.base)], "word") for axis in unnamed]
    return plan_members(Identity(kind.define(study), values, aside), [[*block, *always] for block in blocks], study.chunk or 1)


def is_random_study(study: Study) -> bool:
    """Tell whether the result of a study depends on the seed: by its axes, or by an algorithm that draws random numbers."""
    kind, algorithms = load_study_kind(study), read_algorithms()
    axes, names = kind.axes(study), set(list_algorithms(study))
    return (
        kind.is_random
        or any(axes[name].is_random for block in study.sweep or [] for name in block)
        or any(algorithm.random for name, algorithm in algorithms.items() if name in names)
    )


def list_algorithms(study: Study) -> list[str]:
    """Return the names of the algorithms that a study is to run, each once, also those that do not exist."""
    axes, blocks = load_study_kind(study).axes(study), study.sweep or [{}]
    named = [block.get("algorithm", [axes["algorithm"].base] if "algorithm" in axes else []) for block in blocks]
    return list(dict.fromkeys(str(value) for values in named if not isinstance(values, Range) for value in values))


def list_problem_columns(study: Study) -> list[str]:
    """Return the columns of a study's sweep that tell one problem from another; trials that agree in them can be compared by value."""
    axes = load_study_kind(study).axes(study)
    swept = [axes[name] for block in study.sweep or [] for name in block]
    return list(dict.fromkeys(axis.column for axis in swept if not axis.is_aside))


def check_study(study: Study, path: KeyPath, context: Context) -> list[Mistake]:
    """Check a study: what its kind checks, and its sweep."""
    kind = load_study_kind(study)
    mistakes = kind.check(study, path, context)
    axes = kind.axes(study if mistakes else kind.resolve(study, context))
    for place, block in enumerate(study.sweep or []):
        here = (*path, "sweep") if len(study.sweep or []) == 1 else (*path, "sweep", place)
        found = [mistake for name, values in block.items() for mistake in _check_values((*here, name), name, values, axes)]
        mistakes += found
    if mistakes:
        return mistakes
    grids = [[count_values(values, axes[name].values) for name, values in block.items()] for block in study.sweep or []]
    return check_size((*path, "sweep"), grids)


def _check_values(path: KeyPath, name: str, values: Range | list[Quantity | str], axes: Mapping[str, AxisKind]) -> list[Mistake]:
    if name not in axes:
        return [Mistake(path, f"{name!r} cannot be swept{suggest(name, axes)}")]
    found = check_axis(path, values, axes[name].values)
    allowed = axes[name].allowed
    if found or allowed is None or isinstance(values, Range):
        return found
    return [Mistake(path, f"there is no {name} {str(v)!r}{suggest(str(v), allowed)}") for v in values if str(v) not in allowed]
