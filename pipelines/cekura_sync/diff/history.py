"""What earlier syncs did: the table `sync_log`, and the cursor that dlt keeps."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from cekura_sync.settings import Filters
from cekura_sync.tables import LATER, LOG, LOG_COLUMNS

LOG_WHOLE_FOR = timedelta(days=90)  # of what is older, one row a day is kept for each scope and mode
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
# The same thinning out where there is no number of a row.
THINNED = """
    delete from cekura.sync_log as old
    where finished_at < current_timestamp - interval '{days} days' and exists (
        select 1 from cekura.sync_log as newer
        where newer.scope = old.scope and newer.mode = old.mode and newer.started_at > old.started_at
            and cast(newer.finished_at as date) = cast(old.finished_at as date)
    )
"""


@dataclass(frozen=True)
class History:
    """The past of one scope, and what other scopes this warehouse has seen."""

    last_started: datetime | None
    last_full_started: datetime | None
    watermark: datetime | None
    log_age: timedelta | None  # since the newest row of the published sync_log
    only_this_scope: bool

    def needs_full(self, now: datetime, full_every: timedelta) -> bool:
        """Whether the scope's last full sync is older than asked (0: never), or there is none."""
        if self.last_full_started is None:
            return True
        # A start that lies ahead of the clock proves nothing about its age.
        return bool(full_every) and not timedelta(0) <= now - self.last_full_started < full_every

    def horizon(self, lookback: timedelta) -> int | None:
        """How far back a quick sync reads, in microseconds since 1970."""
        starts = [moment for moment in (self.watermark, self.last_started) if moment is not None]
        return (min(starts) - lookback - EPOCH) // timedelta(microseconds=1) if starts else None

    def plan(self, filters: Filters, horizon: int | None, *, asked: bool) -> str:
        """What a sync is about to read, and why so much."""
        scope = filters.text() or "all results"
        last = "" if self.last_full_started is None else _clock(self.last_full_started)
        if horizon is None:
            why = "--full asks for it" if asked else f"the last one began at {last}" if last else "the first"
            return f"Full sync of {scope}: {why}."
        since = _clock(EPOCH + timedelta(microseconds=horizon))
        return (
            f"Quick sync of {scope}, back to what was created at {since}; the last full one began at {last}."
        )


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def scope_text(filters: Filters) -> str:
    return json.dumps(filters.params())


def covered(filters: Filters, history: History) -> str:
    """A SQL predicate over known rows: those that this scope can be judged for."""
    if not filters.params() or history.only_this_scope:
        return "true"
    if filters == Filters(agent_id=filters.agent_id):
        return f"agent = {filters.agent_id}"
    return "false"


def read(
    con: duckdb.DuckDBPyConnection, scope: str, pending: Iterable[Mapping[str, Any]], now: datetime
) -> History:
    """From the base attached to `con`, and from the syncs that are not in it yet."""
    logged = con.execute(
        "select scope, mode, max(started_at), max(finished_at) filter (finished_at <= $1)"
        " from base.cekura.sync_log group by scope, mode",
        [now],  # a row from a time when the clock was ahead tells no age
    ).fetchall()
    later = [
        (entry["scope"], entry["mode"], datetime.fromisoformat(entry["started_at"]), None)
        for entry in pending
    ]
    mine = [(mode, started) for scope_, mode, started, _ in (*logged, *later) if scope_ == scope]
    watermark = con.execute(
        "select max(updated_at) from base.cekura._watermarks where scope = $1", [scope]
    ).fetchall()
    published = max((finished for *_, finished in logged if finished), default=None)
    return History(
        last_started=max((started for _, started in mine), default=None),
        last_full_started=max((started for mode, started in mine if mode == "full"), default=None),
        watermark=watermark[0][0],
        log_age=now - published if published else None,
        only_this_scope=all(entry[0] == scope for entry in (*logged, *later)),
    )


def append(con: duckdb.DuckDBPyConnection, entries: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to the `sync_log` of the warehouse that `con` writes, and thin out those of long ago."""
    con.execute(f"create table if not exists cekura.sync_log ({LOG_COLUMNS})")
    for name, kind in LATER.items():
        con.execute(f"alter table cekura.sync_log add column if not exists {name} {kind}")
    rows = [[entry.get(name) for name in LOG] for entry in entries]
    marks = ", ".join("?" * len(LOG))
    con.begin()  # each row on its own would wait for the disk
    con.executemany(f"insert into cekura.sync_log ({', '.join(LOG)}) values ({marks})", rows)
    con.commit()
    con.execute(
        """
        delete from cekura.sync_log where rowid in (
            select rowid from cekura.sync_log
            where finished_at < (select max_by(finished_at, generation) from cekura.sync_log) - $1::interval
            qualify row_number() over (partition by scope, mode, finished_at::date order by started_at desc) > 1
        )
        """,
        [LOG_WHOLE_FOR],
    )
