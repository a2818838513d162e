"""Plugins: one file, one exported constant; a file in the folder is all it takes."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any

# The folder of each kind of plugin, and the constant that its files export.
_CONSTANTS = {
    "certificates": "CERTIFICATE",
    "engines": "ENGINE",
    "figures": "FIGURE",
    "findings": "FINDINGS",
    "kinds": "KIND",
    "measures": "MEASURE",
    "models": "MODEL",
    "problem_sets": "PROBLEM_SET",
    "problems": "PROBLEM",
}


def list_plugins(folder: str) -> list[str]:
    """Return the names of the plugins of a kind: the names of their files."""
    return sorted(path.stem for path in (Path(__file__).parent / folder).glob("[!_]*.py"))


@cache
def load_plugin(folder: str, name: str) -> Any:
    """Return a plugin's constant.

    Raises
    ------
    KeyError : there is no such plugin.
    """
    if name not in list_plugins(folder):
        raise KeyError(name)
    return getattr(importlib.import_module(f"phaseflow.{folder}.{name}"), _CONSTANTS[folder])


def find_plugin_file(folder: str, name: str) -> str:
    """Return a plugin's file, relative to `scripts/`."""
    return f"phaseflow/{folder}/{name}.py"
