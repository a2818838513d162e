"""What ships with Phaseflow under a name: systems, one YAML file each, and the table of algorithms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from phaseflow.errors import ConfigError
from phaseflow.settings.document import read_document
from phaseflow.settings.fields import list_mistakes
from phaseflow.settings.systems import System

_FOLDER = Path(__file__).parent
_SYSTEMS_FOLDER = _FOLDER / "catalogue"


@dataclass(frozen=True)
class Algorithm:
    """What an algorithm can use and keep.

    Attributes
    ----------
    gradient, hessian : it uses the exact first, second derivatives.
    bounds : it keeps bounds on variables.
    needs_bounds : it searches a box, so every variable must have both bounds.
    is_global : it searches for more than the nearest minimum.
    random : it draws random numbers, from the trial's own stream.
    least_squares : it needs the single residuals of a sum of squares.
    constraints : which conditions on functions of the variables it keeps: all, inequalities or none.
    """

    gradient: bool
    bounds: bool
    hessian: bool = False
    needs_bounds: bool = False
    is_global: bool = False
    random: bool = False
    least_squares: bool = False
    constraints: str = "none"


class Catalogue(Mapping[str, System]):
    """The shipped systems by name; a file is read when its system is asked for."""

    def __getitem__(self, name: str) -> System:
        return _read_system(name)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(path.stem for path in _SYSTEMS_FOLDER.glob("*.yaml")))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@cache
def _read_system(name: str) -> System:
    path = _SYSTEMS_FOLDER / f"{name}.yaml"
    if not name.isidentifier() or not path.is_file():
        raise KeyError(name)
    document = read_document(path.read_text(encoding="utf-8"), path.name)
    try:
        system = System.model_validate(document.data)
    except ValidationError as error:
        raise ConfigError(path.name, [*document.mistakes, *list_mistakes(error, System, document.data, ())], document.lines) from None
    if mistakes := [*document.mistakes, *system.check(())]:
        raise ConfigError(path.name, mistakes, document.lines)
    return system


@cache
def read_algorithms() -> dict[str, Algorithm]:
    """Return the algorithms of optimisation by name."""
    path = _FOLDER / "algorithms.yaml"
    table = read_document(path.read_text(encoding="utf-8"), path.name).data
    return {name: Algorithm(**row) for name, row in table.items()}
