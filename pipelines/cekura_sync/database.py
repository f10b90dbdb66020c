"""How this product opens DuckDB: times in UTC, no downloads, its errors as WarehouseError."""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cekura_sync.errors import WarehouseError
from cekura_sync.temporary import Temporary

if TYPE_CHECKING:
    import duckdb

    _Config = dict[str, str | bool | int | float | list[str]]

# DuckDB 1.x drivers, which BI tools use, cannot open a file in DuckDB 2.0's own format.
STORAGE_VERSION = "v1.0.0"
T = TypeVar("T")

# So that memory does not grow with the account. What exceeds it goes to a temporary folder.
MEMORY = "100MB"
STEPS = ("40MB", "80MB", "128MB")
_COMPARING: "_Config" = {"threads": 1, "memory_limit": MEMORY}
_WRITING: "_Config" = {"threads": 2, "memory_limit": "100MB"}
_CONFIG: "_Config" = {"autoinstall_known_extensions": False}


def connect(
    path: Path | None = None,
    *,
    read_only: bool = False,
    limited: bool = False,
    spill: Path | None = None,
) -> "duckdb.DuckDBPyConnection":
    """A connection to a file, or to memory, which overflows to the folder `spill`. Raises WarehouseError.

    `limited`: what is written to the file may be done in little memory, though few rows of very many columns may not.
    """
    import duckdb

    config, own = dict(_CONFIG), None
    if path is None or read_only:
        # DuckDB would take the working directory, or the folder of the file, into which a reader may not be allowed to write.
        own = None if spill else Temporary()
        config["temp_directory"] = str(own.path / "spill" if own else spill)
    if path is None:
        config |= _COMPARING
    elif limited:
        config |= _WRITING
    try:
        con = duckdb.connect(str(path or ":memory:"), read_only=read_only, config=config)
    except duckdb.Error as error:
        if own:
            own.remove()
        if "not a valid DuckDB database" in str(error):
            raise WarehouseError(
                f"{path} is damaged or not a DuckDB file: choose another --warehouse."
            ) from error
        raise WarehouseError(
            f"{path} cannot be opened ({first_line(error)}): check its permissions, and whether another program has it open."
        ) from error
    if own:
        weakref.finalize(con, own.remove)
    return in_utc(con)


def is_held(error: WarehouseError) -> bool:
    """Whether `connect` failed because another program has the file open for writing. The path in the message may say anything."""
    return str(error.__cause__).startswith("IO Error: Could not set lock on file")


def in_utc(con: "duckdb.DuckDBPyConnection") -> "duckdb.DuckDBPyConnection":
    """The time zone belongs to a session, so every cursor sets it."""
    con.execute("set timezone = 'UTC'")
    return con


def tune(con: "duckdb.DuckDBPyConnection", statement: str) -> None:
    """Change a setting, unless all are locked, as for those who only read."""
    import duckdb

    with suppress(duckdb.InvalidInputException):
        con.execute(statement)


@contextmanager
def unlimited(con: "duckdb.DuckDBPyConnection", limit: str = MEMORY) -> Iterator[None]:
    """For a step that may need more memory than the limit, because of one large record; afterwards the limit holds again."""
    import duckdb

    tune(con, "reset memory_limit")
    try:
        yield
    finally:
        with suppress(duckdb.Error):  # more than that is in use
            con.execute(f"set memory_limit = '{limit}'")


def in_little_memory(con: "duckdb.DuckDBPyConnection", step: Callable[[], T]) -> T:
    """The step's result. It runs with a low limit first; what cannot do with that gets more. Afterwards the limit is as before."""
    import duckdb

    ((before,),) = con.execute("select current_setting('memory_limit')").fetchall()
    try:
        for limit in STEPS:
            try:
                tune(con, f"set memory_limit = '{limit}'")
                return step()
            except duckdb.OutOfMemoryException:
                continue
        with unlimited(con, STEPS[-1]):
            return step()
    finally:
        with suppress(duckdb.Error):  # more than that is in use
            tune(con, f"set memory_limit = '{before}'")


def beside(con: "duckdb.DuckDBPyConnection") -> "duckdb.DuckDBPyConnection":
    """Another session, in the same database: to read from while the first one works."""
    (name,) = con.execute("select current_database()").fetchall()[0]
    cursor = in_utc(con.cursor())
    cursor.execute(f"use {quoted(name)}")
    return cursor


def has_table(con: "duckdb.DuckDBPyConnection", table: str, database: str | None = None) -> bool:
    """Whether the schema `cekura` holds it, in the database that was opened or in one attached as `database`."""
    found = con.execute(
        "select 1 from duckdb_tables() where database_name = coalesce($1, current_database())"
        " and schema_name = 'cekura' and table_name = $2",
        [database, table],
    )
    return bool(found.fetchall())


def create(path: Path) -> None:
    """An empty database file that old drivers can read."""
    with connect() as con:
        con.execute(f"attach {literal(str(path))} as fresh (storage_version '{STORAGE_VERSION}')")
        con.execute("create schema fresh.cekura")
        con.execute("checkpoint fresh")


def copy_tables(con: "duckdb.DuckDBPyConnection", path: Path) -> None:
    """Every table of the schema `cekura` into the empty file at `path`."""
    con.execute(f"attach {literal(str(path))} as fresh")
    tables = con.execute(
        "select table_name, column_name, data_type from duckdb_columns()"
        " where database_name = current_database() and schema_name = 'cekura'"
        " and table_name in (select table_name from duckdb_tables()) order by table_name, column_index"
    ).fetchall()
    for table in dict.fromkeys(name for name, *_ in tables):
        columns = {column: kind for name, column, kind in tables if name == table}
        con.execute(f"create table fresh.cekura.{quoted(table)} ({column_list(columns)})")
        con.execute(f"insert into fresh.cekura.{quoted(table)} select * from cekura.{quoted(table)}")
    con.execute("detach fresh")


def columns_of(found: Any) -> list[str]:
    """`found`: a connection or a cursor that has executed a query."""
    return [column[0] for column in found.description or []]


def as_dicts(found: Any) -> list[dict[str, Any]]:
    """All rows by column. `found`: a connection or a cursor that has executed a query."""
    columns = columns_of(found)
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def column_list(columns: dict[str, str]) -> str:
    """As in `create table`."""
    return ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())


def first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
