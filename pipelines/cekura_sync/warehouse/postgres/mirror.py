"""A copy in DuckDB of what the engine holds: for the checks, and for the commands that read."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from cekura_sync import database, tables
from cekura_sync.database import literal, quoted
from cekura_sync.tables import SCHEMA
from cekura_sync.temporary import temporary_folder
from cekura_sync.warehouse import changed_rows
from cekura_sync.warehouse.postgres.lookup import DLTS_OWN, only_ours
from cekura_sync.warehouse.postgres.session import Session

SHORT = 1 << 18  # bytes
# As the engine writes it: an empty text is quoted, NULL is not.
_CSV = "header = false, auto_detect = false, parallel = false, nullstr = '', allow_quoted_nulls = false"


@contextmanager
def whole(session: Session) -> Iterator[duckdb.DuckDBPyConnection]:
    """A file for as long as it is needed; inside a transaction, with what that has written."""
    with temporary_folder() as folder:
        path = folder / "copy.duckdb"
        write(session, path)
        with database.connect(path, limited=True) as con:
            yield con


def write(session: Session, path: Path) -> None:
    """All tables, as a file that any driver can open."""
    database.create(path)
    with database.connect(path, limited=True) as con:
        con.execute("set threads = 1")  # two take twice the memory, and wait for the engine
        present = session.columns()
        for table in tables.TABLES:
            names = _make(con, table, present.get(table, []))
            if names:
                _copy(session, con, table, names, path.parent)


@contextmanager
def changed(session: Session, written: Collection[int]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory with every table, but only the rows of these results, and of those that list one of their runs."""
    with temporary_folder() as folder, database.connect(spill=folder / "spill") as con:
        con.execute(f"create schema {SCHEMA}")
        session.run("create temp table touched (id bigint) on commit drop")
        session.run("insert into touched select unnest(%s::bigint[])", [*written])
        session.run(
            f"insert into touched select other.result_id from {SCHEMA}.runs as other where other.id in ("
            f"select id from {SCHEMA}.runs where result_id in (select id from touched))"
        )
        session.run("analyze touched")
        present = session.columns()
        for table in tables.TABLES:
            names = _make(con, table, present[table])
            if column := changed_rows.COLUMNS.get(table):
                _copy(session, con, table, names, folder, f"where {column} in (select id from touched)")
        yield con


def _make(con: duckdb.DuckDBPyConnection, table: str, present: Sequence[str]) -> list[str]:
    """An empty table; returns which of the engine's columns it has."""
    names = [name for name in present if name not in DLTS_OWN]
    kinds = dict.fromkeys(names, "varchar") | tables.TABLES[table].columns
    con.execute(f"create table {SCHEMA}.{table} ({database.column_list(kinds)})")
    return names


def _copy(
    session: Session,
    con: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[str],
    folder: Path,
    where: str = "",
) -> None:
    """Through a file in the folder."""
    path = folder / f"{table}.csv"
    query = f"select {', '.join(map(quoted, columns))} from {SCHEMA}.{table} {where}"
    with path.open("wb") as file:
        longest = max(session.copy(query, file), SHORT)
    texts = ", ".join(f"{literal(name)}: 'varchar'" for name in columns)
    with only_ours(f"{SCHEMA}.{table}"):
        con.execute(
            f"insert into {SCHEMA}.{table} by name select * from read_csv({literal(str(path))},"
            f" columns = {{{texts}}}, max_line_size = {longest}, buffer_size = {4 * longest}, {_CSV})"
        )
    path.unlink()
