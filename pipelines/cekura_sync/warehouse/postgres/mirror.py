"""A copy in DuckDB of what the engine holds: for the checks, and for the commands that read."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from cekura_sync import database, tables
from cekura_sync.database import quoted
from cekura_sync.tables import SCHEMA
from cekura_sync.warehouse import changed_rows
from cekura_sync.warehouse.disk import temporary_folder
from cekura_sync.warehouse.postgres.lookup import DLTS_OWN, only_ours
from cekura_sync.warehouse.postgres.session import Session

FETCHED_ROWS = 5_000  # at a time


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
        present = session.columns()
        for table in tables.TABLES:
            names = [name for name in present.get(table, []) if name not in DLTS_OWN]
            _copy(session, con, table, names)


@contextmanager
def changed(session: Session, written: Collection[int]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory with every table, but only the rows of these results, and of those that list one of their runs."""
    with database.connect() as con:
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
            names = [name for name in present[table] if name not in DLTS_OWN]
            column = changed_rows.COLUMNS.get(table)
            _copy(
                session,
                con,
                table,
                names,
                f"where {column} in (select id from touched)" if column else "where false",
            )
        yield con


def _copy(
    session: Session, con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], where: str = ""
) -> None:
    kinds = dict.fromkeys(columns, "varchar") | tables.TABLES[table].columns
    con.execute(f"create table {SCHEMA}.{table} ({database.column_list(kinds)})")
    if not columns:
        return
    import pyarrow as pa

    select = f"select {', '.join(map(quoted, columns))} from {SCHEMA}.{table} {where}"
    session.run(f"declare known no scroll cursor for {select}")
    while rows := session.rows(f"fetch {FETCHED_ROWS} from known"):
        with only_ours(f"{SCHEMA}.{table}"):
            batch = pa.table([pa.array(values) for values in zip(*rows, strict=True)], names=[*columns])  # noqa: F841 - DuckDB finds it by name
            con.execute(f"insert into {SCHEMA}.{table} by name select * from batch")
    session.run("close known")
