"""Receipts: which settings, code, engines and inputs made a result, and which bytes it has.

A result is current when its receipt has the key that the plan asks for and its files are those of the
receipt. Neither dates nor Snakemake's own records matter.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phaseflow.errors import ResultsError
from phaseflow.seeds import digest
from phaseflow.settings.block import Block
from phaseflow.sources import Code
from phaseflow.tables import write_json


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


def write_receipt(path: Path, origin: Origin, outputs: Iterable[Path], pieces: Iterable[Path] = ()) -> None:
    """Write down what made the outputs, and the size and checksum of every file of them."""
    files = [file for output in outputs for file in list_files(output)]
    receipt = {
        "key": origin.key,
        "made_by": json.loads(origin.text) | {"block": json.loads(origin.block.text)},
        "outputs": {str(file): {"size": file.stat().st_size, "sha256": hash_file(file)} for file in files},
        "pieces": {str(piece): piece.stat().st_size for piece in pieces},
    }
    write_json(path, receipt)


def list_files(output: Path) -> list[Path]:
    """Return an output's files: itself, or what lies in it; hidden files, which Snakemake leaves in folders, do not count."""
    return sorted(file for file in output.rglob("[!.]*") if file.is_file()) if output.is_dir() else [output]


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_receipt(path: Path) -> dict[str, Any] | None:
    """Return a receipt, or nothing where it is missing or damaged."""
    try:
        receipt = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_whole = isinstance(receipt, dict) and {"key", "made_by", "outputs", "pieces"} <= receipt.keys()
    return receipt if is_whole else None


def find_staleness(receipt_path: Path, key: str, outputs: Iterable[Path]) -> str | None:
    """Say why a result is not current; nothing where it is, or where there is nothing at all.

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
    return f"{resized[0]} has another size" if resized else None


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
