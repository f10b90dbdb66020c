"""How old the data is. Reads one small file, so that a monitor can ask every minute."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cekura_sync.layout import Layout, read_json

_USED = {"finished_at": str, "mode": str, "results": int, "in_flight": int}


@dataclass(frozen=True)
class Status:
    warehouse: Path
    last: dict[str, Any]  # the last completed sync as `sync --json` told it; empty before the first
    age: timedelta | None  # since it completed

    def as_json(self) -> dict[str, Any]:
        return {
            "warehouse": str(self.warehouse),
            "last_sync": self.last.get("finished_at"),
            "age_seconds": round(self.age.total_seconds(), 1) if self.age is not None else None,
            "last": self.last or None,
        }

    def sentence(self) -> str:
        if self.age is None:
            return f"No sync of {self.warehouse} has completed yet: run `cekura-sync sync`."
        left = self.last.get("details_left")
        return (
            f"{self.warehouse}: last sync ({self.last['mode']}) completed {_ago(self.age)} ago, at {self.last['finished_at']}; "
            f"{self.last['results']:,} results, {self.last['in_flight']:,} in flight"
            f"{f', details of {left:,} left to read' if isinstance(left, int) and left else ''}."
        )


def read_status(path: Path) -> Status:
    files = Layout(path)
    last = read_json(files.last)
    finished = _finished(last)
    if finished is None:
        return Status(files.published, {}, None)
    return Status(files.published, last, datetime.now(UTC) - finished)


def _finished(last: dict[str, Any]) -> datetime | None:
    """When the sync completed; None if this is not what a sync writes."""
    if not all(isinstance(last.get(name), kind) for name, kind in _USED.items()):
        return None
    try:
        finished = datetime.fromisoformat(last["finished_at"])
    except ValueError:
        return None
    return finished if finished.tzinfo else None


def _ago(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
