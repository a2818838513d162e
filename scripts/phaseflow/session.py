"""The start of a run: one process at a time in a results folder, and nothing stale left in it."""

from __future__ import annotations

import fcntl
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from phaseflow import paths
from phaseflow.config import load_config
from phaseflow.errors import PhaseflowError, ResultsError
from phaseflow.plan import Plan
from phaseflow.receipts import FOLDER_CHECKSUMS, find_altered, find_resized, find_staleness, read_receipt, remove, verify_outputs
from phaseflow.seeds import digest

Mode = Literal["look", "dry-run", "run"]
_CONFIG_MARK = "PHASEFLOW_CONFIG"


class Session:
    """A config, its plan, and the state of the results folder when the plan is first used.

    Parameters
    ----------
    config_paths : the config files named on the command line; config.yaml where there are none.
    overrides : single values named on the command line, which are refused.
    find_mode : tells, once jobs are laid out, whether they will run, would run, or are only looked at.
    force : takes the outputs that a dry run must treat as missing.
    """

    def __init__(
        self,
        config_paths: Sequence[Path],
        overrides: Mapping[str, object],
        is_main: bool,
        find_mode: Callable[[], Mode],
        force: Callable[[set[str]], None],
    ) -> None:
        if overrides:
            names = ", ".join(overrides)
            raise PhaseflowError(f"--config is not used here ({names}): write the value in the config file, where it is checked")
        if len(config_paths) > 1:
            raise PhaseflowError(f"a run has one config, not {len(config_paths)}: {', '.join(map(str, config_paths))}")
        self._config_path = _shorten(config_paths[0]) if config_paths else Path("config.yaml")
        self._is_main, self._find_mode, self._force = is_main, find_mode, force
        self._all = Plan(load_config(self._config_path))
        self._guard_config()

    def _guard_config(self) -> None:
        """Stop a job whose config is no longer the one that its run began with."""
        mark = digest(self._config_path.read_bytes())
        if self._is_main:
            os.environ[_CONFIG_MARK] = mark
        elif os.environ.get(_CONFIG_MARK, mark) != mark:
            raise PhaseflowError(f"{self._config_path} was changed while the run was going on: start it again")

    @cached_property
    def plan(self) -> Plan:
        """The plan, with the results folder made ready for it."""
        mode = self._find_mode() if self._is_main else "look"
        if mode == "run":
            self._lock = hold_lock()
            for reason, found in [*find_damage(self._all), *find_stale(self._all)]:
                _say(reason)
                for path in found:
                    remove(path)
        elif mode == "dry-run":
            stale = [*find_damage(self._all), *find_stale(self._all)]
            for reason, _ in stale:
                _say(reason)
            self._force({str(path) for _, found in stale for path in found if path.exists()})
        return self._all


def hold_lock(path: Path = paths.LOCK) -> int:
    """Take the lock of the results folder until this process ends, however it ends.

    Raises
    ------
    ResultsError : another run holds it, or the folder cannot be written to.

    Where the file system has no locks, that is said, and two runs at once are not noticed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ResultsError(f"the folder {path.parent} cannot be written to: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 300, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise ResultsError(f"another run is at work in {paths.RESULTS.resolve()} (process {holder}): wait for it or stop it") from None
    except OSError as error:
        _say(f"the file system of {paths.RESULTS.resolve()} has no locks ({error.strerror}): take care that no other run is at work there")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} on {platform.node()}\n".encode(), 0)
    return descriptor


def find_stale(plan: Plan) -> Iterator[tuple[str, list[Path]]]:
    """Yield each final result that is not what the plan asks for: why, and its files."""
    for section, name in plan.finals():
        outputs, receipt = paths.list_outputs(section, name), paths.find_receipt(section, name)
        if reason := find_staleness(receipt, plan.origin(section, name).key, outputs):
            label = "the page" if section == "report" else f"{section}.{name}"
            altered = [Path(file) for file in find_altered(read_receipt(receipt) or {"outputs": {}}) if Path(file).exists()]
            yield (
                f"{label} is made again: {reason}",
                [receipt, *outputs, *(origin for file in altered for origin in _find_links(plan, file))],
            )


def _find_links(plan: Plan, path: Path) -> list[Path]:
    """Return the files and folders of the pool that a published file is a link into, so that what alters one alters both."""
    if path.parent == paths.FIGURES:
        folders = [paths.FIGURE_PIECES / piece for piece in plan.figure_pieces()]
        return [folder for folder in folders if (folder / path.name).exists()]
    return paths.list_origins(path)


def find_damage(plan: Plan) -> Iterator[tuple[str, list[Path]]]:
    """Yield each piece of the pool that is not whole: why, and its files."""
    for piece in plan.list_pieces():
        is_folder = piece[-1].suffix != ".json"
        if (wrong := find_resized(piece[-1] / FOLDER_CHECKSUMS if is_folder else piece[-1])) or (is_folder and _lacks_checksums(piece[-1])):
            yield f"{wrong or piece[-1]} is made again: it was damaged", piece


def _lacks_checksums(folder: Path) -> bool:
    return folder.exists() and not (folder / FOLDER_CHECKSUMS).exists()


def prune(plan: Plan) -> list[Path]:
    """Remove from the pool what the plan does not need, and what killed jobs left half-written; return what was removed."""
    needed = {path for piece in plan.list_pieces() for path in piece}
    removed = sorted(paths.RESULTS.rglob(".*.part"))
    for path in removed:
        remove(path)
    for path in sorted(paths.CHUNKS.rglob("*")):
        is_inside = any(parent in needed for parent in path.parents)
        is_folder = path.is_dir() and path.parent in (paths.CHUNKS,)
        if path not in needed and not is_inside and not is_folder and path.exists():
            remove(path)
            removed.append(path)
    return removed


def verify(plan: Plan) -> tuple[list[str], int]:
    """Compare every file of the plan's results with its checksum; return the problems and how many files are right."""
    problems, count = [], 0
    for section, name in plan.finals():
        receipt = read_receipt(paths.find_receipt(section, name))
        if receipt is None:
            problems.append(f"{section}.{name} has no receipt: it has not been made yet")
            continue
        if receipt["key"] != plan.origin(section, name).key:
            problems.append(f"{section}.{name} was made by other settings, code or inputs: run snakemake")
        found = verify_outputs(receipt)
        problems += found
        count += len(receipt["outputs"]) - len(found)
    return problems, count


def _shorten(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _say(message: str) -> None:
    print(f"phaseflow: {message}", file=sys.stderr)
