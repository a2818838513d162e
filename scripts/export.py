"""Pack the page for others: `python scripts/export.py [config.yaml] [folder]` writes report.zip and report.pdf."""

import sys
from pathlib import Path

from phaseflow.config import load_config
from phaseflow.errors import PhaseflowError
from phaseflow.export import print_page, zip_results
from phaseflow.plan import Plan


def main(config: str = "config.yaml", folder: str = "export") -> None:
    """Write the archive and the print of the page."""
    try:
        archive = zip_results(Plan(load_config(Path(config))), Path(folder) / "report.zip")
        paper = print_page(Path(folder) / "report.pdf")
    except PhaseflowError as error:
        raise SystemExit(str(error)) from None
    print(f"{archive}: the page, its figures and all tables but trajectories")
    print(f"{paper}: the page on paper" if paper else "no report.pdf: that needs Chromium or Chrome, which is not installed here")


if __name__ == "__main__":
    main(*sys.argv[1:3])
