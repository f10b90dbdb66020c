"""How our own commands read a warehouse: read only, and without access to any other file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType

import duckdb

from cekura_sync import database
from cekura_sync.errors import WarehouseError
from cekura_sync.temporary import temporary_folder
from cekura_sync.warehouse import identity
from cekura_sync.warehouse.layout import Layout, wal


@contextmanager
def open_for_reading(
    path: Path, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file, or the private base while another program writes to that file. Raises WarehouseError."""
    files = Layout(path)
    if not files.published.is_file():
        raise WarehouseError(
            f"There is no warehouse at {path}: run `cekura-sync sync` first, or pass --warehouse."
        )
    with temporary_folder() as folder, _open(files, folder / "spill") as con:
        _require_ours(con, path)
        for name, value in settings.items():
            with suppress(duckdb.CatalogException):  # a setting that this version does not have
                con.execute(f"set {name} = {value}")
        con.execute("set python_enable_replacements = false")  # a query must not read our Python variables
        con.execute("set enable_external_access = false")
        con.execute("set lock_configuration = true")
        yield con


@contextmanager
def open_views(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same, for queries that need our views. Raises WarehouseError where one of them is missing, or lacks a column."""
    with open_for_reading(path) as con:
        try:
            yield con
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise WarehouseError(
                f"{path} lacks a view of this version ({database.first_line(error)}): run `cekura-sync build`, or pass another --warehouse."
            ) from error


def _open(files: Layout, spill: Path) -> duckdb.DuckDBPyConnection:
    base = partial(database.connect, files.base, read_only=True, spill=spill)
    # A .wal may even belong to the file that was published before this one.
    if wal(files.published).exists() and files.base.exists():
        return base()
    try:
        return database.connect(files.published, read_only=True, spill=spill)
    except WarehouseError as error:
        if not database.is_held(error) or not files.base.exists():
            raise
        return base()


def _require_ours(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Refuse any other database: its lack of our views is not an empty result. Raises WarehouseError."""
    try:
        identity.read(con, path)
    except duckdb.Error as error:
        raise WarehouseError(
            f"{path} cannot be read ({database.first_line(error)}): delete it and sync again, which restores it."
        ) from error
