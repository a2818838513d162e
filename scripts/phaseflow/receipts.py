"""Receipts: which settings, code, engines and inputs made a result, and which bytes it has.

A result is current when its receipt has the key that the plan asks for and its files are those of the
receipt. Neither dates nor Snakemake's own records matter.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from phaseflow import paths
from phaseflow.errors import ResultsError
from phaseflow.seeds import digest
from phaseflow.settings.block import Block
from phaseflow.sources import Code
from phaseflow.tables import write_json

# What has the checksums of a folder of figures, in it.
FOLDER_CHECKSUMS = "checksums.json"
# How much of each result is compared with its checksums when a run starts.
_LOOKED_AT_BYTES = 32_000_000


@dataclass(frozen=True)
class Origin:
    """What makes a result: everything that its bytes may depend on."""

    block: Block
    code: Code
    inputs: Mapping[str, str]

    @property
    def key(self) -> str:
        """The digest of it all: another key, another result."""
        return digest(self.block.text, self.code.key, json.dumps(dict(self.inputs), sort_keys=True))

    @property
    def text(self) -> str:
        """One canonical JSON text, which a rule hands to its job."""
        parts = {"block": self.block.text, "files": self.code.files, "engines": self.code.engines, "inputs": dict(self.inputs)}
        return json.dumps(parts, sort_keys=True)

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Read an origin back from its text."""
        parts = json.loads(text)
        return cls(Block.parse(parts["block"]), Code(parts["files"], parts["engines"]), parts["inputs"])


def write_receipt(path: Path, origin: Origin, outputs: Iterable[Path]) -> None:
    """Write down what made the outputs, and the size and checksum of every file of them."""
    files = [file for output in outputs for file in list_files(output)]
    receipt = {
        "key": origin.key,
        "made_by": json.loads(origin.text) | {"block": json.loads(origin.block.text)},
        "outputs": {str(file): describe_file(file) for file in files},
    }
    write_json(path, receipt)


def write_checksums(path: Path, files: Iterable[Path]) -> None:
    """Write down the size and checksum of each file of a chunk, when all of them are written."""
    write_json(path, {file.name: describe_file(file) for file in files})


def describe_file(path: Path) -> dict[str, Any]:
    """Return a file's size and checksum."""
    return {"size": path.stat().st_size, "sha256": hash_file(path)}


def check_pieces(checksums: Sequence[Path]) -> None:
    """Compare the files of chunks and of folders of figures with their checksums, and remove those that differ.

    Raises
    ------
    ResultsError : a chunk was damaged after it was written.
    """
    damaged = []
    for path in checksums:
        described = read_json(path)
        wrong = [name for name, file in described.items() if not _is_as_described(path.with_name(name), file)]
        if wrong or not described:
            damaged.append(path.with_name((wrong or [path.name])[0]))
            for file in [path.parent] if path.name == FOLDER_CHECKSUMS else [path, *map(path.with_name, described)]:
                remove(file)
    if damaged:
        text = "; what they belong to was removed and is made anew by the same command"
        raise ResultsError(f"{len(damaged)} files were altered after they were written, the first {damaged[0]}{text}")


def find_resized(checksums: Path) -> Path | None:
    """Return a file of a chunk that is missing or has another size; nothing where all are as written, or the chunk is not there."""
    if not checksums.exists():
        return None
    described = read_json(checksums)
    sizes = {checksums.with_name(name): file["size"] for name, file in described.items()}
    wrong = [path for path, size in sizes.items() if not path.is_file() or path.stat().st_size != size]
    return next(iter(wrong), None if described else checksums)


def _is_as_described(path: Path, file: Mapping[str, Any]) -> bool:
    return path.is_file() and path.stat().st_size == file["size"] and hash_file(path) == file["sha256"]


def check_tables(tables: Iterable[Path]) -> None:
    """Compare tables of the results folder with their receipts before they are read; a receipt that is wrong is removed.

    Raises
    ------
    ResultsError : a table was altered after it was made.
    """
    for table in tables:
        maker = paths.find_maker(table)
        receipt_path = paths.find_receipt(*maker) if maker else None
        receipt = read_receipt(receipt_path) if receipt_path else None
        if receipt is None or receipt_path is None:
            continue
        for file in list_files(table):
            if not _is_as_described(file, receipt["outputs"].get(str(file), {"size": -1})):
                for wrong in (receipt_path, *paths.list_origins(file)):
                    remove(wrong)
                raise ResultsError(f"{file} was altered after it was made; the same command makes it anew")


def list_files(output: Path) -> list[Path]:
    """Return an output's files: itself, or what lies in it; hidden files, which Snakemake leaves in folders, do not count."""
    return sorted(file for file in output.rglob("[!.]*") if file.is_file()) if output.is_dir() else [output]


@dataclass(frozen=True)
class _Content:
    """What a file holds, whatever its name: hard links are equal."""

    path: Path = field(compare=False)
    device: int
    inode: int
    size: int
    changed_ns: int


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's content; a process reads a file once, also where it has two names."""
    state = path.stat()
    return _hash_content(_Content(path, state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns))


@cache
def _hash_content(content: _Content) -> str:
    with content.path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """Return a mapping that was written as JSON; nothing in it where the file is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def read_receipt(path: Path) -> dict[str, Any] | None:
    """Return a receipt, or nothing where it is missing or damaged."""
    receipt = read_json(path)
    return receipt if receipt.keys() >= {"key", "made_by", "outputs"} else None


def find_staleness(receipt_path: Path, key: str, outputs: Iterable[Path]) -> str | None:
    """Say why a result is not current; nothing where it is, or where there is nothing at all.

    Every size is compared, and the checksums of the first megabytes; `make verify` compares all, and so does each step of what it reads.

    Parameters
    ----------
    key : the key that the plan asks for.
    outputs : the files and folders that the result consists of.
    """
    outputs = list(outputs)
    if not any(path.exists() for path in (receipt_path, *outputs)):
        return None
    receipt = read_receipt(receipt_path)
    if receipt is None:
        return "it has no receipt"
    if receipt["key"] != key:
        return "its settings, code or inputs have changed"
    found = {str(file) for output in outputs if output.exists() for file in list_files(output)}
    if found != set(receipt["outputs"]):
        return f"files were added or removed ({len(found ^ set(receipt['outputs']))})"
    resized = [name for name, file in receipt["outputs"].items() if Path(name).stat().st_size != file["size"]]
    altered = resized or find_altered(receipt)
    return f"{altered[0]} has another {'size' if resized else 'checksum'}" if altered else None


def find_altered(receipt: Mapping[str, Any]) -> list[str]:
    """Return the files whose checksum differs, among those that are looked at when a run starts."""
    sizes = accumulate(file["size"] for file in receipt["outputs"].values())
    looked_at = [name for name, size in zip(receipt["outputs"], sizes, strict=True) if size <= _LOOKED_AT_BYTES]
    return [name for name in looked_at if not _is_as_described(Path(name), receipt["outputs"][name])]


def verify_outputs(receipt: Mapping[str, Any]) -> list[str]:
    """Compare every file of a receipt with its checksum; return what differs."""
    problems = []
    for name, file in receipt["outputs"].items():
        path = Path(name)
        if not path.is_file():
            problems.append(f"{name} is missing")
        elif path.stat().st_size != file["size"]:
            problems.append(f"{name} has {path.stat().st_size} bytes instead of {file['size']}")
        elif hash_file(path) != file["sha256"]:
            problems.append(f"{name} has been altered")
    return problems


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise ResultsError(f"{path} cannot be removed: {error.strerror}") from None
