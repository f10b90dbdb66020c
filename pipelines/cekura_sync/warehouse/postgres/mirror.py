"""A copy in memory of what the engine holds. A comparison uses it as the private base; `write` makes a file of it."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from cekura_sync import tables
from cekura_sync.database import STORAGE_VERSION, first_line, literal, quoted
from cekura_sync.diff.base import open_base
from cekura_sync.errors import WarehouseError
from cekura_sync.tables import SCHEMA
from cekura_sync.warehouse import changed_rows
from cekura_sync.warehouse.postgres.session import Session

FETCHED_ROWS = 20_000  # at a time
_DLTS_OWN = {"_removed", "_dlt_id", "_dlt_load_id"}


def to_compare_with(session: Session) -> duckdb.DuckDBPyConnection:
    """Of the details, only which results have any."""
    return _mirrored(session, details_whole=False)


def whole(session: Session) -> duckdb.DuckDBPyConnection:
    return _mirrored(session, details_whole=True)


def changed(session: Session, since: datetime) -> duckdb.DuckDBPyConnection:
    """A database in memory with every table, but only the rows of results that were written since then."""
    con = open_base(None)
    session.run(f"create temp table touched on commit drop as {changed_rows.touched(SCHEMA, since)}")
    present = session.columns()
    for table, column in changed_rows.COLUMNS.items():
        names = [name for name in present[table] if name not in _DLTS_OWN]
        _copy(session, con, table, names, f"where {column} in (select id from touched)")
    con.execute("use base")
    return con


def write(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """As a file that any driver can open."""
    con.execute(
        f"attach {literal(str(path))} as written (storage_version '{STORAGE_VERSION}'); copy from database base to written; detach written"
    )


def _mirrored(session: Session, *, details_whole: bool) -> duckdb.DuckDBPyConnection:
    """All tables as they are at one moment, in the schema `base.cekura`."""
    con = open_base(None)
    with session.snapshot():
        present = session.columns()
        for table in tables.TABLES:
            columns_of = [name for name in present.get(table, []) if name not in _DLTS_OWN]
            if not columns_of:
                continue
            if details_whole or table not in tables.DETAIL_CHILDREN:
                _copy(session, con, table, columns_of)
            else:
                _copy(session, con, table, ["result_id"], distinct=True)
    return con


def _copy(
    session: Session,
    con: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[str],
    where: str = "",
    *,
    distinct: bool = False,
) -> None:
    for name in columns:
        con.execute(f"alter table base.cekura.{table} add column if not exists {quoted(name)} varchar")
    select = f"select {'distinct ' if distinct else ''}{', '.join(map(quoted, columns))}"
    session.run(f"declare known no scroll cursor for {select} from {SCHEMA}.{table} {where}")
    while rows := session.rows(f"fetch {FETCHED_ROWS} from known"):
        try:
            batch = pa.table([pa.array(values) for values in zip(*rows, strict=True)], names=columns)  # noqa: F841 - DuckDB finds it by name
            con.execute(f"insert into base.cekura.{table} by name select * from batch")
        except (duckdb.Error, pa.ArrowException) as error:
            raise WarehouseError(
                f"The table {SCHEMA}.{table} in the engine has columns or rows that no sync wrote ({first_line(error)}): restore its columns, or sync into another database. Nothing was changed."
            ) from error
    session.run("close known")
