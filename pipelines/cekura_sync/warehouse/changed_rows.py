"""What one sync has written, apart from the rest: checking it costs the same however large the warehouse is."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import duckdb

from cekura_sync import database, tables
from cekura_sync.database import quoted
from cekura_sync.tables import SCHEMA, TABLES

# The column that tells whose row it is, for each table that holds rows of results.
COLUMNS = {"results": "id"} | {name: table.parent for name, table in TABLES.items() if table.parent}


def touched(schema: str, since: datetime) -> str:
    """A query for the results that were written since then, or whose details were read; and for those that list one of their runs."""
    moment = f"timestamptz '{since.isoformat()}'"
    written = f"""
        select id from {schema}.results
        where synced_at >= {moment} or deleted_at >= {moment} or aged_out_at >= {moment}
        union select result_id as id from {schema}.details_read where read_at >= {moment}
    """
    return f"""
        {written}
        union select other.result_id from {schema}.runs as other
        where other.id in (select id from {schema}.runs where result_id in ({written}))
    """


@contextmanager
def of_file(con: duckdb.DuckDBPyConnection, since: datetime) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory with every table, but only the rows of results that were written since then."""
    with database.in_utc(con.cursor()) as copy:
        (name,) = copy.execute("select current_database()").fetchall()[0]
        warehouse = f"{quoted(name)}.{SCHEMA}"
        copy.execute(f"attach ':memory:' as changed; create schema changed.{SCHEMA}; use changed")
        copy.execute(f"create temp table touched as {touched(warehouse, since)}")
        for table, column in COLUMNS.items():
            copy.execute(
                f"create table {SCHEMA}.{table} as select * from {warehouse}.{table}"
                f" where {column} in (select id from touched)"
            )
        tables.complete(copy)
        yield copy
        copy.execute(f"use {quoted(name)}; detach changed")
