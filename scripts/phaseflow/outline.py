"""What the page is to show, as plain data: entries in the order of the story, their settings and their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from phaseflow import paths
from phaseflow.config import FigureRequest
from phaseflow.settings.report import Report


def describe_page(
    report: Report, entries: Mapping[str, Mapping[str, Any]], figures: Sequence[tuple[str, FigureRequest, str]], seed: int
) -> dict[str, Any]:
    """Return the outline of the page.

    Parameters
    ----------
    figures : file, request and caption of each figure, in the order of the page.

    How many members a job has changes no result, so the page does not mention it.
    """
    outlines: list[dict[str, Any]] = []
    resolved: dict[str, Any] = {"seed": seed}
    for section, settings in entries.items():
        for name, entry in settings.items():
            stated = {key: value for key, value in entry.model_dump(mode="json", exclude_none=True).items() if key != "chunk"}
            resolved.setdefault(section, {})[name] = stated
            outlines.append(
                {
                    "section": section,
                    "name": name,
                    "kind": entry.kind,
                    "settings": stated,
                    "config": format_yaml({section: {name: stated}}),
                    "tables": {kind: str(path) for kind, path in paths.list_tables(section, name).items()},
                    "figures": [
                        {"file": file, "caption": caption} for file, r, caption in figures if (r.section, r.source) == (section, name)
                    ],
                }
            )
    return {"title": report.title, "summary": report.summary, "entries": outlines, "config": format_yaml(resolved)}


def format_yaml(value: Any) -> str:
    """Return settings as the YAML that a person would write: short mappings on one line, numbers without quotes."""
    text: str = yaml.dump(_plain(value), Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True)
    return text


class _Number(str):
    """A text that stands for a number, written without quotes."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes numbers as they are."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's interface
        return True


def _represent_number(dumper: yaml.SafeDumper, text: _Number) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:float", str(text))


_Dumper.add_representer(_Number, _represent_number)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item not in ({}, [])}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str) and _is_decimal(value):
        return _Number(value)
    return value


def _is_decimal(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return not text.strip("0123456789.eE+-")
