"""How old the data is. Reads one small file, so that a monitor can ask every minute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cekura_sync import clock
from cekura_sync.errors import WarehouseError
from cekura_sync.warehouse import scopes
from cekura_sync.warehouse.layout import Layout, read_json
from cekura_sync.warehouse.scopes import SKEW, Scope

_USED = {"finished_at": str, "mode": str, "results": int, "in_flight": int}


@dataclass(frozen=True)
class Status:
    warehouse: Path | str  # a file, or an engine and its schema
    last: dict[str, Any]  # the last completed sync as `sync --json` told it; empty before the first
    now: datetime
    scopes: Sequence[Scope] = ()  # those that are judged, the oldest first
    filters: Mapping[str, str] | None = None  # of the one scope that was asked for
    missing: bool = False  # whether the file that readers open is gone
    unrecorded: bool = False  # whether that file is there without a record of its syncs
    command: str = "cekura-sync sync"  # that fills it

    @property
    def age(self) -> timedelta | None:
        """Since the last completed sync, of whatever scope."""
        finished = scopes.moment(self.last.get("finished_at"))
        return self.now - finished if finished else None

    def is_older_than(self, limit: timedelta) -> bool:
        """A missing warehouse counts as old, and so does an age that the clock cannot tell."""
        return self.missing or not self.scopes or bool(self.older_than(limit))

    def older_than(self, limit: timedelta) -> list[Scope]:
        """The judged scopes of which that is true."""
        return [scope for scope in self.scopes if not -SKEW <= self.now - scope.finished <= limit]

    def complaint(self, asked: str, limit: timedelta) -> str:
        """`asked`: the option that gave the limit."""
        names = ", ".join(scope.name for scope in self.older_than(limit))
        what = f"The last sync of {names} is" if names else f"{self.warehouse} is"
        return f"{what} older than {asked}: look at the log of the job, or run `cekura-sync doctor`."

    def as_json(self) -> dict[str, Any]:
        return {
            "warehouse": str(self.warehouse),
            "last_sync": self.last.get("finished_at"),
            "age_seconds": round(self.age.total_seconds(), 1) if self.age is not None else None,
            "last": self.last or None,
            "scopes": [
                scope.as_json() | {"age_seconds": round((self.now - scope.finished).total_seconds(), 1)}
                for scope in self.scopes
            ],
        }

    def sentence(self) -> str:
        if self.unrecorded:
            return f"The age of {self.warehouse} is not known: {self.warehouse}.d has no record of its syncs. Run `{self.command}`, or ask `cekura-sync query 'from sync_status'`."
        if self.age is None:
            return f"No sync of {self.warehouse} has completed yet: run `{self.command}`, or wait for the one that is running."
        if self.missing:
            return f"{self.warehouse} is gone, though a sync completed at {self.last['finished_at']}: run `cekura-sync sync`, which puts it back."
        if not self.scopes:
            return f"No sync of {scopes.name_of(self.filters or {})} has completed yet in {self.warehouse}: run `{self.command}` with these filters."
        if self.age < -SKEW:
            return f"{self.warehouse}: the last sync completed at {self.last['finished_at']}, which is in the future: check this machine's clock, then run `{self.command}`."
        left = self.last.get("details_left")
        return (
            f"{self.warehouse}: last sync ({self.last['mode']}) completed {_ago(self.age)} ago, at {self.last['finished_at']}; "
            f"{self.last['results']:,} results, {self.last['in_flight']:,} in flight"
            f"{f', details of {left:,} left to read' if isinstance(left, int) and left else ''}.{self._oldest()}"
        )

    def _oldest(self) -> str:
        """Says which scope was synced longest ago, unless the last sync was of all that are judged."""
        oldest = self.scopes[0]
        if self.filters is None and oldest.finished == scopes.moment(self.last["finished_at"]):
            return ""
        of = f"The oldest of {len(self.scopes)} scopes" if len(self.scopes) > 1 else "The scope"
        return f" {of}, {oldest.name}, was synced at {oldest.finished.isoformat()}."


def read_status(path: Path, filters: Mapping[str, str] | None = None) -> Status:
    """`filters`: of the one scope to judge; None: every scope."""
    files = Layout(path)
    try:
        last = read_json(files.last)
    except PermissionError:
        raise WarehouseError(
            f"{files.last} may not be read: ask as the user who syncs, or as one who may read {files.home}."
        ) from None
    state = status_of(files.published, last, filters)
    exists = files.published.exists()
    if exists and state.age is None:
        _require_ours(files.published)
    return replace(
        state,
        missing=state.age is not None and not exists,
        unrecorded=state.age is None and exists,
    )


def _require_ours(published: Path) -> None:
    """Raises WarehouseError for the file of another program."""
    from cekura_sync.warehouse import identity

    identity.of_file(published, any_layout=True)


def status_of(
    warehouse: Path | str, last: dict[str, Any], filters: Mapping[str, str] | None = None
) -> Status:
    now = clock.now()
    finished = _finished(last)
    if finished is None:
        return Status(warehouse, {}, now, filters=filters)
    judged = scopes.judged(scopes.recorded(last, finished), now, filters)
    told = {name: value for name, value in last.items() if name != "scopes"}
    return Status(warehouse, told, now, judged, filters)


def _finished(last: dict[str, Any]) -> datetime | None:
    """When the sync completed; None if this is not what a sync writes."""
    if not all(isinstance(last.get(name), kind) for name, kind in _USED.items()):
        return None
    return scopes.moment(last["finished_at"])


def _ago(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
