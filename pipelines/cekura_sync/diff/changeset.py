"""What one sync will write: tables in memory, compared with the private base."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb

from cekura_sync import database
from cekura_sync.api.personal import PersonalData
from cekura_sync.console.memory import give_back
from cekura_sync.database import column_list
from cekura_sync.diff import forget
from cekura_sync.diff.base import Lookup
from cekura_sync.diff.detail_changes import REASON, DetailChanges
from cekura_sync.diff.differing import Known
from cekura_sync.diff.records import Keys
from cekura_sync.outcome import Counts
from cekura_sync.tables import (
    COUNTED,
    DETAILS,
    FIELDS,
    READING,
    REJECTED,
    RESULTS,
    RUNS,
    SCENARIOS,
    UNFINISHED,
)

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 10_000  # rows of one Arrow batch
SET_ASIDE = "20MB"
BY_ID = "by id: "  # begins the reason of a known row whose own address brings nothing

_TABLES = f"""
    create or replace table listed (id bigint);
    create or replace table changed ({column_list(RESULTS | READING)}, scenarios_known boolean, change varchar);
    create or replace table changed_runs ({column_list(RUNS)});
    create or replace table changed_scenarios ({column_list(SCENARIOS)});
    create or replace table rejected ({column_list(REJECTED)});
    create or replace table gone (id bigint, aged boolean);
    create or replace table read_in_full (complete boolean);
    create or replace table read_alike (id bigint, _digest varchar);
    create or replace table read_by_id (id bigint);
    create or replace table contested (id bigint, created bigint, raw varchar);
"""
_OF_LISTED = dict.fromkeys(("listed", "changed", "read_alike", "contested"), "id")
_OF_LISTED |= dict.fromkeys(("changed_runs", "changed_scenarios"), "result_id")
_FORGET_ALL_BUT_LISTED = f"""
    {" ".join(f"delete from {table} where {key} not in (select key from journal.places);" for table, key in _OF_LISTED.items())}
    delete from rejected where starts_with(reason, '{BY_ID}') or starts_with(reason, '{REASON}');
    delete from gone; delete from read_in_full; delete from read_by_id;
"""
# Results that a run has left for another one. Their text still lists it, so it must be read again, not recognised.
_TWICE = "select id, max(result_id) as result_id from changed_runs group by id having count(*) > 1"
_LOST_A_RUN = f"""
    select run.result_id
    from changed_runs as run join ({_TWICE}) as twice on twice.id = run.id and twice.result_id > run.result_id
    union
    select known.result_id
    from base.cekura.runs as known join changed_runs as run on run.id = known.id and run.result_id <> known.result_id
    where known.result_id not in (select id from changed where _runs_known)
"""
# A result that is written again may have lost a run, so its runs are counted again.
_NOT_COUNTED = ", ".join(f"null::{kind} as {name}" for name, kind in COUNTED.items())
_WRITE_RESULTS = f"""
    with lost_a_run as materialized ({_LOST_A_RUN}),
    known as not materialized (select *, {_NOT_COUNTED} from ({{known}}))
    select * exclude (change, scenarios_known)
        replace (case when id not in (select result_id from lost_a_run) then _digest end as _digest),
        null::timestamptz as deleted_at, null::timestamptz as aged_out_at, {_NOT_COUNTED}
    from changed
    union all by name
    select known.* replace (
        case when gone.aged then known.deleted_at else $started end as deleted_at,
        case when gone.aged then $started else known.aged_out_at end as aged_out_at)
    from known join gone on gone.id = known.id
    union all by name
    select known.* replace (null as _digest)
    from known
    where id in (select result_id from lost_a_run)
        and id not in (select id from changed) and id not in (select id from gone)
    union all by name
    select known.* replace (read_alike._digest as _digest)
    from known join read_alike on read_alike.id = known.id
    where known.id not in (select result_id from lost_a_run)
        and known.id not in (select id from changed) and known.id not in (select id from gone)
