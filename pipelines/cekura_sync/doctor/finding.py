"""What `doctor` says about one thing: a sentence, and how bad it is."""

from dataclasses import dataclass
from enum import StrEnum

from cekura_sync.console.exits import ExitCode, exit_code_for


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """The message ends with what to do, where something is to be done."""

    check: str
    level: Level
    message: str
    code: ExitCode = ExitCode.OK  # with which a sync would fail


def ok(check: str, message: str) -> Finding:
    return Finding(check, Level.OK, message)


def warning(check: str, message: str) -> Finding:
    return Finding(check, Level.WARNING, message)


def failure(check: str, error: Exception) -> Finding:
    """What a sync would fail with too."""
    reason = (
        f"{error.filename}: {error.strerror}: see who may use it."
        if isinstance(error, OSError)
        else str(error)
    )
    return Finding(check, Level.ERROR, reason, exit_code_for(error))
