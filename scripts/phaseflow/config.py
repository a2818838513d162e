"""From config.yaml to checked settings: every mistake at once, before anything runs."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from phaseflow.catalogues import Catalogue
from phaseflow.data import Table, find_table
from phaseflow.errors import ConfigError, DataError, KeyPath, Mistake, shorten, suggest
from phaseflow.figures import Figure
from phaseflow.kinds import Context, check_study, load_fit_kind, load_study_kind
from phaseflow.plugins import list_plugins, load_plugin
from phaseflow.settings.base import Settings
from phaseflow.settings.document import Document, read_document
from phaseflow.settings.fields import find_planned, list_mistakes
from phaseflow.settings.fits import Fit
from phaseflow.settings.report import Data, Report
from phaseflow.settings.scenarios import Scenario
from phaseflow.settings.studies import EVIDENCE, Study
from phaseflow.settings.suitability import check_scenario
from phaseflow.settings.systems import System

MAX_BYTES = 20_000_000
SECTIONS: dict[str, type[Settings]] = {"systems": System, "data": Data, "simulate": Scenario, "optimize": Study, "fit": Fit}
S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class FigureRequest:
    """One figure to draw: the plugin, what it is drawn from, its options and its caption."""

    name: str
    section: str
    source: str
    options: Settings
    caption: str | None = None


@dataclass(frozen=True)
class Config:
    """A checked config; scenarios and studies are resolved: systems written out, defaults filled in."""

    seed: int
    data: Mapping[str, Data]
    tables: Mapping[str, Table]
    scenarios: Mapping[str, Scenario]
    studies: Mapping[str, Study]
    fits: Mapping[str, Fit]
    report: Report
    figures: tuple[FigureRequest, ...]


def load_config(path: Path) -> Config:
    """Read and check a config file.

    Raises
    ------
    ConfigError : the file cannot be read or holds mistakes; all of them are listed.
    """
    source = str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(source, [Mistake((), f"the file is larger than {MAX_BYTES // 1_000_000} MB")])
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise ConfigError(source, [Mistake((), f"the file cannot be read: {reason}")]) from None
    document = read_document(text, source)
    checker = _Checker(document, path.parent)
    config = checker.check()
    if checker.mistakes:
        raise ConfigError(source, checker.mistakes, document.lines)
    return config


@dataclass
class _Checker:
    """Validate section by section and entry by entry, so that one mistake hides no other."""

    document: Document
    folder: Path
    mistakes: list[Mistake] = field(default_factory=list)
    broken: dict[str, set[str]] = field(default_factory=dict)

    def check(self) -> Config:
        self.mistakes += self.document.mistakes
        self._check_keys()
        own = dict(self._find_systems())
        systems: Mapping[str, System] = ChainMap(own, Catalogue())  # type: ignore[arg-type]
        data = dict(self._validate("data", Data))
        tables = dict(self._find_tables(data))
        broken = frozenset(self.broken["systems"])
        known = set(broken) | set(systems)
        scenarios = {}
        for name, scenario in self._validate("simulate", Scenario):
            found = check_scenario(scenario, ("simulate", name), systems, known)
            self.mistakes += found
            if found:
                self.broken["simulate"].add(name)
            elif not isinstance(scenario.system, str) or scenario.system in systems:
                scenarios[name] = scenario.resolve(systems)
        studies, fits = dict(self._validate("optimize", Study)), dict(self._validate("fit", Fit))
        columns = {f"data.{name}": table.columns for name, table in tables.items()}
        columns |= {f"simulate.{name}": list_member_columns(scenario) for name, scenario in scenarios.items()}
        context = Context(systems, scenarios, columns, self._list_names(), {f"data.{n}": t for n, t in tables.items()}, broken)
        studies = dict(self._resolve_studies(studies, context))
        columns |= {f"optimize.{name}": list_trial_columns(study) for name, study in studies.items()}
        fits = dict(self._resolve_fits(fits, context))
        report = self._validate_one("report", Report, Report())
        config = Config(self._read_seed(), data, tables, scenarios, studies, fits, report, ())
        return self._with_figures(config)

    def _check_keys(self) -> None:
        allowed = ["seed", *SECTIONS, "report"]
        for key in self.document.data:
            if key not in allowed:
                self.mistakes.append(Mistake((key,), f"unknown key{suggest(key, allowed)}"))
        if not any(self.document.data.get(key) for key in ("simulate", "optimize", "fit")):
            self.mistakes.append(Mistake((), "nothing is asked for: give at least one of simulate, optimize and fit"))

    def _read_seed(self) -> int:
        seed = self.document.data.get("seed", 0)
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
            self.mistakes.append(Mistake(("seed",), f"{shorten(seed)} is not a whole number from 0 to 2**63 - 1"))
            return 0
        return seed

    def _validate(self, section: str, model: type[S]) -> Iterator[tuple[str, S]]:
        """Yield the valid entries of a section, in the order of the file."""
        self.broken[section] = set()
        entries = self.document.data.get(section) or {}
        if not isinstance(entries, dict):
            self.mistakes.append(Mistake((section,), f"{shorten(entries)} is not a mapping of names to settings"))
            return
        for name, entry in entries.items():
            if not _is_label(name):
                text = "a name here has up to 64 letters, digits, _ and - of the English alphabet"
                self.mistakes.append(Mistake((section, name), text))
            elif (valid := self._validate_entry((section, name), entry, model)) is not None:
                yield name, valid
                continue
            self.broken[section].add(name)

    def _validate_entry(self, path: KeyPath, entry: Any, model: type[S]) -> S | None:
        try:
            settings = model.model_validate(entry)
        except ValidationError as error:
            self.mistakes += list_mistakes(error, model, entry, path)
            return None
        planned = list(find_planned(settings, path))
        self.mistakes += planned
        return None if planned else settings

    def _validate_one(self, section: str, model: type[S], default: S) -> S:
        if self.document.data.get(section) is None:
            return default
        return self._validate_entry((section,), self.document.data[section], model) or default

    def _find_systems(self) -> Iterator[tuple[str, System]]:
        for name, system in self._validate("systems", System):
            found = system.check(("systems", name))
            self.mistakes += found
            if found:
                self.broken["systems"].add(name)
            else:
                yield name, system

    def _find_tables(self, data: Mapping[str, Data]) -> Iterator[tuple[str, Table]]:
        for name, stated in data.items():
            try:
                table = find_table(stated.file, stated.dataset, self.folder)
                _ = table.columns
            except (ValueError, OSError, DataError) as error:
                self.mistakes.append(Mistake(("data", name), str(error)))
                self.broken["data"].add(name)
                continue
            yield name, table

    def _resolve_studies(self, studies: Mapping[str, Study], context: Context) -> Iterator[tuple[str, Study]]:
        for name, study in studies.items():
            path = ("optimize", name)
            found = study.check_names(path) + check_study(study, path, context)
            self.mistakes += found
            if found:
                self.broken["optimize"].add(name)
            else:
                yield name, load_study_kind(study).resolve(study.with_defaults(), context)

    def _resolve_fits(self, fits: Mapping[str, Fit], context: Context) -> Iterator[tuple[str, Fit]]:
        for name, fit in fits.items():
            path, kind = ("fit", name), load_fit_kind(fit)
            found = context.check_table((*path, "to"), fit.to) + kind.check(fit, path, context)
            self.mistakes += found
            if found:
                self.broken["fit"].add(name)
            else:
                yield name, kind.resolve(fit, context)

    def _list_names(self) -> frozenset[str]:
        """Return the names of all tables, also of those with mistakes."""
        sections = {section: self.document.data.get(section) for section in ("data", "simulate", "optimize")}
        return frozenset(f"{section}.{name}" for section, names in sections.items() if isinstance(names, dict) for name in names)

    def _with_figures(self, config: Config) -> Config:
        if config.report.figures == "auto":
            figures = list(_choose_figures(config))
        else:
            figures = [r for place, item in enumerate(config.report.figures) if (r := self._read_figure(place, item, config))]
        return replace(config, figures=tuple(figures))

    def _read_figure(self, place: int, item: dict[str, Any], config: Config) -> FigureRequest | None:
        path: KeyPath = ("report", "figures", place)
        names = [key for key in item if key in list_plugins("figures")]
        if len(names) != 1:
            wanted = f"a figure names one of {', '.join(list_plugins('figures'))}"
            hint = "".join(suggest(key, list_plugins("figures")).split(" (")[0] for key in list(item)[:1] if not names)
            self.mistakes.append(Mistake(path, f"{shorten(item)}: {wanted}{hint}"))
            return None
        name, source = names[0], str(item[names[0]])
        figure: Figure = load_plugin("figures", name)
        options = self._validate_entry(path, {key: value for key, value in item.items() if key not in (name, "caption")}, figure.options)
        caption = item.get("caption")
        if caption is not None and not isinstance(caption, str):
            self.mistakes.append(Mistake((*path, "caption"), f"{shorten(caption)} is not a text"))
        section, _, entry = source.partition(".")
        allowed = [f"{figure.section}.{n}" for n in list_entries(config)[figure.section]]
        if source in allowed:
            return FigureRequest(name, section, entry, options, caption) if options else None
        if section != figure.section or entry not in self.broken[section]:
            self.mistakes.append(Mistake((*path, name), f"{name} cannot be drawn from {source!r}{suggest(source, allowed)}"))
        return None


def list_entries(config: Config) -> dict[str, Mapping[str, Any]]:
    """Return the entries of the sections that have results, by section."""
    return {"simulate": config.scenarios, "optimize": config.studies, "fit": config.fits}


def list_member_columns(scenario: Scenario) -> list[str]:
    """Return the columns of a scenario's members.parquet that a fit may use."""
    swept = list(dict.fromkeys(axis.name for axes in scenario.expand_blocks() for axis in axes))
    states = list(scenario.definition.equations)
    return ["member", *swept, *(f"{state}_0" for state in states), "steps", "status_time", *scenario.list_measures()]


def list_trial_columns(study: Study) -> list[str]:
    """Return the columns of a study's CSV that a fit may use."""
    kind = load_study_kind(study)
    swept = [kind.axes(study)[name].column for block in study.sweep or [] for name in block]
    return ["trial", *dict.fromkeys(swept), "value", *kind.columns(study), "evaluations", "gradients", *EVIDENCE, *kind.evidence(study)]


def _choose_figures(config: Config) -> Iterator[FigureRequest]:
    plugins: list[tuple[str, Figure]] = [(name, load_plugin("figures", name)) for name in list_plugins("figures")]
    plugins.sort(key=lambda plugin: not plugin[1].is_lead)
    for section, entries in list_entries(config).items():
        for source, settings in entries.items():
            for name, figure in plugins:
                if figure.section == section and figure.suits(settings):
                    yield FigureRequest(name, section, source, figure.options())


def _is_label(name: str) -> bool:
    return len(name) <= 64 and name.replace("-", "_").replace("_", "a").isalnum() and name.isascii() and not name.startswith("-")
