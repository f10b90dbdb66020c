"""The results API as a dlt source for pipelines that are not ours: any destination, configured the dlt way.

Each run reads as a sync does: without gaps, and not a row is given before the reading is proved complete. What it cannot
do is compare with the destination, so every row that was read is merged again, and deletions show only in a full run.
"""

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict, cast

import dlt
from dlt.common import logger
from dlt.common.typing import TSecretStrValue

from cekura_sync import database, settings
from cekura_sync.api.endpoints import Api
from cekura_sync.diff.changeset import BATCH_ROWS, open_base
from cekura_sync.diff.compare import Comparison
from cekura_sync.diff.history import History, scope_text
from cekura_sync.diff.scan import connect, scan
from cekura_sync.errors import KeyRefused, SettingsError
from cekura_sync.settings import Settings
from cekura_sync.tables import TERMINAL

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from dlt.common.schema.typing import TColumnSchema
    from dlt.sources import DltResource

_REMOVED: dict[str, "TColumnSchema"] = {"_removed": {"data_type": "bool", "hard_delete": True}}
_CHILDREN: dict[str, Any] = {"merge_key": "result_id", "columns": _REMOVED}
_RESULTS = (
    "select * exclude (change, scenarios_known, first_seen_at, _digest), false as _removed from changed"
)
_NO_RESULTS = "select id, true as _removed from gone where not aged"
_RUNS = "select distinct on (id) *, false as _removed from changed_runs order by id, result_id desc"
# Children are replaced as a whole: a result that has none gets one row that only says "remove".
_NO_RUNS = """
    select -id as id, id as result_id, true as _removed from (
        select id from changed where _runs_known and id not in (select result_id from changed_runs)
        union select id from gone where not aged
    )
"""
# A key of its own: a scenario may lack its id, and table formats that only update need one.
_SCENARIOS = """
    select *, md5(concat_ws(' ', result_id, coalesce(scenario_id::varchar, ''), scenario_name)) as _key, false as _removed
    from changed_scenarios
"""
_NO_SCENARIOS = """
    select id as result_id, id::varchar as _key, true as _removed from (
        select id from changed where scenarios_known and id not in (select result_id from changed_scenarios)
        union select id from gone where not aged
    )
"""
_REJECTED = "select distinct on (_digest) * from rejected"
_UNFINISHED = f"""
    select id, agent, _digest, created_at::varchar as created_at, synced_at::varchar as synced_at from (
        select id, agent, _digest, created_at, synced_at, status from changed
        union all
        select id, agent, _digest, created_at, synced_at, status from base.cekura.results
        where id not in (select id from changed) and id not in (select id from gone)
    ) where status is null or status not in {TERMINAL}
"""


class _State(TypedDict, total=False):
    """What a scope keeps between two runs, beside its cursor; dlt commits it together with the data."""

    last_started: str
    last_full_started: str
    unfinished: list[dict[str, Any]]  # id, created_at, synced_at, _digest
    fields: list[dict[str, str]]  # which column stands for which field of the API's


class _Reading:
    """What one run has read; `updated_at` is where dlt's cursor finds how far it came."""

    def __init__(self, con: "duckdb.DuckDBPyConnection", updated_at: datetime | None, *, first: bool) -> None:
        self._con = con
        self.updated_at = updated_at
        self.first = first  # so there is nothing yet to remove

    def rows(self, query: str, keys: Collection[str]) -> "Iterator[pa.Table]":
        """In batches; an empty one first, so that the table exists even without rows."""
        import pyarrow as pa

        reader = database.in_utc(self._con.cursor()).sql(query).to_arrow_reader(BATCH_ROWS)
        schema = pa.schema([field.with_nullable(field.name not in keys) for field in reader.schema])
        yield pa.Table.from_batches([], schema=schema)  # empty_table() would import pandas
        for batch in reader:
            yield pa.Table.from_batches([batch]).cast(schema)


