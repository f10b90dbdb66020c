"""What earlier syncs did: the table `sync_log`, and the cursor that dlt keeps."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from cekura_sync.settings import Filters

COUNTS_TO_DEPEND_ON = 3
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True)
class History:
    """The past of one scope, and what other scopes this warehouse has seen."""

    last_started: datetime | None
    last_full_started: datetime | None
    watermark: datetime | None
    only_this_scope: bool
    shortfalls: Sequence[
        int
    ] = ()  # of the newest lists that were read to their end, against the API's `count`

    def needs_full(self, now: datetime, full_every: timedelta) -> bool:
        """Whether the scope's last full sync is older than asked (0: never), or there is none."""
        if self.last_full_started is None:
            return True
        # A start in the future says nothing about its age.
        return bool(full_every) and not timedelta(0) <= now - self.last_full_started < full_every

    def horizon(self, lookback: timedelta) -> int | None:
        """How far back a quick sync reads, in microseconds since 1970."""
        starts = [moment for moment in (self.watermark, self.last_started) if moment is not None]
        return (min(starts) - lookback - EPOCH) // timedelta(microseconds=1) if starts else None

    def plan(self, filters: Filters, horizon: int | None, *, asked: bool) -> str:
        """What a sync is about to read, and why."""
        scope = filters.text() or "all results"
        last = "" if self.last_full_started is None else _clock(self.last_full_started)
        if horizon is None:
            why = "--full asks for it" if asked else f"the last one began at {last}" if last else "the first"
            return f"Full sync of {scope}: {why}."
        since = _clock(EPOCH + timedelta(microseconds=horizon))
        return (
            f"Quick sync of {scope}, back to what was created at {since}; the last full one began at {last}."
        )

    @property
    def count_is_dependable(self) -> bool:
        """Whether the API's `count` has been the number of listed results each time of late."""
        return len(self.shortfalls) == COUNTS_TO_DEPEND_ON and not any(self.shortfalls)


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def scope_text(filters: Filters) -> str:
    return json.dumps(filters.params())


def covered(filters: Filters, history: History) -> str:
    """A SQL predicate over known rows: those that this scope can be judged for."""
    if filters.params() and not history.only_this_scope and filters != Filters(agent_id=filters.agent_id):
        return "false"
    # A result that was given to another agent has left the scope, and is not missing from it.
    return "true" if filters.agent_id is None else f"agent = {filters.agent_id}"


def belonging(filters: Filters) -> str:
    """A SQL predicate over known rows: those whose columns tell that they are of this scope."""
    if filters.project_id is None or filters.search is not None or filters.scenarios is not None:
        return "false"
    of_agent = "" if filters.agent_id is None else f" and agent = {filters.agent_id}"
    return f"project_id = '{filters.project_id}'{of_agent}"


def read(
    con: duckdb.DuckDBPyConnection, scope: str, pending: Iterable[Mapping[str, Any]], *, now: datetime
) -> History:
    """From the base attached to `con`, and from the syncs that are not in it yet.

    A sync that began after `now`, when the clock was wrong, does not say how long ago anything was.
    """
    logged = con.execute(
        "select scope, mode, max(started_at) filter (started_at <= $1) from base.cekura.sync_log group by scope, mode",
        [now],
    ).fetchall()
    pending = [*pending]
    later = [
        (entry["scope"], entry["mode"], datetime.fromisoformat(entry["started_at"])) for entry in pending
    ]
    mine = [
        (mode, started)
        for scope_, mode, started in (*logged, *later)
        if scope_ == scope and started is not None and started <= now
    ]
    watermark = con.execute(
        "select max(updated_at) from base.cekura._watermarks where scope = $1", [scope]
    ).fetchall()
    return History(
        last_started=max((started for _, started in mine), default=None),
        last_full_started=max((started for mode, started in mine if mode == "full"), default=None),
        watermark=watermark[0][0],
        only_this_scope=all(entry[0] == scope for entry in (*logged, *later)),
        shortfalls=_shortfalls(con, scope, pending),
    )


def _shortfalls(
    con: duckdb.DuckDBPyConnection, scope: str, pending: Iterable[Mapping[str, Any]]
) -> list[int]:
    """The newest ones; the log of a warehouse that an older version wrote has none."""
    column = (
        "select 1 from duckdb_columns() where database_name = 'base' and table_name = 'sync_log'"
        " and column_name = 'shortfall'"
    )
    query = (
        "select shortfall from base.cekura.sync_log where scope = $1 and shortfall is not null"
        f" order by generation desc, finished_at desc limit {COUNTS_TO_DEPEND_ON}"
    )
    logged = con.execute(query, [scope]).fetchall() if con.execute(column).fetchall() else []
    later = [entry.get("shortfall") for entry in pending if entry["scope"] == scope]
    newest = [
        *reversed([value for value in later if isinstance(value, int)]),
        *(value for (value,) in logged),
    ]
    return newest[:COUNTS_TO_DEPEND_ON]
