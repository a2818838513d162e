"""Compare every result of the plan with its checksum, and some members with themselves computed anew.

Usage: python scripts/verify.py [config.yaml] [--recompute K]
"""

import argparse
from pathlib import Path

import numpy as np

from phaseflow.config import load_config
from phaseflow.errors import PhaseflowError
from phaseflow.plan import Plan
from phaseflow.recomputation import recompute_members
from phaseflow.session import verify


def main(config: str, n_members: int) -> None:
    """Print what differs; end with an error where anything does."""
    try:
        plan = Plan(load_config(Path(config)))
        problems, n_right = verify(plan)
        print(f"{n_right} files are as their receipts say")
        for member, different in recompute_members(plan, n_members, np.random.default_rng()):
            print(f"{member}: computed alone, {'it differs' if different else 'the same to the last bit'}")
            problems += [f"{member} computed alone differs in {', '.join(different)}"] if different else []
    except PhaseflowError as error:
        raise SystemExit(str(error)) from None
    if problems:
        raise SystemExit("\n".join(problems))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("config", nargs="?", default="config.yaml")
    parser.add_argument("--recompute", type=int, default=0, metavar="K")
    arguments = parser.parse_args()
    main(arguments.config, arguments.recompute)
