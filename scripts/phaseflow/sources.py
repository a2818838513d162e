"""The files a script is made of, and the packages that they import."""

from __future__ import annotations

import ast
import importlib.metadata
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from phaseflow.seeds import digest

SCRIPTS_PATH = Path(__file__).resolve().parents[1]

# Where the name to import differs from the name of the distribution.
_DISTRIBUTIONS = {"yaml": "PyYAML", "sklearn": "scikit-learn", "flint": "python-flint", "libsbml": "python-libsbml"}


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


def _follow_imports(path: Path) -> tuple[list[Path], set[str]]:
    """Return the files below `scripts/` that a file is made of, itself among them, and the packages that they import."""
    members, outside, waiting = {path}, set[str](), [path]
    while waiting:
        for module in _read_imports(waiting.pop()):
            found = _find_files(module)
            if not found:
                outside.add(module.split(".")[0])
            waiting += [file for file in found if file not in members]
            members.update(found)
    return sorted(members), {name for name in outside if name not in sys.stdlib_module_names and name != "phaseflow"}


@cache
def _read_imports(path: Path) -> frozenset[str]:
    """Return the modules that a file names in imports, wherever they stand in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            # What is imported from a package may be a module of it.
            found.update(name for alias in node.names if _find_files(name := f"{node.module}.{alias.name}"))
    return frozenset(found)


@cache
def _find_files(module: str) -> tuple[Path, ...]:
    """Return a module's file and those of the packages around it; nothing for a module from elsewhere."""
    parts = module.split(".")
    place = SCRIPTS_PATH.joinpath(*parts)
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    if not file.is_file():
        return ()
    packages = [SCRIPTS_PATH.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts))]
    return (*(package for package in packages if package.is_file()), file)


@cache
def _read_version(package: str) -> str:
    try:
        return importlib.metadata.version(_DISTRIBUTIONS.get(package, package))
    except importlib.metadata.PackageNotFoundError:
        return "absent"