"""
# Children are replaced as a whole: a result that has none left gets one row that only says "remove". A run needs an id
# even there, so that row carries one that no run of the API has: its result's, negated.
# A run that moved to another result takes the rest of the old result's runs along, written again without it.
_WRITE_RUNS = """
    with twice as materialized (select id from changed_runs group by id having count(*) > 1),
    spare as materialized (
        select place from (
            select rowid as place, row_number() over (partition by id order by result_id desc) as rank
            from changed_runs where id in (select id from twice)
        ) where rank > 1
    ),
    mine as not materialized (select * from changed_runs where rowid not in (select place from spare)),
    lost_a_run as (
        select distinct known.result_id
        from base.cekura.runs as known join mine on mine.id = known.id and mine.result_id <> known.result_id
        where known.result_id not in (select id from changed where _runs_known)
    ),
    emptied as (
        select id as result_id from changed
        where _runs_known and id not in (select result_id from mine)
            and id in (select result_id from base.cekura.runs)
        union select result_id from lost_a_run
    )
    select *, false as _removed from mine
    union all by name
    select * from ({known})
    where result_id in (select result_id from lost_a_run) and id not in (select id from mine)
    union all by name
    select -result_id as id, result_id, true as _removed from emptied
"""
_WRITE_SCENARIOS = """
    select *, false as _removed from changed_scenarios
    union all by name
    select id as result_id, true as _removed from changed
    where scenarios_known and id not in (select result_id from changed_scenarios)
        and id in (select result_id from base.cekura.result_scenarios)
"""
# An address that fails again, for whatever reason, has failed since it first did: that is how long the next try waits.
_FIRST_SEEN = f"""
    (select min(known.seen_at) from base.cekura.rejected_rows as known
    where known.id = rejected.id and (
        starts_with(known.reason, '{BY_ID}') and starts_with(rejected.reason, '{BY_ID}')
        or starts_with(known.reason, '{REASON}') and starts_with(rejected.reason, '{REASON}')))
"""
_WRITE_REJECTED = f"""
    select distinct on (_digest) * replace (coalesce({_FIRST_SEEN}, seen_at) as seen_at), false as _removed from rejected
    where _digest not in (select _digest from base.cekura.rejected_rows)
    union all by name
    select _digest, id, true as _removed from base.cekura.rejected_rows
    where _digest not in (select _digest from rejected)
        and case when starts_with(reason, '{REASON}')
            then id in (
                select result_id from new_details_read where outcome <> 'missing'
                union select id from gone where not aged union select id from base.cekura.results where deleted_at is not null)
            else id in (select id from listed union select id from gone)
                -- One that was never taken ends with the reading that no longer shows it.
                or exists (select 1 from read_in_full) and (
                    id is null or id not in (select id from base.cekura.results where deleted_at is null)) end
"""
_WRITES = {
    "results": _WRITE_RESULTS,
    "runs": _WRITE_RUNS,
    "result_scenarios": _WRITE_SCENARIOS,
    "rejected_rows": _WRITE_REJECTED,
}
_AFTER = f"""
    with final as (
        select status from changed
        union all
        select status from base.cekura.results
        where deleted_at is null and id not in (select id from changed) and id not in (select id from gone where not aged)
    )
    select count(*), count(*) filter ({UNFINISHED}) from final
