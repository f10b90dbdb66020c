"""How this product opens DuckDB: times in UTC, no downloads, our own errors."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from cekura_sync.errors import WarehouseError

if TYPE_CHECKING:
    import duckdb

# DuckDB 1.x drivers, which BI tools use, cannot open a file in DuckDB 2.0's own format.
STORAGE_VERSION = "v1.0.0"
_CONFIG: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": False}


def connect(path: Path | None = None, *, read_only: bool = False) -> "duckdb.DuckDBPyConnection":
    """A connection to a file, or to memory. Raises WarehouseError."""
    import duckdb

    try:
        if path is None:
            con = duckdb.connect(":memory:", config=_CONFIG | {"temp_directory": _spill(), "threads": 1})
        else:
            con = duckdb.connect(str(path), read_only=read_only, config=_CONFIG)
    except duckdb.Error as error:
        raise WarehouseError(
            f"{path} cannot be opened ({first_line(error)}): check its permissions, and whether another program has it open."
        ) from error
    return in_utc(con)


def _spill() -> str:
    """DuckDB's directory for temporary data, which is otherwise the working directory. Created only when needed."""
    return str(Path(tempfile.gettempdir(), f"cekura-sync-{uuid4().hex}"))


def in_utc(con: "duckdb.DuckDBPyConnection") -> "duckdb.DuckDBPyConnection":
    """The time zone belongs to a session, so every cursor sets it."""
    con.execute("set timezone = 'UTC'")
    return con


def create(path: Path) -> None:
    """An empty database file that old drivers can read."""
    with connect() as con:
        con.execute(f"attach {literal(str(path))} as fresh (storage_version '{STORAGE_VERSION}')")
        con.execute("create schema fresh.cekura")
        con.execute("checkpoint fresh")


def generation(con: "duckdb.DuckDBPyConnection", path: Path) -> int:
    """The number of swaps that made this warehouse. Raises WarehouseError for a database that is not a warehouse."""
    tables = con.execute(
        "select 1 from duckdb_tables() where schema_name = 'cekura' and table_name = '_generation'"
    ).fetchall()
    rows = con.execute("select generation from cekura._generation").fetchall() if tables else []
    if not rows:
        raise WarehouseError(
            f"{path} is a DuckDB file, but not a cekura-sync warehouse: choose another --warehouse."
        )
    return int(rows[0][0])


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def column_list(columns: dict[str, str]) -> str:
    """As in `create table`."""
    return ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())


def first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
