"""The reference data beside the checkout."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data"


def find_reference(name: str) -> Path:
    """Return a reference file or folder, or skip the test and say why."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"no reference data: {path} is not there")
    return path


def read_cases(folder: str) -> list:
    """Return the cases of a folder of JSON files, each with the file's name as its id."""
    paths = sorted((FOLDER / folder).glob("*.json"))
    return [pytest.param(json.loads(path.read_text()), id=path.stem) for path in paths]
