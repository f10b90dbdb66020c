"""How old the data is. Reads one small file, so that a monitor can ask every minute."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cekura_sync.layout import Layout, read_json


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
        return (
            f"{self.warehouse}: last sync ({self.last['mode']}) completed {_ago(self.age)} ago, at {self.last['finished_at']}; "
            f"{self.last['results']:,} results, {self.last['in_flight']:,} in flight."
        )


def read_status(path: Path) -> Status:
    files = Layout(path)
    last = read_json(files.last)
    age = datetime.now(UTC) - datetime.fromisoformat(last["finished_at"]) if last else None
    return Status(files.published, last, age)


def _ago(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
