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
    """wrong usage or configuration"""
    KEY_REFUSED = 3
    """the API refuses the key (401, 403)"""
    UNAVAILABLE = 4
    """the API is unreachable or down, or its rate limit makes the sync take longer than --timeout"""
    UNBELIEVABLE = 5
    """invalid API response, or a SQL model or check failed"""
    UNVERIFIED = 6
    """the listing could not be verified as complete"""
    MASS_DELETE = 7
    """refused: the sync would mark more than 20 results and more than 5 % of the live results as deleted, or the API lists none of the known results"""
    BUSY = 8
    """another sync is running on this warehouse"""
    WAREHOUSE = 9
    """the warehouse cannot be read or written, or is not ours, or the disk or memory is full"""
    STALE = 10
    """status: the last sync of a scope is older than --max-age, or its age is unknown"""
    GATE_WORSE = 11
    """gate: an agent got worse"""
    GATE_UNDECIDED = 12
    """gate: an agent cannot be judged, for example because it has too few runs"""
    INTERRUPTED = 130
    """interrupted (Ctrl-C)"""
    TERMINATED = 143
    """terminated (SIGTERM)"""


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


def is_of_damaged_file(error: BaseException | None) -> bool:
    """Whether it came from blocks that are not as DuckDB wrote them, whatever DuckDB was asked just then."""
    while error is not None:
        if "duckdb" in type(error).__module__ and "Corrupt database file" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def exit_code_for(error: BaseException) -> ExitCode:
    """A received signal decides, whatever exception it surfaced as."""
    if stop_signals.received is not None or isinstance(error, Stopped | KeyboardInterrupt | click.Abort):
        return ExitCode(128 + (stop_signals.received or signal.SIGINT))
    if memory.is_exhausted(error) or is_of_damaged_file(error):
        return ExitCode.WAREHOUSE
    return next((code for kind, code in _EXIT_CODES.items() if isinstance(error, kind)), ExitCode.BUG)
