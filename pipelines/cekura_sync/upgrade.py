"""What the views select from and a warehouse may lack: older versions wrote it, or its API sends less."""

import duckdb

from cekura_sync import detail_tables, team_changes

STATEMENTS = (
    *detail_tables.STATEMENTS,
    f"create table if not exists cekura.changes ({team_changes.COLUMNS})",
    # No document of the API has this field, yet some accounts send it: a text column, as for every such field.
    "alter table cekura.results add column if not exists agent_version varchar",
)


def complete(con: duckdb.DuckDBPyConnection) -> None:
    """In every warehouse the views bind."""
    for statement in STATEMENTS:
        con.execute(statement)
