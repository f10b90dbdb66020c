"""The table `sync_log`, and the syncs that changed nothing and wait beside the file to be published in it."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cekura_sync.database import as_dicts
from cekura_sync.tables import LATER, LOG, SCHEMA
from cekura_sync.warehouse.scopes import Scope, with_sync

if TYPE_CHECKING:
    import duckdb

COLUMNS = ", ".join(LOG)
KEPT_WHOLE_FOR = timedelta(days=90)  # of what is older, one row a day is kept for each scope and mode
# The age counts from the newest sync, not from the clock: one that was ahead once must not empty the log.
THIN_OUT = f"""
    delete from cekura.sync_log as old
    where finished_at < (
        select finished_at from cekura.sync_log order by generation desc, finished_at desc limit 1
    ) - interval '{KEPT_WHOLE_FOR.days} days' and exists (
        select 1 from cekura.sync_log as newer
        where newer.scope = old.scope and newer.mode = old.mode and newer.started_at > old.started_at
            and cast(newer.finished_at as date) = cast(old.finished_at as date)
    )
"""


NEWEST = "from cekura.sync_log order by generation desc, finished_at desc limit 1"
# The last sync of each scope, and the last full one.
SCOPES = """
    select scope, finished_at, last_full_at
    from (
        select scope, finished_at,
            row_number() over (partition by scope order by coalesce(generation, 0) desc, finished_at desc) as newest_first,
            max(case when mode = 'full' then finished_at end) over (partition by scope) as last_full_at
        from {schema}.sync_log
    ) as logged
    where newest_first = 1
"""


def newest(con: "duckdb.DuckDBPyConnection") -> dict[str, Any]:
    """The last sync in the log of the warehouse that `con` reads, as `last.json` has it; empty without one."""
    found = con.execute(f"select * {NEWEST}")
    rows = as_dicts(found)
    return as_record(rows[0], con.execute(SCOPES.format(schema=SCHEMA)).fetchall()) if rows else {}


def as_record(row: Mapping[str, Any], scopes_: Iterable[Sequence[Any]]) -> dict[str, Any]:
    """As `last.json` has it: a row of the log, and the rows of SCOPES."""
    values = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()
    }
    listed = [scope.as_json() for scope in scopes(scopes_)]
    return values | {"scope": json.loads(values["scope"]), "scopes": listed}


def scopes(rows: Iterable[Sequence[Any]], later: Iterable[Mapping[str, Any]] = ()) -> list[Scope]:
    """From the rows of SCOPES, and syncs that are not in the log yet as `Outcome.log_entry` tells them."""
    found = [Scope(json.loads(scope), finished, last_full) for scope, finished, last_full in rows]
    for entry in later:
        finished = datetime.fromisoformat(entry["finished_at"])
        found = with_sync(found, filters=json.loads(entry["scope"]), mode=entry["mode"], finished=finished)
    return found


def append(con: "duckdb.DuckDBPyConnection", entries: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to the `sync_log` of the warehouse that `con` writes, and thin out those of long ago."""
    rows = [[entry.get(name) for name in LOG] for entry in entries]
    marks = ", ".join("?" * len(LOG))
    con.begin()  # each row on its own would wait for the disk
    con.executemany(f"insert into cekura.sync_log ({COLUMNS}) values ({marks})", rows)
    con.commit()
    con.execute(THIN_OUT)


class PendingLog:
    """Completed syncs that changed nothing since the last swap: a file with one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, generation: int) -> list[dict[str, Any]]:
        """Those that follow this generation; any other entry is already in the table, or was never true."""
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return []  # without it a sync only reads more than it had to
        entries = [entry for line in lines if (entry := _entry(line)) is not None]
        return [entry for entry in entries if entry["generation"] == generation]

    def append(self, entry: Mapping[str, Any], generation: int) -> None:
        line = json.dumps({**entry, "generation": generation}).encode() + b"\n"
        with self._path.open("a+b") as log:
            if not _ends_with_a_line(log):  # a crash cut it short
                line = b"\n" + line
            log.write(line)

    def forget(self) -> None:
        with suppress(OSError):  # what stays is of an earlier generation, so nobody counts it
            self._path.unlink()


def _ends_with_a_line(file: IO[bytes]) -> bool:
    """Whether what is appended begins one."""
    if not file.seek(0, os.SEEK_END):
        return True
    file.seek(-1, os.SEEK_END)
    return file.read() == b"\n"


def _entry(line: bytes) -> dict[str, Any] | None:
    """None for a line that a crash cut short."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and entry.keys() >= LOG.keys() - LATER.keys() else None
