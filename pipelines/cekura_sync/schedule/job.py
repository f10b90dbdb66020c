"""What to run, and how often."""

import sys
import sysconfig
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from zlib import crc32

from cekura_sync.errors import SettingsError

_HOUR, _DAY = 60, 24 * 60  # in minutes


@dataclass(frozen=True)
class Job:
    """A scheduled sync. It never holds the key."""

    every: timedelta
    warehouse: Path
    options: tuple[str, ...]  # of `sync`, without the warehouse
    env_file: Path
    image: str
    secrets: tuple[str, ...] = ()  # variables beside the key that are set here; never their values
    engine: str | None = None  # instead of the file; never its credentials
    written: tuple[Path, ...] = ()  # directories, beside the warehouse's, that a sync writes into
    filters: tuple[str, ...] = ()  # those among the options: the scope that a monitor of this job judges

    @property
    def place(self) -> tuple[str, str]:
        """The warehouse or engine, as an option of `sync` and `status`."""
        return ("--destination", self.engine) if self.engine else ("--warehouse", str(self.warehouse))

    def cron(self) -> str:
        """The five fields of crontab(5). Each warehouse has its own minute, because full hours are busy everywhere."""
        minutes, rest = divmod(int(self.every.total_seconds()), 60)
        own = crc32(str(self.warehouse).encode())
        if not rest and minutes < _HOUR and _HOUR % minutes == 0:
            return f"{_times(own % minutes, _HOUR, minutes)} * * * *"
        if not rest and minutes % _HOUR == 0 and _DAY % minutes == 0:
            hours = minutes // _HOUR
            return f"{own % _HOUR} {_times(own % hours, 24, hours)} * * *"
        raise SettingsError(
            f"Cron cannot run a job every {duration_text(self.every)}: use an --every that divides an hour or a day, such as 15m or 6h."
        )

    def check(self, *place: str) -> list[str]:
        """The words after `cekura-sync` of a command for a monitor; it exits with 10 when the data is too old."""
        return ["status", *place, *self.filters, "--max-age", self.max_age()]

    def max_age(self) -> str:
        """The age at which a monitor should warn: three intervals, so that one slow sync is not enough."""
        return duration_text(max(3 * self.every, timedelta(hours=1)))


def this_command() -> tuple[str, ...]:
    """How to start this installation from any directory."""
    script = Path(sysconfig.get_path("scripts"), "cekura-sync")
    return (str(script),) if script.exists() else (sys.executable, "-m", "cekura_sync")


def duration_text(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _times(first: int, end: int, step: int) -> str:
    return "*" if step == 1 else ",".join(str(time) for time in range(first, end, step))