@dlt.source(name="cekura", section="cekura")
def cekura_source(
    api_key: TSecretStrValue = dlt.secrets.value,
    api_url: str = settings.API_URL,
    api_version: str = settings.API_VERSION,
    agent_id: int | None = None,
    project_id: int | None = None,
    search: str | None = None,
    scenarios: str | None = None,
    full: bool = False,
    full_every: str = settings.FULL_EVERY,
    lookback: str = settings.LOOKBACK,
    page_size: int = settings.PAGE_SIZE,
    concurrency: int = settings.CONCURRENCY,
    timeout: str | None = None,
    allow_http: bool = False,
) -> "tuple[DltResource, ...]":
    """Cekura test results: the resources `results`, `runs`, `result_scenarios` and `rejected_rows`.

    Every argument can come from dlt's configuration: `sources.cekura.api_key`, `SOURCES__CEKURA__API_KEY` and so on. The filters
    `agent_id`, `project_id`, `search` and `scenarios` together are a scope with a cursor of its own. A run reads everything
    when `full`, or when the scope's last full run is older than `full_every` (`0`: never); else back to `lookback` before its
    cursor, and by id what was unfinished. Durations read `90s`, `15m`, `24h`, `7d`.
    """
    options = dict(locals())
    with _key_by_its_name_here():
        resolved = settings.resolve(options, environ={"CEKURA_API_KEY": options.pop("api_key")})
    scope = scope_text(resolved.filters)

    # What is given holds the cursor only in the name of all its rows, so that dlt's filter can lose none of them.
    @dlt.resource(name=_name("listing", scope), selected=False)
    def listing(
        updated_at: "dlt.sources.incremental[datetime]" = dlt.sources.incremental(  # noqa: B008 - how dlt learns which field to watch
            "updated_at", primary_key=(), on_cursor_value_missing="include"
        ),
    ) -> Iterator[_Reading]:
        yield _read(resolved, cast("_State", dlt.current.resource_state()), updated_at.last_value)

    return (
        listing,
        _table(listing, "results", _RESULTS, _NO_RESULTS, primary_key="id", columns=_REMOVED),
        _table(listing, "runs", _RUNS, _NO_RUNS, primary_key="id", **_CHILDREN),
        _table(listing, "result_scenarios", _SCENARIOS, _NO_SCENARIOS, primary_key="_key", **_CHILDREN),
        _table(listing, "rejected_rows", _REJECTED, primary_key="_digest"),
    )


def _table(
    listing: "DltResource", name: str, query: str, removed: str | None = None, **hints: Any
) -> "DltResource":
    keys = [key for hint, key in hints.items() if hint.endswith("_key")]

    def rows(reading: _Reading) -> "Iterator[pa.Table]":
        yield from reading.rows(query, keys)
        if removed and not reading.first:
            yield from reading.rows(removed, keys)

    return dlt.transformer(rows, data_from=listing, name=name, write_disposition="merge", **hints)


def _name(name: str, scope: str) -> str:
    """One resource, so one cursor, per scope."""
    digest = hashlib.md5(scope.encode(), usedforsecurity=False).hexdigest()[:12]
    return name if scope == "{}" else f"{name}_{digest}"


def _read(settings: Settings, state: _State, watermark: datetime | None) -> _Reading:
    """Everything that this run reads from the API, proved complete. Raises CekuraSyncError."""
    started = datetime.now(UTC)
    past = _past(state, watermark)
    con = open_base(None)
    _remember(con, state)
    changes = Comparison(con, started=started, agent_id=settings.filters.agent_id, covers="true")
    # Known here are only the unfinished ones, and any number of those may be gone.
    lenient = replace(settings, allow_mass_delete=True)
    with _key_by_its_name_here(), connect(settings, past) as client:
        listing = scan(Api(client, settings), lenient, past, changes, _Log())
    _warn(changes)
    _note(con, state, changes, full=listing.full)
    reached = max((moment for moment in (changes.watermark, watermark) if moment), default=None)
    return _Reading(con, reached, first=past.last_started is None)


@contextmanager
def _key_by_its_name_here() -> Iterator[None]:
    try:
        yield
    except (KeyRefused, SettingsError) as error:
        raise type(error)(str(error).replace("CEKURA_API_KEY", "SOURCES__CEKURA__API_KEY")) from None


def _past(state: _State, watermark: datetime | None) -> History:
    started, full = (
        datetime.fromisoformat(text) if text else None
        for text in (state.get("last_started"), state.get("last_full_started"))
    )
    return History(started, full, watermark, log_age=None, only_this_scope=True)


def _remember(con: "duckdb.DuckDBPyConnection", state: _State) -> None:
    """Into the empty base, what is known without the destination: fields by name, and what was unfinished."""
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


def _note(con: "duckdb.DuckDBPyConnection", state: _State, changes: Comparison, *, full: bool) -> None:
    """For the next run; it counts only once dlt has extracted everything, and loading comes with it."""
    unfinished = con.execute(_UNFINISHED)
    names = [column[0] for column in unfinished.description or []]
    state["unfinished"] = [dict(zip(names, row, strict=True)) for row in unfinished.fetchall()]
    state["fields"] = [*changes.changeset.fields()]
    state["last_started"] = changes.started.isoformat()
    if full:
        state["last_full_started"] = changes.started.isoformat()


def _warn(changes: Comparison) -> None:
    if changes.rejected:
        _Log().warn(f"{changes.rejected:,} rows could not be taken: see the table rejected_rows.")
    if changes.other_agents:
        _Log().warn(f"{changes.other_agents:,} rows of other agents came back despite agent_id; left out.")


class _Log:
    """Progress in dlt's log."""

    def read(self, pages: int, rows: int, expected: int | None) -> None: ...

    def read_details(self, done: int, asked: int) -> None: ...

    def say(self, text: str) -> None:
        logger.info(text)

    def warn(self, text: str) -> None:
        logger.warning(text)

    def swapping(self) -> None: ...
