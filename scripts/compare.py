"""Lay two results folders side by side: `python scripts/compare.py first/results second/results [comparison.html]`."""

import sys
from pathlib import Path

from phaseflow.comparison import compare
from phaseflow.errors import PhaseflowError


def main(first: str, second: str, page: str = "comparison.html") -> None:
    """Write the page and say in a line an entry what differs."""
    try:
        entries = compare(Path(first), Path(second), Path(page))
    except PhaseflowError as error:
        raise SystemExit(str(error)) from None
    for entry in entries:
        beyond = [item.column for item in entry.moved if item.n_beyond]
        print(f"{entry.name}: {entry.note}" + (f" Beyond their errors: {', '.join(beyond)}." if beyond else ""))
    print(f"{page} lays them side by side")


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        raise SystemExit("two results folders are wanted: make compare A=first/results B=second/results")
    main(*sys.argv[1:])
