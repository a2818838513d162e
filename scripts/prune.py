"""Empty the pool of chunks of what the plan does not need: `python scripts/prune.py [config.yaml]`."""

import sys
from pathlib import Path

from phaseflow.config import load_config
from phaseflow.errors import PhaseflowError
from phaseflow.plan import Plan
from phaseflow.session import hold_lock, prune


def main(config: str = "config.yaml") -> None:
    """Remove the pieces that no result of the config needs."""
    try:
        plan = Plan(load_config(Path(config)))
        hold_lock()
        removed = prune(plan)
    except PhaseflowError as error:
        raise SystemExit(str(error)) from None
    print(f"{len(removed)} files and folders removed from the pool")


if __name__ == "__main__":
    main(*sys.argv[1:2])
