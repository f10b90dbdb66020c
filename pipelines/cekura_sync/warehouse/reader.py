"""Reading a warehouse for ourselves: read only, and with no way to any other file."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from cekura_sync import database
from cekura_sync.errors import SettingsError, WarehouseError
from cekura_sync.warehouse.layout import Layout, wal

_NOT_FOR_PYTHON = re.compile(r'(?<!")\b(BLOB|INTERVAL)\b(?!")')  # as types, not as names of a struct's fields


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
        _require_ours(con, path)
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
            f"{path} cannot be read ({database.first_line(error)}): delete it and sync again, which restores it."
        ) from error


def run_query(path: Path, sql: str, *, as_text: bool = False) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one query, with `as_text` in DuckDB's own words.

    Raises SettingsError for SQL that does not run; a note tells where.
    """
    with open_warehouse(path) as con:
        try:
            _require_one(con.extract_statements(sql))
            result = _result(con, sql)
            if result is None:
                return [], []
            casts = [_cast(place, kind, as_text) for place, kind in enumerate(result.types, start=1)]
            return result.columns, result.project(", ".join(casts)).fetchall()
        except duckdb.Error as error:
            what, _, where = str(error).strip().partition("\n")
            refused = SettingsError(f"The query cannot be run: {what}")
            refused.add_note(where.strip("\n"))
            raise refused from error


def _require_one(statements: Sequence[object]) -> None:
    if not statements:
        raise SettingsError(
            "There is no query: write one, such as 'select * from analytics.agent_pass_rate'."
        )
    if len(statements) > 1:
        raise SettingsError(
            f"There are {len(statements)} queries, and only one can be answered: run them one by one."
        )


def _result(con: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation | None:
    try:
        return con.sql(sql)
    except duckdb.Error:
        con.execute(sql)  # fails as well, and tells the place in the text
        raise


def _cast(place: int, kind: object, as_text: bool) -> str:
    """Python has its own notation for bytes and intervals: DuckDB writes them, also inside of lists and structs."""
    written = "VARCHAR" if as_text else _NOT_FOR_PYTHON.sub("VARCHAR", str(kind))
    return f"#{place}" if written == str(kind) else f"cast(#{place} as {written})"
