"""The log of a job: what it printed, and in plain words why it failed."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from phaseflow.errors import PhaseflowError


@contextmanager
def keep_log(path: str) -> Iterator[None]:
    """Send what a job prints to its log; a user's mistake ends the job with its message and no traceback."""
    terminal = sys.stderr
    log_path = Path(path)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("w", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
        try:
            yield
        except PhaseflowError as error:
            log.write(f"{error}\n")
            print(error, file=terminal)
            raise SystemExit(1) from None
        except Exception:
            log.write(traceback.format_exc())
            raise
