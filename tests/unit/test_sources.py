"""The code that computes a result: its files, its engines, and a key that changes with them."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phaseflow import sources
from phaseflow.sources import Code, read_code

REAL_SCRIPTS = sources.SCRIPTS_PATH
SCRIPTS = ("simulate.py", "gather.py", "optimize.py", "collect.py", "fit.py", "draw.py", "report.py")


def forget() -> None:
    """Forget what was read, as a new process would."""
    for item in vars(sources).values():
        if hasattr(item, "cache_clear"):
            item.cache_clear()


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    forget()
    yield
    forget()


Tree = Callable[[dict[str, str]], Path]


@pytest.fixture
def make_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Write files below a folder that stands for scripts/."""

    def make(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / "scripts" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(sources, "SCRIPTS_PATH", tmp_path / "scripts")
        forget()
        return tmp_path / "scripts"

    return make


FILES = {
    "run.py": "import json\nimport numpy as np\nfrom phaseflow.first import act\nimport os.path\n",
    "phaseflow/__init__.py": "",
    "phaseflow/first.py": "from phaseflow import second\nfrom phaseflow.deep.third import value\ndef act():\n    import yaml\n",
    "phaseflow/second.py": "import phaseflow_has_no_such_engine\nfrom typing import TYPE_CHECKING\n",
    "phaseflow/deep/__init__.py": "",
    "phaseflow/deep/third.py": "from scipy.optimize import minimize\nvalue = 1\n",
    "phaseflow/alone.py": "import pandas\n",
    "phaseflow/plugins/one.py": "from phaseflow.alone import x\nimport matplotlib.pyplot as plt\n",
    "phaseflow/plugins/two.py": "raise RuntimeError('no source is run to find what it imports')\n",
    "phaseflow/plugins/table.yaml": "a: 1\n",
}


def test_the_closure_holds_what_is_imported_near_and_far_and_nothing_else(make_tree: Tree) -> None:
    make_tree(FILES)
    assert list(read_code("run.py").files) == [
        "phaseflow/__init__.py",
        "phaseflow/deep/__init__.py",
        "phaseflow/deep/third.py",
        "phaseflow/first.py",
        "phaseflow/second.py",
        "run.py",
    ]


def test_engines_are_the_packages_that_are_imported_with_their_versions(make_tree: Tree) -> None:
    make_tree(FILES)
    assert read_code("run.py").engines == {
        "numpy": importlib.metadata.version("numpy"),
        "phaseflow_has_no_such_engine": "absent",
        "scipy": importlib.metadata.version("scipy"),
        "yaml": importlib.metadata.version("PyYAML"),
    }


def test_a_plugin_brings_its_own_closure(make_tree: Tree) -> None:
    make_tree(FILES)
    code = read_code("run.py", "phaseflow/plugins/one.py", "phaseflow/plugins/table.yaml")
    assert set(code.files) - set(read_code("run.py").files) == {
        "phaseflow/alone.py",
        "phaseflow/plugins/one.py",
        "phaseflow/plugins/table.yaml",
    }
    assert set(code.engines) - set(read_code("run.py").engines) == {"matplotlib", "pandas"}
    assert code.key != read_code("run.py").key


def test_no_source_is_run(make_tree: Tree) -> None:
    make_tree(FILES)
    assert "phaseflow/plugins/two.py" in read_code("run.py", "phaseflow/plugins/two.py").files


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_key_changes_with_the_content_of_a_file_of_the_closure_and_of_no_other(make_tree: Tree, name: str) -> None:
    make_tree(FILES)
    before = read_code("run.py", "phaseflow/plugins/table.yaml")
    make_tree({name: FILES[name] + "# changed\n"})
    after = read_code("run.py", "phaseflow/plugins/table.yaml")
    assert (after.key != before.key) == (name in before.files)
    assert {changed for changed in before.files if before.files[changed] != after.files[changed]} == {name} & set(before.files)
    make_tree({name: FILES[name]})
    assert read_code("run.py", "phaseflow/plugins/table.yaml").key == before.key


def test_the_key_does_not_depend_on_where_the_tree_stands(make_tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_code("run.py") if make_tree(FILES) else None
    shutil.copytree(tmp_path / "scripts", tmp_path / "elsewhere" / "scripts")
    monkeypatch.setattr(sources, "SCRIPTS_PATH", tmp_path / "elsewhere" / "scripts")
    forget()
    assert read_code("run.py") == first


def test_the_key_changes_with_the_version_of_an_engine(make_tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tree(FILES)
    before = read_code("run.py")
    forget()
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "999" if name == "scipy" else real(name))
    after = read_code("run.py")
    assert after.engines == {**before.engines, "scipy": "999"}
    assert after.key != before.key


def test_a_key_tells_files_from_engines_and_names_from_contents() -> None:
    codes = [Code({"a": "b"}, {}), Code({}, {"a": "b"}), Code({"b": "a"}, {}), Code({"a": "b", "c": "d"}, {}), Code({"a": "b"}, {"c": "d"})]
    assert len({code.key for code in codes}) == len(codes)
    assert Code({"a": "1", "b": "2"}, {}).key == Code({"b": "2", "a": "1"}, {}).key


def test_a_missing_script_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        read_code("there_is_no_such_script.py")


# --- The real tree ------------------------------------------------------------------------------------------------------


def test_a_real_script_has_its_library_and_its_engine() -> None:
    code = read_code("simulate.py")
    assert {"simulate.py", "phaseflow/ensemble.py", "phaseflow/sweeps.py", "phaseflow/expressions/parser.py"} <= set(code.files)
    assert not {"phaseflow/regression.py", "phaseflow/drawing.py", "optimize.py"} & set(code.files)
    assert code.engines["heyoka"] == importlib.metadata.version("heyoka")
    assert "matplotlib" not in code.engines


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_engine_of_a_real_script_is_installed_and_every_file_is_ours(script: str) -> None:
    code = read_code(script)
    assert [name for name, version in code.engines.items() if version == "absent"] == []
    assert all((REAL_SCRIPTS / name).is_file() for name in code.files)


def test_a_change_to_a_real_module_changes_the_keys_of_the_scripts_that_import_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "scripts"
    shutil.copytree(REAL_SCRIPTS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sources, "SCRIPTS_PATH", copy)
    before = {script: read_code(script) for script in SCRIPTS}
    module = "phaseflow/regression.py"
    with (copy / module).open("a") as file:
        file.write("# changed\n")
    forget()
    changed = {script for script in SCRIPTS if read_code(script).key != before[script].key}
    assert changed == {script for script in SCRIPTS if module in before[script].files}
    assert "fit.py" in changed
    assert "simulate.py" not in changed
