"""One sync after another in one process, until a signal comes or a failure that another attempt cannot fix."""

import random
import signal
import time
from collections.abc import Callable
from datetime import timedelta

from cekura_sync.console import failure, terminal
from cekura_sync.console.exits import ExitCode, exit_code_for
from cekura_sync.console.signals import Stopped, stop_signals

JITTER = 0.05  # of the interval, either way, so that many installations do not sync at the same moment
# After a bug a supervisor may start a fresh process; the other two need a person to fix them.
FATAL = (ExitCode.BUG, ExitCode.USAGE, ExitCode.KEY_REFUSED)


def until_stopped(sync: Callable[[], None], every: timedelta, *, as_json: bool, quiet: bool) -> None:
    """Sync once per interval. A sync that takes longer delays the next one; none is made up for."""
    while True:
        due = time.monotonic() + every.total_seconds() * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
        code = _try(sync, as_json=as_json)
        seconds = max(0.0, due - time.monotonic())
        if code is not ExitCode.OK:
            terminal.message(f"cekura-sync: Exit code {code}; the next sync starts in {seconds:.0f} s.")
        if _is_stopped_within(seconds):
            if stop_signals.received == signal.SIGINT:
                terminal.leave_ctrl_c()
            if not quiet:
                terminal.message("Stopped between two syncs.")
            return


def _try(sync: Callable[[], None], *, as_json: bool) -> ExitCode:
    try:
        sync()
    except Exception as error:
        # DuckDB may report a signal as an exception of its own.
        if stop_signals.received is not None or exit_code_for(error) in FATAL:
            raise
        stop_signals.hold()
        return failure.report_failure(error, as_json=as_json)
    return ExitCode.OK


def _is_stopped_within(seconds: float) -> bool:
    try:
        stop_signals.heed()
        time.sleep(seconds)
    except Stopped:
        return True
    return False
