"""What can go wrong, said so that a person can mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]


class PhaseflowError(Exception):
    """An error whose text is all that a user needs; never shown with a traceback."""


@dataclass(frozen=True)
class Mistake:
    """One mistake in a config file: where it stands, what stands there and what may."""

    path: KeyPath
    message: str

    def __str__(self) -> str:
        return f"{format_path(self.path)}: {self.message}"


class ConfigError(PhaseflowError):
    """Every mistake found in a config, each with its key path, its value and what is allowed."""

    def __init__(self, source: str, mistakes: Sequence[Mistake], lines: dict[KeyPath, int] | None = None) -> None:
        self.source = source
        self.mistakes = list(mistakes)
        self.lines = lines or {}
        super().__init__(self.report())

    def report(self) -> str:
        """Return one line a mistake, in the order of the file."""
        placed = sorted(((self._line(m.path), str(m)) for m in self.mistakes), key=lambda pair: pair[0])
        count = "a mistake" if len(placed) == 1 else f"{len(placed)} mistakes"
        rows = [f"  {self.source}:{line}: {text}" if line else f"  {self.source}: {text}" for line, text in placed]
        return "\n".join([f"{self.source} has {count}; nothing was run.", *rows])

    def _line(self, path: KeyPath) -> int:
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


class DataError(PhaseflowError):
    """A table that cannot be used; the text names the file and the column."""


class NumericalError(PhaseflowError):
    """A computation that failed; the text names the system, the member, the time and the state."""


class ResultsError(PhaseflowError):
    """The results folder cannot be used: it is locked, or a file in it is damaged."""


def format_path(path: KeyPath) -> str:
    """Return a key path as text: `simulate.attractor.time.stop`, `report.figures[2]`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text or "(the whole file)"


def shorten(value: object, limit: int = 80) -> str:
    """Return a value as a short quoted text for a message."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def suggest(name: str, allowed: Iterable[str]) -> str:
    """Return the hint that ends an unknown name's message: the nearest valid name and the valid ones."""
    names = sorted(set(allowed))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    if not names:
        return hint + " (there are none here)"
    listed = ", ".join(names[:40]) + (", ..." if len(names) > 40 else "")
    return f"{hint} (allowed: {listed})"
