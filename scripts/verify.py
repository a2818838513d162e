"""Compare every result of the plan with its checksum: `python scripts/verify.py [config.yaml]`."""

import sys
from pathlib import Path

from phaseflow.config import load_config
from phaseflow.errors import PhaseflowError
from phaseflow.plan import Plan
from phaseflow.session import verify


def main(config: str = "config.yaml") -> None:
    """Print what differs; end with an error where anything does."""
    try:
        problems, n_right = verify(Plan(load_config(Path(config))))
    except PhaseflowError as error:
        raise SystemExit(str(error)) from None
    print(f"{n_right} files are as their receipts say")
    if problems:
        raise SystemExit("\n".join(problems))


if __name__ == "__main__":
    main(*sys.argv[1:2])
