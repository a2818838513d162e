"""The log of a job: what it printed, and in plain words why it failed."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from phaseflow.errors import PhaseflowError, ResultsError

# Failures of the disk and not of the program.
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE})


@contextmanager
def keep_log(path: str) -> Iterator[None]:
    """Send what a job prints, and how long it took, to its log; what a user can mend ends it with its message and no traceback."""
    start, start_cpu = time.perf_counter(), time.process_time()
    terminal = sys.stderr
    log_path = Path(path)
    signal.signal(signal.SIGTERM, _stop)
    try:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("w", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
            try:
                yield
                log.write(f"done in {time.perf_counter() - start:.3f} s, {time.process_time() - start_cpu:.3f} s of processor time\n")
            except Exception as error:
                log.write(f"{error}\n" if _is_plain(error) else traceback.format_exc())
                raise
    except PhaseflowError as error:
        print(error, file=terminal)
        raise SystemExit(1) from None
    except OSError as error:
        if not _is_plain(error):
            raise
        print(f"nothing half-written was kept, and the same command goes on from here when this is mended: {error}", file=terminal)
        raise SystemExit(1) from None


def _is_plain(error: Exception) -> bool:
    """Tell whether an error says by itself what is to be mended."""
    return isinstance(error, PhaseflowError) or (isinstance(error, OSError) and error.errno in _DISK)


def _stop(number: int, _frame: object) -> None:
    """End the job by an error, so that what it had half written is removed."""
    name = signal.Signals(number).name
    raise ResultsError(f"process {os.getpid()} was asked to end ({name}), perhaps at a limit of time: the same command goes on from here")
