"""The files a script is made of, and the packages that they import."""

from __future__ import annotations

import importlib.metadata
import sys
from dataclasses import dataclass
from functools import cache
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

from phaseflow.seeds import digest

SCRIPTS_PATH = Path(__file__).resolve().parents[1]

# Where the name to import differs from the name of the distribution.
_DISTRIBUTIONS = {"yaml": "PyYAML", "sklearn": "scikit-learn", "flint": "python-flint"}


@dataclass(frozen=True)
class Code:
    """What computes a result: its source files by content and its engines by version."""

    files: dict[str, str]
    engines: dict[str, str]

    @property
    def key(self) -> str:
        """The digest of files and engines: it changes when what is computed may change."""
        return digest(repr(sorted(self.files.items())), repr(sorted(self.engines.items())))

    def __or__(self, other: Code) -> Code:
        """Return the code of both."""
        return Code(dict(sorted((self.files | other.files).items())), dict(sorted((self.engines | other.engines).items())))


@cache
def read_code(script: str, *plugins: str) -> Code:
    """Collect the code of a rule script and of the plugin files that its job names.

    Parameters
    ----------
    script, plugins : paths below `scripts/`; a plugin that is not Python counts by content alone.
    """
    files: dict[str, str] = {}
    packages: set[str] = set()
    for name in (script, *plugins):
        path = SCRIPTS_PATH / name
        members, imported = _follow_imports(path) if path.suffix == ".py" else ([path], set())
        files |= {str(member.relative_to(SCRIPTS_PATH)): _hash_source(member) for member in members}
        packages |= imported
    return Code(dict(sorted(files.items())), {name: _read_version(name) for name in sorted(packages)})


@cache
def _hash_source(path: Path) -> str:
    return digest(path.read_bytes())


@cache
def _follow_imports(path: Path) -> tuple[list[Path], set[str]]:
    finder = ModuleFinder(path=[str(SCRIPTS_PATH)])
    finder.run_script(str(path))
    found: list[Any] = list(finder.modules.values())
    members = sorted(Path(module.__file__) for module in found if module.__file__)
    outside = {name.split(".")[0] for name in finder.badmodules}
    return members, {name for name in outside if name not in sys.stdlib_module_names and name != "phaseflow"}


@cache
def _read_version(package: str) -> str:
    try:
        return importlib.metadata.version(_DISTRIBUTIONS.get(package, package))
    except importlib.metadata.PackageNotFoundError:
        return "absent"
