"""What a sync reports while it runs, and its outcome."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from cekura_sync import clock
from cekura_sync.console.pace import Pace
from cekura_sync.tables import LOG


class Progress(Protocol):
    """Where a sync reports its progress."""

    def read(self, pages: int, rows: int, expected: int | None, pace: Pace) -> None: ...

    def read_details(self, done: int, asked: int) -> None: ...

    def say(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...

    def swapping(self) -> None:
        """From here on the sync counts as done: it can no longer be interrupted."""


@dataclass(frozen=True)
class Counts:
    """The counters of one sync, as `--json` and `sync_log` show them."""

    inserted: int
    updated: int
    unchanged: int
    deleted: int
    restored: int
    rejected: int
    in_flight: int
    results: int


@dataclass(frozen=True)
class Outcome:
    """What a sync did; its fields are the keys of `sync --json`."""

    mode: str
    scope: dict[str, str]
    requests: int
    retries: int
    pages: int
    rows_read: int
    counts: Counts
    watermark: datetime | None
    started: datetime
    finished: datetime
    warehouse: Path | str  # the file, or the engine and its schema
    changed: bool
    went_on: datetime | None = (
        None  # when it took up the reading of an interrupted sync, which began at `started`
    )
    details_read: int | None = None  # None where none were asked for
    details_left: int | None = None
    clock_ahead: timedelta = timedelta()  # this machine's clock against the API's; for the gate alone
    shortfall: int | None = None  # of the list against the API's `count`; for the log alone

    def as_json(self, *, dry_run: bool = False) -> dict[str, Any]:
        outcome = {
            "outcome": "ok",
            "mode": self.mode,
            "scope": self.scope,
            "requests": self.requests,
            "retries": self.retries,
            "pages": self.pages,
            "rows_read": self.rows_read,
            **asdict(self.counts),
            "watermark": self.watermark.isoformat() if self.watermark else None,
            "seconds": round(self._seconds, 3),
            "warehouse": str(self.warehouse),
            "changed": self.changed,
            **self._details(),
            **({"started_at": self.started.isoformat()} if self.went_on else {}),
        }
        return outcome | {"dry_run": True} if dry_run else outcome

    def _details(self) -> dict[str, int | None]:
        """Absent where no details were asked for."""
        if self.details_read is None:
            return {}
        return {"details_read": self.details_read, "details_left": self.details_left}

    @property
    def _seconds(self) -> float:
        """Of this sync, without the time between it and the one that it goes on with."""
        return (self.finished - (self.went_on or self.started)).total_seconds()

    def sentence(self, *, dry_run: bool = False) -> str:
        changes = [
            f"{number:,} {name}"
            for name, number in asdict(self.counts).items()
            if number and name in ("inserted", "updated", "deleted", "restored", "rejected")
        ]
        verb = "would be " if dry_run and changes else ""
        where = "would be in the warehouse" if dry_run else "in the warehouse"
        return (
            f"{self.mode.capitalize()} sync: {self.rows_read:,} results read with {self.requests:,} request{'s' * (self.requests != 1)}; {verb}"
            f"{', '.join(changes) or ('no result changed' if self.changed else 'nothing changed')}; {self._said_of_details()}{self.counts.results:,} results {where}, "
            f"{self.counts.in_flight:,} in flight ({self._seconds:.1f} s)."
        )

    def _said_of_details(self) -> str:
        if self.details_read is None:
            return ""
        left = f", {self.details_left:,} left for later" if self.details_left else ""
        return f"details of {self.details_read:,} read{left}; "

    def finished_now(self) -> "Outcome":
        return replace(self, finished=clock.now())

    def log_entry(self) -> dict[str, Any]:
        entry = self.as_json() | {"shortfall": self.shortfall}
        return {
            **{name: entry[name] for name in LOG if name in entry},
            "scope": json.dumps(self.scope),
            "started_at": self.started.isoformat(),
            "finished_at": self.finished.isoformat(),
        }
