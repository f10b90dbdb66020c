"""What the views select from and a warehouse may lack: older versions wrote it, or its API sends less."""

import duckdb

from cekura_sync import detail_tables, history, team_changes
from cekura_sync.database import column_list

TABLES = {
    **{table: {**columns, "_removed": "boolean"} for table, columns in detail_tables.TABLES.items()},
    "changes": team_changes.COLUMNS,
    "sync_log": history.LOG,
}
COLUMNS = (
    # No document of the API has this field, yet some accounts send it: a text column, as for every such field.
    ("results", "agent_version", "varchar"),
    *(("sync_log", name, kind) for name, kind in history.LATER.items()),
)


def complete(con: duckdb.DuckDBPyConnection) -> None:
    """In every warehouse the views bind."""
    for table, columns in TABLES.items():
        con.execute(f"create table if not exists cekura.{table} ({column_list(columns)})")
    for table, column, kind in COLUMNS:
        con.execute(f"alter table cekura.{table} add column if not exists {column} {kind}")
