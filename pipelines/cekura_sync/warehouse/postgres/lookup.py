"""The known side of a comparison, asked of the engine: what was listed and what should have been, not the whole warehouse."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from cekura_sync import clock, tables
from cekura_sync.database import first_line, quoted
from cekura_sync.diff.base import Lookup, open_base
from cekura_sync.errors import WarehouseError
from cekura_sync.tables import AGED_OUT, LIVE, SCHEMA, TERMINAL, UNFINISHED
from cekura_sync.warehouse.postgres.session import Session

NEWEST = 1000  # as many as show what the list shows
# What tells whether a result reads as before, and whether it should have been listed.
_BRIEFLY = (
    "id",
    "agent",
    "status",
    "created_at",
    "updated_at",
    "project_id",
    "_digest",
    "_in_flight_since",
    "first_seen_at",
    "synced_at",
    "deleted_at",
    "aged_out_at",
)
_WHOLE_TABLES = ("_fields", "_watermarks", "_erased", "changes", "rejected_rows")
_CHILDREN = ("runs", "result_scenarios")
DLTS_OWN = {"_removed", "_dlt_id", "_dlt_load_id"}
# Of each scope and mode: the newest syncs, and those from a time when the clock was ahead.
_NEWEST_SYNCS = """
    generation >= (select max(generation) from {schema}.sync_log) or started_at in (
        select started_at from (
            select started_at,
                row_number() over (partition by scope, mode, started_at > %s order by started_at desc) as place
            from {schema}.sync_log
        ) as placed
        where place <= 10
    )
"""
_DUE = """
    id in (
        select results.id from {schema}.results left join {schema}.details_read as known on known.result_id = results.id
        where {live} and results.status in {terminal} and (
            known.result_id is null or known.outcome <> 'read'
            or known.result_synced_at is distinct from results.synced_at or {more})
    )
