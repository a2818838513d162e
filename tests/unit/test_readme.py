"""What the README prints works as printed."""

import re
import tomllib
from pathlib import Path

from phaseflow.config import load_config
from phaseflow.plan import Plan
from phaseflow.plugins import list_plugins

ROOT = Path(__file__).resolve().parents[2]


def find_blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_the_configs_of_the_readme_are_valid_together(tmp_path):
    sections: dict[str, list[str]] = {}
    for block in find_blocks("yaml"):
        for line in block.splitlines():
            if name := re.fullmatch(r"(\w+):", line):
                lines = sections.setdefault(name[1], [])
            else:
                lines.append(line)
    text = "".join(f"{name}:\n" + "\n".join(lines) + "\n" for name, lines in sections.items())
    (tmp_path / "pelts.csv").write_text((ROOT / "examples/data/lynx_hare.csv").read_text())
    (tmp_path / "config.yaml").write_text(text)
    plan = Plan(load_config(tmp_path / "config.yaml"))
    assert {name for _, name in plan.finals()} == {"swing", "damping", "cycle", "contest", "baking", "trend", "index"}
    assert len(plan.members("simulate", "damping")) == 303


def test_the_targets_of_the_readme_are_in_the_makefile():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE)) <= targets


def test_the_files_that_documents_link_to_are_there():
    for name in ("README.md", "CONTRIBUTING.md", "docs/decisions.md", "docs/config.md", "docs/catalogue.md"):
        page = ROOT / name
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{name} links to {link}"


def test_the_conda_environment_has_the_same_packages():
    renamed = {"snakemake": "snakemake-minimal", "matplotlib": "matplotlib-base", "heyoka": "heyoka.py", "arch": "arch-py"}
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    listed = re.findall(r"^  - ([\w.-]+) ?(\S*)$", (ROOT / "envs/phaseflow.yaml").read_text(), re.MULTILINE)
    wanted = [re.fullmatch(r"([\w-]+)(.*)", requirement).groups() for requirement in stated]
    assert {(renamed.get(name, name), versions) for name, versions in wanted} <= set(listed)


def test_no_file_names_where_packages_come_from():
    words = ["py" + "pi.org", "index-" + "url", "find-" + "links", "files.python" + "hosted"]
    for name in ("requirements.txt", "pyproject.toml", "Makefile", "envs/phaseflow.yaml", "profiles/default/config.yaml", ".ci/run"):
        text = (ROOT / name).read_text().replace("--no-emit-index-" + "url", "")
        assert not [word for word in words if word in text], name


def test_every_kind_of_plugin_has_plugins():
    for folder in ("certificates", "engines", "figures", "findings", "kinds", "measures", "models", "problems"):
        assert list_plugins(folder)
