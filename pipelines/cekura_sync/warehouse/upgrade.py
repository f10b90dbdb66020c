"""What the views select from and a warehouse may lack: older versions wrote it, or its API sends less."""

import duckdb

from cekura_sync import tables
from cekura_sync.database import column_list


def complete(con: duckdb.DuckDBPyConnection) -> None:
    """In every warehouse the views bind."""
    for table, columns in tables.ADDED_TABLES.items():
        con.execute(f"create table if not exists cekura.{table} ({column_list(columns)})")
    for table, column, kind in tables.ADDED_COLUMNS:
        con.execute(f"alter table cekura.{table} add column if not exists {column} {kind}")
