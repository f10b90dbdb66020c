"""The known side of a comparison: the private base, attached read only as `base`."""

from collections.abc import Iterator
from pathlib import Path

import duckdb

from cekura_sync import database
from cekura_sync.database import column_list, literal, quoted
from cekura_sync.diff.records import Keys, runs_of, scenarios_of
from cekura_sync.errors import WarehouseError
from cekura_sync.tables import RESULTS, RUNS, SCENARIOS, SCHEMA, TABLES


def open_base(base: Path | None, spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """An in-memory database with the private base attached; an empty base where there is none yet."""
    con = database.connect(spill=spill)
    if base is None:
        con.execute("attach ':memory:' as base")
        con.execute(f"create schema base.{SCHEMA}")
        for name, table in TABLES.items():
            con.execute(f"create table base.{SCHEMA}.{name} ({column_list(table.columns)})")
        return con
    try:
        con.execute(f"attach {literal(str(base))} as base (read_only)")
    except duckdb.Error as error:
        raise WarehouseError(
            f"{base} cannot be read ({database.first_line(error)}): move {base.parent} away; it is rebuilt from the published file."
        ) from error
    return con


# Of the results, which have an id, those that were erased on purpose.
ERASED = "id in (select id from erased where not transcripts_only)"


def name_erased(con: duckdb.DuckDBPyConnection) -> None:
    """Make the view `erased`; a base that an older version wrote has no such table."""
    known = "select 1 from duckdb_tables() where database_name = 'base' and table_name = '_erased'"
    if con.execute(known).fetchall():
        con.execute(f"create or replace view erased as from base.{SCHEMA}._erased")
    else:
        con.execute(f"create or replace table erased ({column_list(TABLES['_erased'].columns)})")


class Lookup:
    """For a base that holds all of the warehouse. One that holds a part of it overrides this, and brings what is asked about.

    `results` and `runs` are queries for ids.
    """

    is_complete = True

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con

    def fetch_listed(self, results: str) -> None:
        """Enough of these results to tell whether they read as before."""

    def fetch_children(self, results: str, runs: str = "") -> None:
        """These results, and those that hold one of these runs, with all columns, runs and scenarios."""

    def fetch_unfinished(self) -> None:
        """The live results that have not ended."""

    def fetch_live(self, above: int | None) -> None:
        """The live results that were created after `above`, in microseconds since 1970, or all."""

    def fetch_newest(self) -> None:
        """The results that were written last."""

    def fetch_details(self, *, transcripts: bool) -> None:
        """What is known of the details of each finished result for which they may be due."""

    def count_others(self, *conditions: str) -> list[int]:
        """How many results fulfil each condition beside those in the base."""
        return [0] * len(conditions)

    def holds(self, table: str, column: str, condition: str) -> bool:
        """Whether the table has the column, and a row that fulfils the condition."""
        if not Known(self._con).has(table, column):
            return False
        condition = condition.replace(f"from {SCHEMA}.", f"from base.{SCHEMA}.")
        query = f"select 1 from base.{SCHEMA}.{table} where {condition} limit 1"
        return bool(self._con.execute(query).fetchall())


class Known:
    """The content that the base holds, in whatever columns it has by now."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        query = (
            "select table_name, column_name from duckdb_columns()"
            " where database_name = 'base' and schema_name = 'cekura'"
        )
        self._columns = {*con.execute(query).fetchall()}

    def has(self, table: str, column: str) -> bool:
        return (table, column) in self._columns

    def differing(self, keys: Keys) -> str:
        """A query for the ids of known results whose parsed content is another: in a field, a run or a scenario.

        `runs` and `scenarios` that the API leaves out say nothing, so nothing is held against them.
        """
        parsed = "parsed where id in (select id from base.cekura.results)"
        with_runs, with_scenarios = (f"{parsed} and {name} is not null" for name in ("runs", "scenarios"))
        results = [*RESULTS, "_runs_known", *keys.new_row_columns.values()]
        runs = [*RUNS, *keys.new_run_columns.values()]
        return " union ".join(
            (
                f"select id from ({_select(results)} from {parsed} except {self._stored('results', 'id', results, parsed)})",
                *self._both_ways("runs", runs, runs_of(with_runs, keys), with_runs),
                *self._both_ways(
                    "result_scenarios", [*SCENARIOS], scenarios_of(with_scenarios), with_scenarios
                ),
            )
        )

    def _both_ways(self, table: str, columns: list[str], read: str, parsed: str) -> Iterator[str]:
        read = f"{_select(columns)} from ({read})"
        stored = self._stored(table, "result_id", columns, parsed)
        for one, other in ((read, stored), (stored, read)):
            yield f"select result_id from ({one} except {other})"

    def _stored(self, table: str, key: str, columns: list[str], parsed: str) -> str:
        """The same columns of the base; one that it does not have yet is NULL throughout."""
        present = [
            quoted(name) if (table, name) in self._columns else f"null as {quoted(name)}" for name in columns
        ]
        return (
            f"select {', '.join(present)} from base.cekura.{table} where {key} in (select id from {parsed})"
        )


def _select(columns: list[str]) -> str:
    return f"select {', '.join(map(quoted, columns))}"
