"""What the page is to show, as plain data: entries in the order of the story, their settings and their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from phaseflow import paths
from phaseflow.config import Config, FigureRequest, list_entries
from phaseflow.settings.base import Settings

# The rules that make an entry's tables, in the order in which they run.
_RULES = {"simulate": ["simulate", "gather"], "optimize": ["optimize", "collect"], "fit": ["fit"]}


def describe_page(config: Config, figures: Sequence[tuple[str, FigureRequest, str]]) -> dict[str, Any]:
    """Return the outline of the page.

    Parameters
    ----------
    figures : file, request and caption of each figure, in the order of the page.

    How many members a job has changes no result, so the page does not mention it.
    """
    outlines: list[dict[str, Any]] = []
    resolved: dict[str, Any] = {"seed": config.seed, "data": {name: _state(data) for name, data in config.data.items()}}
    for section, settings in list_entries(config).items():
        for name, entry in settings.items():
            stated = _state(entry)
            resolved.setdefault(section, {})[name] = stated
            outlines.append(
                {
                    "section": section,
                    "name": name,
                    "kind": entry.kind,
                    "settings": stated,
                    "config": format_yaml({section: {name: stated}}),
                    "rules": _RULES[section],
                    "tables": {kind: str(path) for kind, path in paths.list_tables(section, name).items()},
                    "figures": [
                        {"file": file, "caption": caption, "made_by": f"figures/{r.name}.py"}
                        for file, r, caption in figures
                        if (r.section, r.source) == (section, name)
                    ],
                }
            )
    resolved["report"] = _state(config.report)
    report = config.report
    formats = {"svg": "SVG", "png": "PNG"} | ({"pdf": "PDF"} if report.pdf else {}) | {"parquet": "data"}
    opening = {"title": report.title, "summary": report.summary, "formats": formats}
    return opening | {"entries": outlines, "config": format_yaml(resolved)}


def _state(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude_none=True, exclude={"chunk"})


def format_yaml(value: Any) -> str:
    """Return settings as the YAML that a person would write: short mappings on one line, numbers and names without quotes."""
    text: str = yaml.dump(_plain(value), Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes every scalar as the text it is in the config language, with quotes only where YAML would cut it."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's interface

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's interface
        return True


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item not in ({}, [], "")}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
