"""What `doctor` says about one check: a sentence, and how bad it is."""

from dataclasses import dataclass
from enum import StrEnum

from cekura_sync.console.exits import ExitCode, exit_code_for


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """The message ends with what to do, if something is to be done."""

    check: str
    level: Level
    message: str
    code: ExitCode = ExitCode.OK  # the exit code of a sync that meets this


def ok(check: str, message: str) -> Finding:
    return Finding(check, Level.OK, message)


def warning(check: str, message: str) -> Finding:
    return Finding(check, Level.WARNING, message)


def failure(check: str, error: Exception) -> Finding:
    """A finding with the exit code that a sync would have."""
    reason = (
        f"{error.filename}: {error.strerror}: check its permissions."
        if isinstance(error, OSError)
        else str(error)
    )
    return Finding(check, Level.ERROR, reason, exit_code_for(error))
