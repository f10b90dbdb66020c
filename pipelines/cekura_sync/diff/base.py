"""The known side of a comparison: the private base, attached read only as `base`."""

from pathlib import Path

import duckdb

from cekura_sync import database
from cekura_sync.database import column_list, literal
from cekura_sync.diff.differing import Known
from cekura_sync.errors import WarehouseError
from cekura_sync.tables import SCHEMA, TABLES


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
    if database.has_table(con, "_erased", "base"):
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

    def fetch_aged_out(self, above: int) -> None:
        """The results that have aged out although they were not created before `above`."""

    def fetch_newest(self) -> None:
        """The results that were written last."""

    def fetch_details(self, *, transcripts: bool, profiles: bool) -> None:
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
