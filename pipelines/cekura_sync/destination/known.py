"""The known side of a comparison, read back from a destination: all results, and the children of those that it is asked about."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb

from cekura_sync.account import ACCOUNT
from cekura_sync.database import first_line, quoted
from cekura_sync.destination.formats import LOAD_ID, REMOVED, Ids, Tables
from cekura_sync.diff import standalone
from cekura_sync.errors import WarehouseError
from cekura_sync.tables import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

CHILDREN = ("runs", "result_scenarios")
# Beyond so many, reading a table once costs less than asking it again and again.
MOST_ASKED = 20_000
_DLTS_OWN = {ACCOUNT, LOAD_ID, REMOVED, "_dlt_id", "_key"}
# What a load that never ended has written counts as present, and as unlike anything the API may say: the load may have
# written a result without its runs, or runs without their result.
_FORGET_CONTENT = """
    update base.cekura.results set _digest = null, _runs_known = null where id in (select id from unfinished)
"""
# In a table to which somebody appends, the row written last counts.
_KEEP_NEWEST = """
    delete from base.cekura.results where rowid not in (
        select arg_max(rowid, coalesce(synced_at, created_at)) from base.cekura.results group by id)
"""


class Known(standalone.Known):
    """What the destination holds, in the base attached to `con`. Raises WarehouseError for tables that no sync wrote."""

    def __init__(self, con: duckdb.DuckDBPyConnection, tables: Tables, required: Sequence[str]) -> None:
        """`required`: the tables that this run loads; where one is missing, its rows were never loaded."""
        super().__init__(con)
        self._tables = tables
        self._has_all_children = False
        self._asked = 0  # ids so far
        con.execute("create or replace table fetched (result_id bigint)")
        for table in ("results", "rejected_rows", "sync_log"):
            self._copy(table)
        for table in CHILDREN:
            self._add_columns(table)
        con.execute(_KEEP_NEWEST)
        self._find_unfinished(required)

    @property
    def present(self) -> set[str]:
        """The tables that need not be created."""
        return {table for table in TABLES if self._tables.columns(table)}

    @property
    def is_torn(self) -> bool:
        """Whether only a full run can tell what a load that never ended should have written."""
        query = """
            select 1 from unfinished left join base.cekura.results as known on known.id = unfinished.id
            where deleted_at is null and aged_out_at is null limit 1
        """
        return bool(self._con.execute(query).fetchall())

    def fetch_children(self, results: str, runs: str = "select null::bigint limit 0") -> None:
        """Have the base hold all runs and scenarios of these results, and of those that hold one of these runs.

        Both are queries for ids.
        """
        if self._has_all_children:
            return
        known = "(select id from base.cekura.results union select id from unfinished)"
        ids = self._ids(f"select * from ({results}) as asked(id) where id in {known}")
        run_ids = self._ids(runs) if self._tables.columns("runs") else []
        self._asked += len(ids) + len(run_ids)
        if self._asked > MOST_ASKED:
            self._has_all_children = True
            for table in CHILDREN:
                self._con.execute(f"delete from base.cekura.{table}")
                self._copy(table)
            return
        if run_ids:
            holders = self._tables.rows("runs", ["result_id"], Ids("id", run_ids))
            ids += [id_ for rows in holders for id_ in rows["result_id"].to_pylist()]
        if ids := self._ids("select distinct unnest($1::bigint[]) except from fetched", ids):
            for table in CHILDREN:
                self._copy(table, Ids("result_id", ids))
            self._con.execute("insert into fetched select unnest($1::bigint[])", [ids])

    def _ids(self, query: str, *values: object) -> list[int]:
        return [id_ for (id_,) in self._con.execute(query, list(values)).fetchall()]

    def _find_unfinished(self, required: Sequence[str]) -> None:
        for table, column in (("results", "id"), *((child, "result_id") for child in CHILDREN)):
            if self._tables.columns(table):
                for rows in self._tables.uncommitted(table, column):
                    self._insert("unfinished", rows.rename_columns(["id"]))
            elif table in required:
                self._con.execute("insert into unfinished select id from base.cekura.results")
        self._con.execute(_FORGET_CONTENT)
        if self._tables.columns("sync_log"):
            self._con.execute("create or replace table unlogged (started_at timestamptz)")
            for rows in self._tables.uncommitted("sync_log", "started_at"):
                self._insert("unlogged", rows)
            self._con.execute("delete from base.cekura.sync_log where started_at in (from unlogged)")

    def _copy(self, table: str, only: Ids | None = None) -> None:
        columns = self._add_columns(table)
        if not columns:
            return
        for rows in self._tables.rows(table, columns, only):
            self._insert(f"base.cekura.{table}", rows)

    def _add_columns(self, table: str) -> list[str]:
        """The columns that the table has there. Fields that are in none of the API's documents get theirs here."""
        columns = [name for name in self._tables.columns(table) if name not in _DLTS_OWN]
        for name in columns:
            self._con.execute(
                f"alter table base.cekura.{table} add column if not exists {quoted(name)} varchar"
            )
        return columns

    def _insert(self, table: str, rows: "pa.Table") -> None:
        try:
            self._con.register("read_back", rows)
            self._con.execute(f"insert into {table} by name from read_back")
        except duckdb.Error as error:
            raise WarehouseError(
                f"The destination has rows that cekura_source did not write ({first_line(error)}): restore the columns of its tables, or load into another dataset. Nothing was changed."
            ) from error


class Nothing(standalone.Known):
    """Of a destination that is about to be filled anew: the base is empty."""
