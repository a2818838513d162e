"""The work of `report`: one page that holds its figures, tables and evidence, and needs nothing else to be read.

Careful: names, captions and everything in a table are untrusted and reach the page escaped; only our own style and script,
and drawings from which all but shapes has been taken out, are written as they are.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

from phaseflow.assembly import publish
from phaseflow.errors import ResultsError
from phaseflow.findings import Finding, Findings, format_number
from phaseflow.paths import RUN_PAGE
from phaseflow.plugins import list_plugins, load_plugin
from phaseflow.receipts import read_receipt
from phaseflow.settings.block import Block
from phaseflow.tables import read_parquet, write_text

ROWS_SHOWN = 50
_ASSETS = Path(__file__).parent / "page_assets"
MAIN_TABLES = {"simulate": "members", "optimize": "trials", "fit": "terms"}
_BESIDE = ("roots", "running_times", "ranks", "comparisons")
_IDS = frozenset({"member", "trial"})
# Columns that are shown even where every row has the same value.
_KEPT = frozenset({"member", "trial", "term", "status", "value", "estimate"})
_SVG_SHAPES = frozenset({"path", "use", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "image"})
_SVG_FRAMES = frozenset({"svg", "g", "defs", "clipPath", "pattern", "mask", "marker", "linearGradient", "radialGradient", "stop"})


@dataclass(frozen=True)
class Cell:
    """A value as it is shown, and in full where that is more."""

    text: str
    full: str | None = None


@dataclass(frozen=True)
class Column:
    """A column as it is shown: `kind` is id, number or text."""

    name: str
    kind: str
    cells: list[Cell]


@dataclass(frozen=True)
class ShownTable:
    """The first rows of a table.

    Attributes
    ----------
    empty : columns without any value.
    constant : columns with one value in all rows, which is said once instead.
    """

    columns: list[Column]
    n_shown: int
    n_rows: int
    empty: list[str]
    constant: list[tuple[str, Cell]]


def write_page(block: Block, pieces: Sequence[Path], receipts: Sequence[Path], page_path: Path, figures_folder: Path) -> None:
    """Write the page and publish the files of its figures.

    The block's settings are the outline of the page; each piece is a folder of drawn figures with its `figures.json`.

    Raises
    ------
    ResultsError : a figure of the outline was not drawn, or a receipt cannot be read.
    """
    outline = block.settings
    drawn = {file: (folder, about) for folder in pieces for file, about in _read_json(folder / "figures.json").items()}
    files = [figure["file"] for entry in outline["entries"] for figure in entry["figures"]]
    if missing := [file for file in files if file not in drawn]:
        raise ResultsError(f"the figures {', '.join(missing)} were not drawn: run again")
    checksums, engines = read_receipts(receipts)
    entries = [
        _complete(entry, [embed_figure(f, *drawn[f["file"]]) for f in entry["figures"]], checksums, page_path)
        for entry in outline["entries"]
    ]
    content = {**outline, "entries": entries, "engines": engines, "figures_folder": _relate(figures_folder, page_path)}
    content["run_page"] = _relate(RUN_PAGE, page_path)
    write_text(page_path, render("template.html.j2", content))
    publish([drawn[file][0] / f"{file}.{suffix}" for file in files for suffix in outline["formats"]], figures_folder)
    print(f"{page_path}: {len(entries)} entries, {len(files)} figures")


def render(template: str, content: Mapping[str, Any]) -> str:
    """Return a page as HTML, with our style and script at hand."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_ASSETS), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = format_number
    script = "".join((_ASSETS / name).read_text(encoding="utf-8") for name in ("page.js", "views.js"))
    return environment.get_template(template).render(
        content,
        style=Markup((_ASSETS / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def read_receipts(paths: Iterable[Path]) -> tuple[dict[Path, str], list[tuple[str, str]]]:
    """Return the checksums of the files and the versions of the engines that receipts name.

    Raises
    ------
    ResultsError : a receipt is missing or damaged.
    """
    checksums: dict[Path, str] = {}
    engines: set[tuple[str, str]] = set()
    for path in paths:
        receipt = read_receipt(path)
        if receipt is None:
            raise ResultsError(f"{path} is missing or damaged: run again")
        checksums |= {Path(name): file["sha256"] for name, file in receipt["outputs"].items()}
        engines |= {(name, version) for name, version in receipt["made_by"]["engines"].items() if version != "absent"}
    return checksums, sorted(engines)


def _complete(entry: Mapping[str, Any], figures: list[dict[str, Any]], checksums: Mapping[Path, str], page_path: Path) -> dict[str, Any]:
    """Return an entry of the outline with its findings, figures, table and files, as the template wants it."""
    paths = {kind: Path(path) for kind, path in entry["tables"].items()}
    main_path = paths[MAIN_TABLES[entry["section"]]]
    table = read_table(main_path)
    statistics = _read_json(paths["statistics"]) if "statistics" in paths else {}
    findings = _find(entry, table, statistics | _read_beside(paths))
    return {
        **entry,
        "findings": findings,
        "headline": choose_headline(findings),
        "figures": figures,
        "table": show_table(table),
        "main_file": _relate(main_path, page_path),
        "statistics": [(name, make_cell(value)) for name, value in statistics.items()],
        "files": [(kind, path.name, _relate(path, page_path), checksums.get(path)) for kind, path in paths.items()],
    }


def choose_headline(findings: Sequence[Finding]) -> Finding | None:
    """Return the finding to be seen first: a failure before all else."""
    return next((finding for finding in findings if finding.standing == "failed"), next(iter(findings), None))


def _read_beside(paths: Mapping[str, Path]) -> dict[str, Any]:
    """Return what stands beside a study's trials and findings speak of, as rows: roots, and how algorithms compare."""
    return {name: read_table(paths[name]).to_dict("records") for name in _BESIDE if name in paths}


def _find(entry: Mapping[str, Any], table: pd.DataFrame, statistics: Mapping[str, Any]) -> list[Finding]:
    if entry["kind"] not in list_plugins("findings"):
        return [Finding("open", f"No rule says yet what follows from an entry of kind {entry['kind']}.")]
    findings: Findings = load_plugin("findings", entry["kind"])
    return findings.find(entry["settings"], table, statistics)


def show_table(table: pd.DataFrame) -> ShownTable:
    """Return the first rows of a table as they are shown."""
    empty = [str(name) for name in table if table[name].isna().all()] if len(table) else []
    varied = [name for name in table if name in _KEPT or len(table) == 1 or table[name].nunique(dropna=False) > 1]
    constant = [(str(name), make_cell(table[name].iloc[0])) for name in table if name not in varied and name not in empty]
    shown = table.head(ROWS_SHOWN)
    columns = [_show_column(shown[name]) for name in varied if name not in empty] if len(table) else []
    return ShownTable(columns, len(shown), len(table), empty, constant if len(table) else [])


def _show_column(values: pd.Series) -> Column:
    is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    kind = "id" if values.name in _IDS else "number" if is_number else "text"
    return Column(str(values.name), kind, [make_cell(value) for value in values])


def make_cell(value: Any) -> Cell:
    """Return a value as text: floats with few digits and in full beside, a dash where there is no value."""
    if isinstance(value, (list, dict)):
        return Cell(json.dumps(value, ensure_ascii=False))
    if value is None or pd.isna(value):
        return Cell(format_number(None))
    if isinstance(value, (bool, np.bool_)):
        return Cell("yes" if value else "no")
    if isinstance(value, (float, np.floating)):
        text, full = format_number(value), repr(float(value))
        return Cell(text, full if full.removesuffix(".0") != text else None)
    return Cell(str(value).replace("-", "−") if isinstance(value, (int, np.integer)) else str(value))


def embed_figure(figure: Mapping[str, str], folder: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return a figure as the template wants it: many points as a picture in base64, else shapes."""
    stem = folder / figure["file"]
    shown = {**figure, "alt": about["alt"], "picture": None, "shapes": None, "thumb": _encode(stem, "thumb.png"), "view": None}
    if about["view"] is not None:
        shown["view"] = embed_data(about["view"])
    if about["dense"]:
        return shown | {"picture": _encode(stem, "png")}
    return shown | {"shapes": embed_svg(stem.with_name(f"{stem.name}.svg").read_text(encoding="utf-8"), stem.name)}


def _encode(stem: Path, suffix: str) -> str:
    return base64.b64encode(stem.with_name(f"{stem.name}.{suffix}").read_bytes()).decode()


def embed_data(value: Any) -> Markup:
    """Return plain data to be put into a script element: no text in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704 - no markup is left


def embed_svg(text: str, name: str) -> Markup:
    """Return a drawing to be put into HTML: shapes and text only, ids made unique by the figure's name."""
    root = ElementTree.fromstring(text)  # noqa: S314 - drawn by our own job
    for element in root.iter():
        for child in list(element):
            if _local(child.tag) not in _SVG_SHAPES | _SVG_FRAMES:
                element.remove(child)
        element.tag = _local(element.tag)
        attributes = {_local(key): value for key, value in element.attrib.items()}
        element.attrib = {key: _prefix(key, value, name) for key, value in attributes.items() if _is_harmless(key, value)}
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 - what may stay is listed above


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _prefix(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}.{value}"
    return f"#{name}.{value[1:]}" if key == "href" and value.startswith("#") else re.sub(r"url\(#", f"url(#{name}.", value)


def _is_harmless(key: str, value: str) -> bool:
    """Tell whether an attribute neither runs a script nor reads from elsewhere."""
    if key == "href":
        return value.startswith(("#", "data:image/png;base64,"))
    return not key.lower().startswith("on") and not re.search(r"url\((?!#)", value)


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of results."""
    if path.suffix == ".parquet":
        return read_parquet(path).to_pandas()
    # Careful: pandas takes words such as NA for missing; here only an empty field is.
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path} is damaged or missing, so there is no page: {error}") from None


def _relate(path: Path, page_path: Path) -> str:
    return quote(Path(os.path.relpath(path, page_path.parent)).as_posix())
