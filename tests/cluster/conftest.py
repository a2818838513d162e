"""A real Slurm of one node for as long as the tests run."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT, Project, make, source  # noqa: F401 - fixtures

SCRIPT = Path(__file__).with_name("slurm.sh")
PYTHON = ROOT / ".venv-slurm" / "bin" / "python"
# The first look at a job after a few seconds: these jobs are short.
PROFILE = ("--workflow-profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "4")


@pytest.fixture(scope="session")
def slurm():
    if "PHASEFLOW_TEST_CLUSTER" not in os.environ:
        pytest.skip("starts a Slurm of its own: make test-cluster")
    # munge wants a folder that everybody may look into, which pytest's own is not.
    with tempfile.TemporaryDirectory(prefix="phaseflow-slurm-") as folder:
        subprocess.run([SCRIPT, "up", folder], check=True)
        yield
        subprocess.run([SCRIPT, "down", folder], check=True)


@pytest.fixture
def on_slurm(slurm, make):  # noqa: ARG001, F811 - fixtures
    """Make a project whose runs see the Slurm plugin."""

    def make_there(config):
        project = make(config, "there")
        return Project(project.path, str(PYTHON))

    return make_there
