"""How old the data is. Reads one small file, so that a monitor can ask every minute."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cekura_sync.errors import WarehouseError
from cekura_sync.warehouse.layout import Layout, read_json

SKEW = timedelta(minutes=1)  # clocks may differ by this much before a sync counts as one of the future
_USED = {"finished_at": str, "mode": str, "results": int, "in_flight": int}


@dataclass(frozen=True)
class Status:
    warehouse: Path | str  # a file, or an engine and its schema
    last: dict[str, Any]  # the last completed sync as `sync --json` told it; empty before the first
    age: timedelta | None  # since it completed
    missing: bool = False  # whether the file that readers open is gone
    command: str = "cekura-sync sync"  # that fills it

    def is_older_than(self, limit: timedelta) -> bool:
        """A missing warehouse counts as old, and so does an age that the clock cannot tell."""
        return self.missing or self.age is None or not -SKEW <= self.age <= limit

    def as_json(self) -> dict[str, Any]:
        return {
            "warehouse": str(self.warehouse),
            "last_sync": self.last.get("finished_at"),
            "age_seconds": round(self.age.total_seconds(), 1) if self.age is not None else None,
            "last": self.last or None,
        }

    def sentence(self) -> str:
        if self.age is None:
            return f"No sync of {self.warehouse} has completed yet: run `{self.command}`."
        if self.missing:
            return f"{self.warehouse} is gone, though a sync completed at {self.last['finished_at']}: run `cekura-sync sync`, which puts it back."
        if self.age < -SKEW:
            return f"{self.warehouse}: the last sync completed at {self.last['finished_at']}, which is in the future: check this machine's clock, then run `{self.command}`."
        left = self.last.get("details_left")
        return (
            f"{self.warehouse}: last sync ({self.last['mode']}) completed {_ago(self.age)} ago, at {self.last['finished_at']}; "
            f"{self.last['results']:,} results, {self.last['in_flight']:,} in flight"
            f"{f', details of {left:,} left to read' if isinstance(left, int) and left else ''}."
        )


def read_status(path: Path) -> Status:
    files = Layout(path)
    try:
        last = read_json(files.last)
    except PermissionError:
        raise WarehouseError(
            f"{files.last} may not be read: ask as the user who syncs, or as one who may read {files.home}."
        ) from None
    state = status_of(files.published, last)
    return replace(state, missing=state.age is not None and not files.published.exists())


def status_of(warehouse: Path | str, last: dict[str, Any]) -> Status:
    finished = _finished(last)
    if finished is None:
        return Status(warehouse, {}, None)
    return Status(warehouse, last, datetime.now(UTC) - finished)


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
