"""A project of its own for each test: the real Snakefile, scripts and profile, a small config, real runs."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CONFIG = """\
seed: 1
data:
  longley: {dataset: statsmodels.longley}
simulate:
  wide:
    system: lorenz63
    time: {stop: 1, samples: 5}
    parameters: {sigma: 10, beta: 8/3}
    sweep: {rho: [20, 24, 28, 32]}
    chunk: 1
  noisy:
    system: rossler
    time: {stop: 1, samples: 3}
    ensemble: {members: 3, perturb: {x: 0.1}}
optimize:
  quadratic:
    minimize: x0**2 + 10*x1**2 + x0*x1
    variables: {x0: {start: 1}, x1: {start: 1}}
    sweep: {algorithm: [scipy_lbfgsb, scipy_bfgs]}
fit:
  longley: {linear: "TOTEMP ~ GNP + YEAR", to: data.longley}
  law: {linear: "steps ~ rho", to: simulate.wide}
report:
  title: Test
  figures:
    - {attractor: simulate.wide, caption: first}
    - {convergence: optimize.quadratic}
    - {linear_fit: fit.longley}
"""


@dataclass
class Project:
    """A checkout with a config, in which snakemake is run."""

    path: Path
    python: str = sys.executable

    @property
    def config_path(self) -> Path:
        return self.path / "config.yaml"

    @property
    def results(self) -> Path:
        return self.path / "results"

    def edit(self, old: str, new: str, file: str = "config.yaml") -> None:
        path = self.path / file
        text = path.read_text()
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new))

    def start(self, *arguments: str, cores: int = 2) -> subprocess.Popen:
        command = [self.python, "-m", "snakemake", f"-c{cores}", *arguments]
        environment = {key: value for key, value in os.environ.items() if key != "PHASEFLOW_CONFIG"}
        return subprocess.Popen(
            command, cwd=self.path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )

    def call(self, *arguments: str, cores: int = 2) -> tuple[int, str]:
        process = self.start(*arguments, cores=cores)
        output, _ = process.communicate(timeout=600)
        return process.returncode, output

    def script(self, name: str, *arguments: str) -> tuple[int, str]:
        """Run one of the scripts that are not rules."""
        command = [sys.executable, str(self.path / "scripts" / name), *arguments]
        done = subprocess.run(command, cwd=self.path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def run(self, *arguments: str, cores: int = 2) -> dict[str, int]:
        """Run to the end; return how many jobs of each rule ran."""
        code, output = self.call(*arguments, cores=cores)
        assert code == 0, output
        self.output = output
        return dict(Counter(rule for rule in re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", output) if rule != "all"))

    def digest(self, *, leave_out: tuple[str, ...] = ()) -> dict[str, bytes]:
        """Return every result that must not differ from run to run, by path."""
        outside = ("logs/", "timings/", *leave_out)
        files = [path for path in sorted(self.results.rglob("*")) if path.is_file() and path.name != ".snakemake_timestamp"]
        names = {str(path.relative_to(self.results)): path for path in files}
        return {name: path.read_bytes() for name, path in names.items() if not name.startswith(outside)}


@pytest.fixture(scope="session")
def source(tmp_path_factory) -> Path:
    """The workflow as it is when the tests begin, so that all of them see the same."""
    folder = tmp_path_factory.mktemp("source") / "phaseflow"
    folder.mkdir()
    shutil.copy(ROOT / "Snakefile", folder)
    for name in ("scripts", "profiles", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def make_project(source: Path, path: Path, config: str) -> Project:
    shutil.copytree(source, path)
    (path / "config.yaml").write_text(config)
    return Project(path)


@pytest.fixture(scope="session")
def finished(source, tmp_path_factory) -> Project:
    """A project that has been run to the end once; tests copy it."""
    project = make_project(source, tmp_path_factory.mktemp("finished") / "project", CONFIG)
    project.run()
    return project


@pytest.fixture
def project(finished, tmp_path) -> Project:
    """A copy of the finished project, hard links kept."""
    subprocess.run(["cp", "-a", str(finished.path), str(tmp_path / "project")], check=True)
    return Project(tmp_path / "project")


@pytest.fixture
def make(source, tmp_path):
    """Make a project that has not been run."""
    return lambda config, name="fresh": make_project(source, tmp_path / name, config)
