"""From a checked config to what is to be made: chunks, tables, figures and the page, each with its origin.

Everything follows from the config, the code and the data, so any process can plan anew and finds the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from phaseflow import paths
from phaseflow.config import Config, FigureRequest, list_entries
from phaseflow.estimates import Estimate, estimate_chunk
from phaseflow.figures import Figure
from phaseflow.kinds import is_random_study, lay_out_trials, list_study_plugins, load_fit_kind, load_study_kind
from phaseflow.outline import describe_page
from phaseflow.plugins import find_plugin_file, list_plugins, load_plugin
from phaseflow.receipts import Origin
from phaseflow.seeds import digest
from phaseflow.settings.block import Block
from phaseflow.sources import Code, read_code
from phaseflow.sweeps import Members

# The script of each section's chunks, and of its tables.
_CHUNK_SCRIPTS = {"simulate": "simulate.py", "optimize": "optimize.py"}
_TABLE_SCRIPTS = {"simulate": "gather.py", "optimize": "collect.py", "fit": "fit.py"}
_LAY_OUT: dict[str, Callable[[Any], Members]] = {"simulate": lambda scenario: scenario.lay_out(), "optimize": lay_out_trials}
_IS_RANDOM: dict[str, Callable[[Any], bool]] = {
    "simulate": lambda scenario: scenario.is_random,
    "optimize": is_random_study,
    "fit": lambda fit: load_fit_kind(fit).is_random,
}
_STYLE = "phaseflow/figures/phaseflow.mplstyle"
# What an algorithm is given depends on what this table says of it.
_ALGORITHMS = "phaseflow/algorithms.yaml"


class Plan:
    """What a config asks for."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.entries: dict[str, Mapping[str, Any]] = dict(list_entries(config))
        self.members = cache(self._plan_members)
        self.chunks = cache(self._name_chunks)
        self.origin = cache(self._find_origin)
        self.estimate = cache(self._estimate_chunk)
        self.figure_pieces = cache(self._find_figure_pieces)

    def finals(self) -> Iterator[tuple[str, str]]:
        """Yield the section and name of every final result, in the order of the workflow."""
        for section, entries in self.entries.items():
            for name in entries:
                yield section, name
        yield "report", "index"

    def targets(self) -> list[Path]:
        """Return the files that a complete run leaves."""
        return [path for final in self.finals() for path in (*paths.list_outputs(*final), paths.find_receipt(*final))]

    def outputs(self, section: str, name: str) -> list[Path]:
        """Return the files and folders that a final result consists of, without its receipt."""
        return paths.list_outputs(section, name)

    # -- chunks

    def block(self, section: str, name: str) -> Block:
        """Return a job's own part of the config."""
        settings = self.entries[section][name]
        is_random = _IS_RANDOM[section](settings)
        return Block.of(section, name, settings, self.config.seed if is_random else None)

    def _plan_members(self, section: str, name: str) -> Members:
        return _LAY_OUT[section](self.entries[section][name])

    def _chunk_code(self, section: str, name: str) -> Code:
        settings = self.entries[section][name]
        used = settings.list_plugins() if section == "simulate" else list_study_plugins(settings)
        tables = [_ALGORITHMS] if section == "optimize" else []
        return read_code(_CHUNK_SCRIPTS[section], *(find_plugin_file(*plugin) for plugin in used), *tables)

    def _name_chunks(self, section: str, name: str) -> dict[str, int]:
        """Return the chunks of a scenario or study by name, each with its number."""
        block = self.block(section, name)
        settings = Block("", "", self.entries[section][name].list_chunk_settings(), block.seed)
        read = [f"{table} {key}" for table, key in self._find_reads(section, name)]
        return self.members(section, name).name_chunks(digest(settings.text, self._chunk_code(section, name).key, *read))

    def pieces(self, section: str, name: str) -> dict[str, list[Path]]:
        """Return the chunk files of a scenario or study by kind, in the order of the plan."""
        files = [paths.list_piece(section, name, chunk) for chunk in self.chunks(section, name)]
        return {kind: [piece[place] for piece in files] for place, kind in enumerate(paths.PIECES[section])}

    def checksums(self, section: str, name: str) -> list[Path]:
        """Return the files that have the checksums of those of a scenario's or study's chunks."""
        return [paths.find_checksums(section, name, chunk) for chunk in self.chunks(section, name)]

    def _estimate_chunk(self, section: str, name: str) -> Estimate:
        """Return what the largest chunk of a scenario or study needs."""
        members = self.members(section, name)
        largest = max(len(places) for places in members.chunks())
        return estimate_chunk(section, name, self.entries[section][name], largest, len(members))

    def needs(self, section: str, name: str) -> Estimate:
        """Return what a chunk is to be given.

        Chunks that are submitted one by one may share an array, where all get the same: enough for each.
        """
        own = self.estimate(section, name)
        alike = [found for other in self.entries[section] if (found := self.estimate(section, other)).pack is None]
        return own if own.pack else Estimate(max(found.seconds for found in alike), max(found.memory_mb for found in alike))

    # -- tables

    def reads(self, section: str, name: str) -> dict[str, Path]:
        """Return the tables that a study or a fit reads, by `<section>.<name>`."""
        of_scenario = load_fit_kind(self.config.fits[name]).of_scenario if section == "fit" else "trajectories"
        return {table: self._find_table(table, of_scenario) for table in self._list_reads(section, name)}

    def _list_reads(self, section: str, name: str) -> list[str]:
        settings = self.entries[section][name]
        if section == "fit":
            return [settings.to]
        return load_study_kind(settings).sources(settings) if section == "optimize" else []

    def _find_table(self, table: str, of_scenario: str) -> Path:
        section, _, entry = table.partition(".")
        if section == "data":
            return self.config.tables[entry].path
        return paths.find_table(section, entry, of_scenario)

    def _find_reads(self, section: str, name: str) -> Iterator[tuple[str, str]]:
        """Yield each table that is read, with the key of its content."""
        for table in self._list_reads(section, name):
            kind, _, entry = table.partition(".")
            yield table, self.config.tables[entry].key if kind == "data" else self.origin(kind, entry).key

    def _find_origin(self, section: str, name: str) -> Origin:
        """Return what makes a final result."""
        if section == "report":
            return self._find_page_origin()
        kind = self.entries[section][name].kind
        plugins = [find_plugin_file(folder, kind) for folder in ("kinds", "models")] if section == "fit" else []
        code = read_code(_TABLE_SCRIPTS[section], *plugins)
        if section in _CHUNK_SCRIPTS:
            code |= self._chunk_code(section, name)
        return Origin(self.block(section, name), code, dict(self._find_inputs(section, name)))

    def _find_inputs(self, section: str, name: str) -> Iterator[tuple[str, str]]:
        if section in _CHUNK_SCRIPTS:
            yield "chunks", digest(*self.chunks(section, name))
        yield from self._find_reads(section, name)

    # -- figures

    def _find_figure_pieces(self) -> dict[str, Origin]:
        """Return what makes each piece of figures, one a source, by the piece's name."""
        requests: dict[tuple[str, str], list[tuple[str, FigureRequest]]] = {}
        for file, request in self.name_figures():
            requests.setdefault((request.section, request.source), []).append((file, request))
        origins = [self._find_drawing(section, source, found) for (section, source), found in requests.items()]
        return {origin.key[:16]: origin for origin in origins}

    def name_figures(self) -> list[tuple[str, FigureRequest]]:
        """Return the figures of the page with the names of their files, all different."""
        named: dict[str, FigureRequest] = {}
        for request in self.config.figures:
            file = base = f"{request.section}-{request.source}-{request.name}"
            count = 1
            while file in named:
                count += 1
                file = f"{base}-{count}"
            named[file] = request
        return list(named.items())

    def _find_drawing(self, section: str, source: str, found: list[tuple[str, FigureRequest]]) -> Origin:
        figures = [{"file": file, "figure": r.name, "options": r.options.model_dump(mode="json", exclude_none=True)} for file, r in found]
        settings = self.block(section, source).settings
        drawing = {"section": section, "source": source, "settings": settings, "figures": figures, "pdf": self.config.report.pdf}
        block = Block("figures", f"{section}-{source}", drawing)
        code = read_code("draw.py", _STYLE, *sorted({find_plugin_file("figures", request.name) for _, request in found}))
        return Origin(block, code, {f"{section}.{source}": self.origin(section, source).key})

    def figure_tables(self, piece: str) -> dict[str, Path]:
        """Return the tables that a piece of figures is drawn from."""
        settings = self.figure_pieces()[piece].block.settings
        return paths.list_tables(settings["section"], settings["source"])

    # -- page

    def page_inputs(self) -> dict[str, list[Path]]:
        """Return the files that the page is made from: tables, receipts and figures."""
        made = [final for final in self.finals() if final[0] != "report"]
        return {
            "tables": [path for section, name in made for path in paths.list_outputs(section, name)],
            "receipts": [paths.find_receipt(section, name) for section, name in made],
            "pieces": [paths.FIGURE_PIECES / piece for piece in self.figure_pieces()],
        }

    def _find_page_origin(self) -> Origin:
        captions = [(file, request, self._write_caption(request)) for file, request in self.name_figures()]
        outline = describe_page(self.config, captions)
        inputs = {f"{section}.{name}": self.origin(section, name).key for section, name in self.finals() if section != "report"}
        inputs |= {f"figures.{origin.block.name}": piece for piece, origin in self.figure_pieces().items()}
        return Origin(Block("report", "index", outline), read_code("report.py", *_list_assets(), *self._list_findings()), inputs)

    def _list_findings(self) -> list[str]:
        kinds = {entry.kind for entries in self.entries.values() for entry in entries.values()} & set(list_plugins("findings"))
        return [find_plugin_file("findings", kind) for kind in sorted(kinds)]

    def _write_caption(self, request: FigureRequest) -> str:
        if request.caption is not None:
            return request.caption
        figure: Figure = load_plugin("figures", request.name)
        return figure.caption(request.source, self.entries[request.section][request.source], request.options)

    # -- housekeeping

    def list_pieces(self) -> Iterator[list[Path]]:
        """Yield the files of every chunk, and the folder of every piece of figures, that this plan needs."""
        for section in _CHUNK_SCRIPTS:
            for name in self.entries[section]:
                for chunk in self.chunks(section, name):
                    yield paths.list_piece(section, name, chunk)
        for piece in self.figure_pieces():
            yield [paths.FIGURE_PIECES / piece]


def _list_assets() -> list[str]:
    folder = Path(__file__).parent / "page_assets"
    return sorted(f"phaseflow/page_assets/{path.name}" for path in folder.iterdir() if path.is_file())