"""


class EngineLookup(Lookup):
    """Brings rows of the engine into the base of a comparison. The caller holds the lock, so nobody writes meanwhile."""

    is_complete = False

    def __init__(self, session: Session, spill: Path) -> None:
        self.con = open_base(None, spill)
        super().__init__(self.con)
        self._session = session
        self._present = {
            table: [name for name in columns if name not in DLTS_OWN]
            for table, columns in session.columns().items()
        }
        self.con.execute("create table whole (id bigint)")  # results with all columns and children
        for table in tables.TABLES:
            self._add_columns(table)
        for table in _WHOLE_TABLES:
            self._bring(table)
        if "sync_log" in self._present:
            self._bring("sync_log", where=_NEWEST_SYNCS.format(schema=SCHEMA), values=[clock.now()])
        self.fetch_listed(f"select id from base.{SCHEMA}.rejected_rows where id is not null")

    def fetch_listed(self, results: str) -> None:
        asked = self._ids(
            f"select id from ({results}) as asked(id) except select id from base.{SCHEMA}.results"
        )
        self._bring_briefly("id = any(%s::bigint[])", asked)

    def fetch_children(self, results: str, runs: str = "select null::bigint limit 0") -> None:
        ids = self._ids(results)
        if run_ids := self._ids(runs):
            ids += self._column("runs", "result_id", "id = any(%s::bigint[])", run_ids)
        ids = self._ids("select distinct unnest($1::bigint[]) except from whole", ids)
        if not ids:
            return
        self.con.execute(
            f"delete from base.{SCHEMA}.results where id in (select unnest($1::bigint[]))", [ids]
        )
        self._bring("results", where="id = any(%s::bigint[])", values=[_array(ids)])
        for table in _CHILDREN:
            self._bring(table, where="result_id = any(%s::bigint[])", values=[_array(ids)])
        self.con.execute("insert into whole select unnest($1::bigint[])", [ids])

    def fetch_unfinished(self) -> None:
        self._bring_others(f"{LIVE} and {UNFINISHED}")

    def fetch_live(self, above: int | None) -> None:
        newer = (
            "" if above is None else f" and created_at > to_timestamp(0) + {above} * interval '1 microsecond'"
        )
        self._bring_others(f"{LIVE}{newer}")

    def fetch_aged_out(self, above: int) -> None:
        if "aged_out_at" in self._present.get("results", {}):
            since = f"to_timestamp(0) + {above} * interval '1 microsecond'"
            self._bring_others(f"{AGED_OUT} and created_at >= {since}")
            # By whose list: syncs that the base has not, unless they are among the newest.
            whose = f"started_at in (select aged_out_at from {SCHEMA}.results where {AGED_OUT})"
            self._bring("sync_log", where=whose)

    def fetch_newest(self) -> None:
        if "results" in self._present:
            query = f"select id from {SCHEMA}.results order by synced_at desc limit {NEWEST}"
            ids = [id_ for (id_,) in self._session.rows(query)]
            self.con.execute(
                "create or replace temp table newest as select unnest($1::bigint[]) as id", [ids]
            )
            self.fetch_children("select id from newest")

    def fetch_details(self, *, transcripts: bool, profiles: bool) -> None:
        """Also of which results there are rows in the tables of details."""
        if "details_read" not in self._present:
            self.fetch_live(None)
            return
        wanted = ["not known.with_transcripts"] * transcripts
        if profiles and "with_profiles" in self._present["details_read"]:
            wanted.append("not coalesce(known.with_profiles, false)")
        due = _DUE.format(
            schema=SCHEMA,
            live=LIVE,
            terminal=TERMINAL,
            more=" or ".join(wanted) or "false",
        )
        self._bring_others(due)
        ids = self._ids(f"select id from base.{SCHEMA}.results union select id from changed")
        for table in tables.DETAILS:
            self.con.execute(f"delete from base.{SCHEMA}.{table}")
            columns = self._present.get(table, []) if table == "details_read" else ["result_id"]
            self._bring(table, columns, "result_id = any(%s::bigint[])", [_array(ids)], distinct=True)

    def count_others(self, *conditions: str) -> list[int]:
        if "results" not in self._present:
            return [0] * len(conditions)
        counted = ", ".join(f"count(*) filter (where {condition})" for condition in conditions)
        (there,) = self._session.rows(f"select {counted} from {SCHEMA}.results")
        (here,) = self.con.execute(f"select {counted} from base.{SCHEMA}.results").fetchall()
        return [one - other for one, other in zip(there, here, strict=True)]

    def holds(self, table: str, column: str, condition: str) -> bool:
        if column not in self._present.get(table, []):
            return False
        return bool(self._session.value(f"select exists (select from {SCHEMA}.{table} where {condition})"))

    # -- bringing rows ------------------------------------------------------------------------------------------------

    def _ids(self, query: str, *values: object) -> list[int]:
        return [id_ for (id_,) in self.con.execute(query, list(values)).fetchall() if id_ is not None]

    def _column(self, table: str, column: str, where: str, ids: Sequence[int]) -> list[int]:
        if table not in self._present:
            return []
        query = f"select distinct {column} from {SCHEMA}.{table} where {where}"
        return [value for (value,) in self._session.rows(query, _array(ids))]

    def _bring_briefly(self, where: str, ids: Sequence[int]) -> None:
        columns = [name for name in _BRIEFLY if name in self._present.get("results", [])]
        self._bring("results", columns, where, [_array(ids)])

    def _bring_others(self, where: str) -> None:
        """Of the results that fulfil the condition, those that the base does not have yet."""
        here = _array(self._ids(f"select id from base.{SCHEMA}.results"))
        absent = "not exists (select from unnest(%s::bigint[]) as here (id) where here.id = results.id)"
        columns = [name for name in _BRIEFLY if name in self._present.get("results", [])]
        self._bring("results", columns, f"{where} and {absent}", [here])

    def _add_columns(self, table: str) -> None:
        """Fields that are in none of the API's documents."""
        for name in self._present.get(table, []):
            self.con.execute(
                f"alter table base.{SCHEMA}.{table} add column if not exists {quoted(name)} varchar"
            )

    def _bring(
        self,
        table: str,
        columns: Iterable[str] = (),
        where: str = "true",
        values: Sequence[object] = (),
        *,
        distinct: bool = False,
    ) -> None:
        names = [*(columns or self._present.get(table, []))]
        if table not in self._present:
            return
        select = f"select {'distinct ' if distinct else ''}{', '.join(map(quoted, names))}"
        rows = self._session.rows(f"{select} from {SCHEMA}.{table} where {where}", *values)
        insert(self.con, f"base.{SCHEMA}.{table}", names, rows)


def insert(
    con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> None:
    """A few rows of the engine into a table of DuckDB's."""
    if not rows:
        return
    kinds = tables.TABLES[table.rpartition(".")[2]].columns
    values = (
        f"unnest(${number}::{kinds.get(name, 'varchar')}[]) as {quoted(name)}"
        for number, name in enumerate(columns, 1)
    )
    with only_ours(table):
        con.execute(
            f"insert into {table} by name select {', '.join(values)}",
            [[*column] for column in zip(*rows, strict=True)],
        )


@contextmanager
def only_ours(table: str) -> Iterator[None]:
    """Raises WarehouseError for rows that DuckDB does not take."""
    try:
        yield
    except (duckdb.Error, ValueError, TypeError) as error:  # some of pyarrow's are these
        raise WarehouseError(
            f"The table {table.removeprefix('base.')} in the engine has columns or rows that no sync wrote ({first_line(error)}): restore its columns, or sync into another database. Nothing was changed."
        ) from error


def _array(ids: Sequence[int]) -> str:
    """As the engine reads it fastest."""
    return f"{{{','.join(map(str, ids))}}}"
