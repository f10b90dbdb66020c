"""Reading a warehouse for ourselves: read only, and with no way to any other file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from cekura_sync import database
from cekura_sync.errors import SettingsError, WarehouseError
from cekura_sync.layout import Layout, wal


@contextmanager
def open_warehouse(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file, or our own copy where somebody writes to that one. Raises WarehouseError."""
    files = Layout(path)
    if not files.published.exists():
        raise WarehouseError(
            f"There is no warehouse at {path}: run `cekura-sync sync` first, or pass --warehouse."
        )
    # What stands in a .wal may even be meant for the file before this one.
    if wal(files.published).exists() and files.base.exists():
        con = database.connect(files.base, read_only=True)
    else:
        con = _open_published(files)
    with con:
        con.execute("set enable_external_access = false")
        con.execute("set lock_configuration = true")
        yield con


def _open_published(files: Layout) -> duckdb.DuckDBPyConnection:
    try:
        return database.connect(files.published, read_only=True)
    except WarehouseError as error:
        if "lock" not in str(error).lower() or not files.base.exists():
            raise
        return database.connect(files.base, read_only=True)


def run_query(path: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one query. Raises SettingsError for SQL that does not run; a note tells where."""
    with open_warehouse(path) as con:
        try:
            con.execute(sql)
            return [column[0] for column in con.description or []], con.fetchall()
        except duckdb.Error as error:
            what, _, where = str(error).strip().partition("\n")
            refused = SettingsError(f"The query cannot be run: {what}")
            refused.add_note(where.strip("\n"))
            raise refused from error
