"""Opening a warehouse to read it: read only, and with no way to any other file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from cekura_sync import database
from cekura_sync.errors import WarehouseError
from cekura_sync.warehouse.layout import Layout, wal


@contextmanager
def open_warehouse(path: Path, *, search_path: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
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
        _require_ours(con, path)
        if search_path:
            con.execute(f"set search_path = {database.literal(search_path)}")
        con.execute("set python_enable_replacements = false")  # no variable of ours is a table
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


def _require_ours(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """The views of another database say nothing about results, and its lack of them is no empty answer."""
    try:
        database.generation(con, path)
    except duckdb.Error as error:
        raise WarehouseError(
            f"{path} cannot be read ({database.first_line(error)}): delete it and sync again, which puts it back."
        ) from error
