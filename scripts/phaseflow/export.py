"""The work of `make export`: the page with its figures and tables in one archive, and on paper."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from phaseflow import paths
from phaseflow.errors import ResultsError
from phaseflow.plan import Plan
from phaseflow.receipts import list_files

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_PATIENCE_S = 300
# The earliest date that an archive can hold, so that the same results make the same archive.
_DATE = (1980, 1, 1, 0, 0, 0)


def zip_results(plan: Plan, path: Path) -> Path:
    """Write the page, its figures and every table but trajectories to an archive, the same bytes for the same results.

    Raises
    ------
    ResultsError : a result of the plan is missing.
    """
    outputs = [output for final in plan.finals() for output in (*plan.outputs(*final), paths.find_receipt(*final))]
    outputs = [output for output in outputs if output.name != "trajectories"]
    if missing := [str(output) for output in outputs if not output.exists()]:
        raise ResultsError(f"{missing[0]} is missing: run snakemake first")
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(file for output in outputs for file in list_files(output)):
            entry = zipfile.ZipInfo(file.as_posix(), _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
    return path


def print_page(path: Path) -> Path | None:
    """Print the page to PDF by a browser without a window; None where there is no browser.

    Raises
    ------
    ResultsError : there is no page, or the browser wrote nothing.
    """
    if not paths.PAGE.is_file():
        raise ResultsError(f"{paths.PAGE} is missing: run snakemake first")
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        command += [
            "--no-pdf-header-footer",
            f"--user-data-dir={profile}",
            f"--print-to-pdf={path.resolve()}",
            paths.PAGE.resolve().as_uri(),
        ]
        subprocess.run(command, check=False, capture_output=True, timeout=_PATIENCE_S)  # noqa: S603 - our own arguments
    if not path.is_file():
        raise ResultsError(f"{browser} printed no {path}")
    return path