"""


class Changeset:
    """What to write, on a connection from `open_base`."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, started: datetime, personal_data: PersonalData, lookup: Lookup
    ) -> None:
        self._con = con
        self._lookup = lookup
        self._started = started
        self._personal_data = personal_data
        self.keys = Keys.known(con, personal_data)
        self.details = DetailChanges(con, lookup)

    def clear(self) -> None:
        """Forget what was to be written; what was learned of the API's fields stays."""
        self._con.execute(_TABLES)
        self.details.clear()

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Give the memory back meanwhile, and keep the rows: if loading them fails, they are needed once more."""
        self._con.execute(f"set memory_limit = '{SET_ASIDE}'")
        give_back()
        try:
            yield
        finally:
            self._con.execute(f"set memory_limit = '{database.MEMORY}'")

    def keep_only_listed(self) -> None:
        """Of what the journal holds, forget what was found apart from the listing: by id, or absent."""
        self._con.execute(_FORGET_ALL_BUT_LISTED)

    def mark_deleted(self, ids: Sequence[int]) -> None:
        self._con.execute("insert into gone select unnest($1::bigint[]), false", [list(ids)])

    def mark_read_in_full(self) -> None:
        """Everything that the API lists, of whatever scope, has been taken."""
        self._con.execute("insert into read_in_full select true")

    def something_changed(self) -> bool:
        """Whether a row taken so far is to be written."""
        return bool(self._value("select count(*) from changed"))

    def has_changes(self) -> bool:
        queries = ("from changed", "from gone", _WRITE_REJECTED)
        listed = any(self._con.execute(f"select * from ({query}) limit 1").fetchall() for query in queries)
        return listed or self.details.has_changes() or bool(self.to_forget())

    def to_forget(self) -> list[str]:
        """Statements that remove the personal data that must not be kept any longer."""
        return [*forget.statements(self._con, self._personal_data, self._lookup)]

    def counts(self, *, unchanged: int, rejected: int) -> Counts:
        changes = dict(self._con.execute("select change, count(*) from changed group by change").fetchall())
        deleted = self._value("select count(*) from gone where not aged")
        here = self._con.execute(_AFTER).fetchall()[0]
        others = self._lookup.count_others("deleted_at is null", f"deleted_at is null and {UNFINISHED}")
        results, in_flight = map(sum, zip(here, others, strict=True))
        return Counts(
            inserted=changes.get("inserted", 0),
            updated=changes.get("updated", 0),
            unchanged=unchanged,
            deleted=deleted,
            restored=changes.get("restored", 0),
            rejected=rejected,
            in_flight=in_flight,
            results=results,
        )

    def fields(self) -> Iterator[dict[str, str]]:
        """The columns that stand for fields which are not in the API's documents."""
        tables = (
            ("results", self.keys.new_row_columns),
            ("runs", self.keys.new_run_columns),
            ("run_details", self.details.new_columns),
        )
        for table, columns in tables:
            for key, column in columns.items():
                yield {"table_name": table, "api_name": key, "column_name": column}

    def new_fields(self) -> "Iterator[pa.Table]":
        """The same as rows of `_fields`."""
        columns = {name: [field[name] for field in self.fields()] for name in FIELDS}
        unnested = ", ".join(f"unnest(${name}::varchar[]) as {name}" for name in FIELDS)
        # Version 0.1.0 let dlt make this table from dicts, with these two columns of dlt's, which may not be NULL.
        dlts = "md5(concat_ws(' ', table_name, api_name)) as _dlt_id, 'sync' as _dlt_load_id"
        return self._arrow(f"select *, {dlts} from (select {unnested})", {**columns})

    def fetch_to_write(self) -> None:
        """What is to be written of known results that were not listed: their rows as they are."""
        self._lookup.fetch_children("select id from gone")

    def written_ids(self, at_most: int) -> list[int] | None:
        """The results of which something is written; None where they are more."""
        if self._value("select count(*) from changed") > at_most:
            return None
        rows = self._con.execute(
            f"select id from ({self.query('results')}) union select result_id from new_details_read limit {at_most + 1}",
            {"started": self._started},
        ).fetchall()
        return None if len(rows) > at_most else [id_ for (id_,) in rows]

    def tables(self) -> list[str]:
        """Those that have rows to load; the details' only where details were read."""
        return [*_WRITES, *(DETAILS if self.details.has_changes() else ())]

    def query(self, table: str) -> str:
        """For the rows to write; that of `results` has the parameter `started`."""
        query = _WRITES.get(table) or self.details.query(table)
        return query.format(known=self._known(table)) if table in ("results", "runs") else query

    def _known(self, table: str) -> str:
        """A query for the rows of the base that may be written again; without the counts, which an older version did not store."""
        counted = [name for name in COUNTED if Known(self._con).has(table, name)]
        query = forget.left_of(self._con, self._personal_data, table)
        return f"select * exclude ({', '.join(counted)}) from ({query})" if counted else query

    def rows(self, table: str) -> "Iterator[pa.Table]":
        return self._arrow(self.query(table), {"started": self._started} if table == "results" else None)

    def _arrow(self, query: str, values: dict[str, object] | None = None) -> "Iterator[pa.Table]":
        """The query's rows in batches; an empty one first, so that the table exists even without rows."""
        import pyarrow as pa  # a tenth of a second that a sync without changes does not spend

        reader = database.beside(self._con).sql(query, params=values).to_arrow_reader(BATCH_ROWS)
        yield pa.Table.from_batches([], schema=reader.schema)  # empty_table() would import pandas
        for batch in reader:
            yield pa.Table.from_batches([batch])
        give_back()

    def _value(self, query: str, *values: object) -> Any:
        return self._con.execute(query, list(values)).fetchall()[0][0]
