"""One run that compares with no warehouse: all that it read is handed on, with what is to be removed elsewhere.

What it must remember until the next run fits into a small state: when runs started, what was unfinished, and the columns
that stand for fields which are in none of the API's documents.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict

from cekura_sync import database
from cekura_sync.api.endpoints import Api
from cekura_sync.diff.base import open_base
from cekura_sync.diff.changeset import BATCH_ROWS
from cekura_sync.diff.compare import Comparison
from cekura_sync.diff.history import History
from cekura_sync.diff.journal import Journal
from cekura_sync.diff.scan import connect, scan
from cekura_sync.outcome import Progress
from cekura_sync.settings import Settings
from cekura_sync.tables import TERMINAL

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# A result that has no runs (or scenarios) left gets one row that only says "remove": the others go with their `result_id`.
# That row needs a key of its own, which no run can have: ids of the API are positive.
_ROWS = {
    "results": "select * exclude (change, scenarios_known, first_seen_at, _digest), false as _removed from changed",
    "runs": "select distinct on (id) *, false as _removed from changed_runs order by id, result_id desc",
    "result_scenarios": """
        select *, md5(concat_ws(' ', result_id, coalesce(scenario_id::varchar, ''), scenario_name)) as _key, false as _removed
        from changed_scenarios
    """,
    "rejected_rows": "select distinct on (_digest) *, false as _removed from rejected",
}
_REMOVALS = {
    "results": "select id, true as _removed from gone where not aged",
    "runs": """
        select -id as id, id as result_id, true as _removed from (
            select id from changed where _runs_known and id not in (select result_id from changed_runs)
            union select id from gone where not aged
        )
    """,
    "result_scenarios": """
        select id as result_id, id::varchar as _key, true as _removed from (
            select id from changed where scenarios_known and id not in (select result_id from changed_scenarios)
            union select id from gone where not aged
        )
    """,
}
# What each table is told apart by. A scenario may lack its id, so it gets a key made of all its fields.
KEYS = {"results": "id", "runs": "id", "result_scenarios": "_key", "rejected_rows": "_digest"}
_UNFINISHED = f"""
    select id, agent, _digest, created_at::varchar as created_at, synced_at::varchar as synced_at from (
        select id, agent, _digest, created_at, synced_at, status from changed
        union all
        select id, agent, _digest, created_at, synced_at, status from base.cekura.results
        where id not in (select id from changed) and id not in (select id from gone)
    ) where status is null or status not in {TERMINAL}
"""


class State(TypedDict, total=False):
    """What a scope keeps between two runs, beside its watermark."""

    last_started: str
    last_full_started: str
    unfinished: list[dict[str, Any]]  # id, agent, created_at, synced_at, _digest
    fields: list[dict[str, str]]


class Reading:
    """What one run has read, and the watermark that it reached as `updated_at`."""

    def __init__(self, con: "duckdb.DuckDBPyConnection", updated_at: datetime | None, *, first: bool) -> None:
        self._con = con
        self.updated_at = updated_at
        self._first = first  # so there is nothing yet to remove

    def rows(self, table: str) -> "Iterator[pa.Table]":
        yield from self._arrow(_ROWS[table], table)
        if table in _REMOVALS and not self._first:
            yield from self._arrow(_REMOVALS[table], table)

    def _arrow(self, query: str, table: str) -> "Iterator[pa.Table]":
        """In batches; an empty one first, so that the table exists even without rows."""
        import pyarrow as pa

        needed = {KEYS[table], "result_id"}
        reader = database.in_utc(self._con.cursor()).sql(query).to_arrow_reader(BATCH_ROWS)
        schema = pa.schema([field.with_nullable(field.name not in needed) for field in reader.schema])
        yield pa.Table.from_batches([], schema=schema)  # empty_table() would import pandas
        for batch in reader:
            yield pa.Table.from_batches([batch]).cast(schema)


def read(settings: Settings, state: State, watermark: datetime | None, progress: Progress) -> Reading:
    """Everything that this run reads from the API, proved complete. Changes `state`. Raises CekuraSyncError."""
    started = datetime.now(UTC)
    past = _past(state, watermark)
    con = open_base(None)
    _remember(con, state)
    comparison = Comparison(con, started=started, agent_id=settings.filters.agent_id, covers="true")
    # Only the unfinished ones are known here, and any number of those may be gone.
    lenient = replace(settings, allow_mass_delete=True)
    with connect(settings, past) as client:
        listing = scan(Api(client, settings), lenient, past, comparison, progress, Journal())
    _warn(comparison, progress)
    _note(con, state, comparison, full=listing.full)
    reached = max((moment for moment in (comparison.watermark, watermark) if moment), default=None)
    return Reading(con, reached, first=past.last_started is None)


def _past(state: State, watermark: datetime | None) -> History:
    started, full = (
        datetime.fromisoformat(text) if text else None
        for text in (state.get("last_started"), state.get("last_full_started"))
    )
    return History(started, full, watermark, only_this_scope=True)


def _remember(con: "duckdb.DuckDBPyConnection", state: State) -> None:
    """Put into the empty base what is known without a warehouse."""
    for field in state.get("fields", []):
        con.execute(
            "insert into base.cekura._fields by name select"
            " $table_name as table_name, $api_name as api_name, $column_name as column_name",
            field,
        )
    for row in state.get("unfinished", []):
        con.execute(
            "insert into base.cekura.results by name select $id::bigint as id, $agent::bigint as agent, $_digest as _digest,"
            " $created_at::timestamptz as created_at, $synced_at::timestamptz as synced_at",
            row,
        )


def _note(con: "duckdb.DuckDBPyConnection", state: State, comparison: Comparison, *, full: bool) -> None:
    """For the next run."""
    unfinished = con.execute(_UNFINISHED)
    names = [column[0] for column in unfinished.description or []]
    state["unfinished"] = [dict(zip(names, row, strict=True)) for row in unfinished.fetchall()]
    state["fields"] = [*comparison.changeset.fields()]
    state["last_started"] = comparison.started.isoformat()
    if full:
        state["last_full_started"] = comparison.started.isoformat()


def _warn(comparison: Comparison, progress: Progress) -> None:
    if comparison.rejected:
        progress.warn(f"{comparison.rejected:,} rows could not be stored: see the table rejected_rows.")
    if comparison.other_agents:
        progress.warn(
            f"{comparison.other_agents:,} rows of other agents came back despite agent_id; left out."
        )
