"""A strict reader of YAML: plain data, line numbers, and nothing that surprises.

Numbers are decimal only and remember their digits, `NO` is a name, a key given twice is an error,
and tags, merge keys and several documents are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from phaseflow.errors import ConfigError, KeyPath, Mistake, shorten
from phaseflow.expressions.quantity import DecimalFloat

MAX_NODES = 1_000_000
MAX_LEVELS = 40
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
_PLAIN_TAGS = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass
class Document:
    """The data of a config file, the line of each key path, and the mistakes in its form."""

    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


def read_document(text: str, source: str) -> Document:
    """Read one YAML document whose top level is a mapping.

    Raises
    ------
    ConfigError : the text is not YAML, or not a mapping. Lesser mistakes are listed in the result.
    """
    try:
        _check_levels(text)
        nodes = list(yaml.compose_all(text, Loader=_Loader))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(source, [Mistake((), _explain(error, text))]) from None
    if len(nodes) != 1 or not isinstance(nodes[0], yaml.MappingNode):
        raise ConfigError(source, [Mistake((), "a config is one YAML document with keys at its top level")])
    document = Document({})
    document.data = _Builder(document).build(nodes[0], ())
    return document


def _check_levels(text: str) -> None:
    """Refuse deep nesting before nodes are composed: libyaml's composer recurses in C and would end the process."""
    level = 0
    for event in yaml.parse(text, Loader=_Loader):
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > 10 * MAX_LEVELS:
            mark: Any = event.start_mark
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)


def _explain(error: Exception, text: str) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    line = text.split("\n")[mark.line] if mark and mark.line <= text.count("\n") else ""
    has_index = "expected ','" in problem and "{" in line and re.search(r"\w\[\w", line)
    hint = "; an expression with an index, such as x[i], needs quotes inside {}" if has_index else ""
    return f"{place}this is not YAML: {problem}{hint}"


class _Builder:
    """Turn composed nodes into plain data."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.count = 0
        self.is_full = False

    def fail(self, path: KeyPath, message: str) -> None:
        self.document.mistakes.append(Mistake(path, message))

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        self.document.lines.setdefault(path, node.start_mark.line + 1)
        self.count += 1
        if self.count > MAX_NODES or len(path) > MAX_LEVELS:
            if not self.is_full:
                self.fail(path[:3], f"a config may hold {MAX_NODES} values, at most {MAX_LEVELS} levels deep")
            self.is_full = True
            return None
        if node.tag not in _PLAIN_TAGS:
            self.fail(path, f"the tag {shorten(node.tag)} is not allowed: a config holds plain values only")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._build_mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, place)) for place, item in enumerate(node.value)]
        return self._build_scalar(node)

    def _build_mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        is_cut = bool(node.flow_style) and self._find_cut(node, path)
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.fail(path, "a key must be a name")
                continue
            key = key_node.value
            here = (*path, key)
            self.document.lines[here] = key_node.start_mark.line + 1
            if key in mapping:
                self.fail(here, "this key is given twice")
            elif key == "<<":
                self.fail(here, "merge keys are not allowed: write the keys out")
            elif not is_cut:
                mapping[key] = self.build(value_node, here)
        return mapping

    def _find_cut(self, node: yaml.MappingNode, path: KeyPath) -> bool:
        """Recognise `{x: where(x > 0, a, b)}`, which YAML reads as three keys."""
        for key_node, value_node in node.value:
            value = value_node.value
            is_plain = isinstance(key_node, yaml.ScalarNode) and isinstance(value, str) and not value_node.style
            if is_plain and value.count("(") > value.count(")"):
                self.fail((*path, key_node.value), f"{shorten(value)} was cut at a comma: put the expression in quotes")
                return True
        return False

    def _build_scalar(self, node: Any) -> Any:
        text = node.value
        if node.style:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return DecimalFloat(text)
        return text
