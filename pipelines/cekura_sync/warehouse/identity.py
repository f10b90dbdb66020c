"""What a warehouse file says of itself in `cekura._identity`: how many swaps made it, which one, and which version wrote it.

Version 0.1.0 kept the table `cekura._generation` instead, and looks at no layout. A view of that name stops it: it finds no
warehouse, and cannot replace a view by its table.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from cekura_sync import __version__
from cekura_sync.database import connect, first_line, has_table, quoted
from cekura_sync.errors import WarehouseError

if TYPE_CHECKING:
    import duckdb

LAYOUT = 2  # of the tables; a program refuses a file whose layout is newer than its own
_TABLE, _FIRST_TABLE = "_identity", "_generation"
_FIRST_LAYOUT = 1  # of version 0.1.0, which did not write it down
_ANOTHER = "choose another --warehouse"
_MAGIC = b"DUCK"  # at byte 8 of every DuckDB file


class Identity(NamedTuple):
    generation: int
    swap: str | None = None  # a different one for each swap
    version: str | None = None  # of the program that wrote the file
    layout: int = _FIRST_LAYOUT

    def is_same(self, other: "Identity") -> bool:
        """Whether one swap made both. A file of version 0.1.0 only has the number to tell by."""
        unknown = self.swap is None or other.swap is None
        return self.generation == other.generation and (unknown or self.swap == other.swap)

    @property
    def is_outdated(self) -> bool:
        return self.version != __version__


def read(
    con: "duckdb.DuckDBPyConnection",
    path: Path,
    *,
    database: str | None = None,
    any_layout: bool = False,
    instead: str = _ANOTHER,
) -> Identity:
    """Raises WarehouseError for any other database, and for a layout that is newer than this program.

    `database`: the name under which the file is attached, if it is not the one that was opened. `instead`: what to do
    where it is not ours.
    """
    ((opened, table),) = con.execute(
        "select coalesce($1, current_database()) as opened, max(table_name) from duckdb_tables()"
        f" where database_name = opened and schema_name = 'cekura' and table_name in ('{_TABLE}', '{_FIRST_TABLE}')",
        [database],
    ).fetchall()
    # In a file called cekura.duckdb the name of the schema alone would be ambiguous.
    rows = con.execute(f"from {quoted(opened)}.cekura.{table}").fetchall() if table else []
    if not rows:
        raise WarehouseError(f"{path} is a DuckDB file, but not a warehouse of cekura-sync: {instead}.")
    identity = Identity(*rows[0][:4])  # a later layout may add columns
    if not any_layout:
        require_known(identity.layout, identity.version, path)
    return identity


def require_known(layout: int, version: str | None, where: Path | str) -> None:
    if layout > LAYOUT:
        raise WarehouseError(
            f"{where} was written by cekura-sync {version}, and this version ({__version__}) does not know its tables: install that version, or restore a backup from before the upgrade. Nothing was changed."
        )


def of_file(path: Path, *, any_layout: bool = False, instead: str = "") -> Identity:
    """Raises WarehouseError for a file that is not a warehouse, and for a layout that is newer than this program.

    `instead`: what to do about a file that is not the warehouse itself.
    """
    with path.open("rb") as file:
        magic = file.read(12)[8:]
    if magic != _MAGIC:
        raise WarehouseError(
            f"{path} is damaged or not a DuckDB file: {instead or f'move it away, or {_ANOTHER}'}."
        )
    try:
        con = connect(path, read_only=True)
    except WarehouseError as error:
        if not instead:
            raise
        raise WarehouseError(
            f"{path} cannot be opened ({first_line(error.__cause__ or error)}): {instead}."
        ) from error
    with con:
        return read(con, path, any_layout=any_layout, instead=instead or _ANOTHER)


def of_copy(source: Path, copy: Path, *, any_layout: bool = False, instead: str = "") -> Identity:
    """Copy a file, without a .wal beside it, and look into the copy. Errors name the source."""
    shutil.copyfile(source, copy)
    try:
        return of_file(copy, any_layout=any_layout, instead=instead)
    except WarehouseError as error:
        raise WarehouseError(str(error).replace(str(copy), str(source))) from error


def write(con: "duckdb.DuckDBPyConnection", generation: int) -> None:
    con.execute(
        f"create or replace table cekura.{_TABLE} as"
        " select $1::bigint as generation, $2 as swap, $3 as version, $4::bigint as layout",
        [generation, uuid4().hex, __version__, LAYOUT],
    )
    if has_table(con, _FIRST_TABLE):
        con.execute(f"drop table cekura.{_FIRST_TABLE}")
    con.execute(
        f"create or replace view cekura.{_FIRST_TABLE} as select 'cekura-sync 0.2.0 or later wrote this file' as note"
    )
