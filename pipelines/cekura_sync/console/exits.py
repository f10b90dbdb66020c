"""The exit codes, and the code of each failure."""

import signal
from enum import IntEnum

import click

from cekura_sync import errors
from cekura_sync.console import memory
from cekura_sync.console.signals import Stopped, stop_signals


class ExitCode(IntEnum):
    """What the exit status means. A sync has changed nothing unless it is OK; a gate judges after it has synced."""

    OK = 0
    """done, committed"""
    BUG = 1
    """a bug in cekura-sync: please report it"""
    USAGE = 2
    """usage or configuration"""
    KEY_REFUSED = 3
    """the API refuses the key (401, 403)"""
    UNAVAILABLE = 4
    """the API is unreachable, is down, or limits the rate beyond the time budget"""
    UNBELIEVABLE = 5
    """invalid API response, or a SQL model or check failed"""
    UNVERIFIED = 6
    """the listing could not be verified as complete"""
    MASS_DELETE = 7
    """refused: the sync would mark more than max(20, 5 %) of the live results as deleted, or none of the known results is listed any more"""
    BUSY = 8
    """another sync is running on this warehouse"""
    WAREHOUSE = 9
    """warehouse file, disk or memory: unreadable, foreign, full, not permitted"""
    STALE = 10
    """status: the last completed sync is older than --max-age, or its age is unknown"""
    GATE_WORSE = 11
    """gate: an agent got worse"""
    GATE_UNDECIDED = 12
    """gate: an agent cannot be judged, because it has too few runs"""
    INTERRUPTED = 130
    """interrupted"""
    TERMINATED = 143
    """terminated"""


# After these ends a sync can be continued; any other end casts doubt on what was read.
INTERRUPTED = (
    ExitCode.USAGE,
    ExitCode.KEY_REFUSED,
    ExitCode.UNAVAILABLE,
    ExitCode.BUSY,
    ExitCode.WAREHOUSE,
    ExitCode.INTERRUPTED,
    ExitCode.TERMINATED,
)

_EXIT_CODES: dict[type[Exception], ExitCode] = {
    click.UsageError: ExitCode.USAGE,
    errors.SettingsError: ExitCode.USAGE,
    errors.KeyRefused: ExitCode.KEY_REFUSED,
    errors.ApiUnavailable: ExitCode.UNAVAILABLE,
    errors.UnbelievableAnswer: ExitCode.UNBELIEVABLE,
    errors.ModelError: ExitCode.UNBELIEVABLE,
    errors.ListingUnverified: ExitCode.UNVERIFIED,
    errors.MassDeleteRefused: ExitCode.MASS_DELETE,
    errors.WarehouseBusy: ExitCode.BUSY,
    errors.WarehouseError: ExitCode.WAREHOUSE,
    OSError: ExitCode.WAREHOUSE,
}


def exit_code_for(error: BaseException) -> ExitCode:
    """A received signal decides, whatever exception it surfaced as."""
    if stop_signals.received is not None or isinstance(error, Stopped | KeyboardInterrupt | click.Abort):
        return ExitCode(128 + (stop_signals.received or signal.SIGINT))
    if memory.is_exhausted(error):
        return ExitCode.WAREHOUSE
    return next((code for kind, code in _EXIT_CODES.items() if isinstance(error, kind)), ExitCode.BUG)
