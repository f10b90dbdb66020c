"""Views and tables as files: all of them written aside first, then renamed into place one by one."""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import csv, parquet

from cekura_sync.database import first_line, quoted
from cekura_sync.errors import ModelError, WarehouseError
from cekura_sync.models.runner import SCHEMA
from cekura_sync.warehouse import spreadsheet
from cekura_sync.warehouse.catalog import no_relation
from cekura_sync.warehouse.disk import flush, private_files, share_like

FORMATS = ("parquet", "csv")
BATCH_ROWS = 50_000
_PREFIX = ".cekura-export-"
_COMPLETE = ".complete"  # beside the files that only have to be renamed
_RELATIONS = """
    select schema_name, view_name from duckdb_views() where schema_name in ($1, 'team') and database_name = current_database()
    union all
    select schema_name, table_name from duckdb_tables()
    where schema_name = 'cekura' and table_name not like '\\_%' escape '\\' and database_name = current_database()
    order by all
"""


def export(
    con: duckdb.DuckDBPyConnection,
    to: Path,
    names: Sequence[str],
    *,
    file_format: str,
    for_spreadsheet: bool = False,
    before_renaming: Callable[[], None] = lambda: None,
) -> list[Path]:
    """Write the named relations, or every analytics view, into the directory; returns the files.

    Raises SettingsError for a name that is not there, ModelError for a view that cannot be read, WarehouseError when the
    disk does not let us; then no file has changed.
    """
    chosen = _choose(_relations(con), names)
    try:
        with private_files(), _made(to):
            _settle(to)
            with _aside(to) as aside:
                for schema, name in chosen:
                    file = aside / _file_name(schema, name, file_format)
                    with _blaming(f"{schema}.{name}"):
                        batches = _rows(con, schema, name, for_spreadsheet=for_spreadsheet)
                        _write(batches, file, file_format, for_spreadsheet=for_spreadsheet)
                (aside / _COMPLETE).touch()
                before_renaming()
                return _into_place(aside, to)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else first_line(error)
        raise WarehouseError(
            f"{to} cannot be written: {reason}. Fix that, or choose another directory with --to."
        ) from error


@contextmanager
def _blaming(relation: str) -> Iterator[None]:
    """What DuckDB cannot compute is the fault of the view. Behind the first rows it comes as an OSError without a number."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        reason = first_line(error)
        if getattr(error, "errno", None) or reason.startswith(("IO Error", "Out of Memory")):
            raise
        raise ModelError(
            f"{relation} cannot be read: {reason}. If it is a model of your team, correct it and run `cekura-sync build`."
        ) from error


@contextmanager
def _made(to: Path) -> Iterator[None]:
    """A directory that is there; a new one is removed again if nothing comes to stand in it."""
    is_new = not to.exists()
    to.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if is_new:
            with suppress(OSError):  # it is not empty
                to.rmdir()


@contextmanager
def _aside(to: Path) -> Iterator[Path]:
    """A directory for the files to come, locked for as long as the export runs."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=to))
        with _locked(folder) as is_mine:
            if not is_mine:
                continue  # before it was locked, another export took it for one that was killed
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return


def _settle(to: Path) -> None:
    """Finish an export that was killed between two renames, and remove what any killed one has left."""
    for folder in to.glob(f"{_PREFIX}*"):
        with _locked(folder) as is_mine:
            if is_mine and (folder / _COMPLETE).exists():
                _into_place(folder, to)
            if is_mine:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether it is there, a directory that we may open, and nobody else holds it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES):
            raise
        yield False
        return
    try:
        yield _lock(descriptor) and folder.exists()  # whoever held it may have removed it
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _into_place(folder: Path, to: Path) -> list[Path]:
    """All of the files or none: what a rename would refuse is looked for before the first one. Raises WarehouseError."""
    files = [file for file in sorted(folder.iterdir()) if file.name != _COMPLETE]
    for target in (to / file.name for file in files):
        if not (target.is_file() or target.is_symlink()) and target.exists():
            raise WarehouseError(
                f"{target} is not a file: move it away, or choose another directory with --to."
            )
    for file in files:
        with suppress(PermissionError):  # whoever may read the file may go on reading it
            share_like(file, to / file.name)
    return [file.replace(to / file.name) for file in files]


def _relations(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return con.execute(_RELATIONS, [SCHEMA]).fetchall()


def _choose(present: Sequence[tuple[str, str]], names: Sequence[str]) -> list[tuple[str, str]]:
    """A name without a schema is a view in analytics."""
    by_name = {f"{schema}.{name}": (schema, name) for schema, name in present}
    if not names:
        return [pair for pair in present if pair[0] == SCHEMA]
    qualified = [name if "." in name else f"{SCHEMA}.{name}" for name in dict.fromkeys(names)]
    for given, name in zip(dict.fromkeys(names), qualified, strict=True):
        if name not in by_name:
            offered = [full.removeprefix(f"{SCHEMA}.") for full in by_name]
            raise no_relation(given, offered)
    return [by_name[name] for name in dict.fromkeys(qualified)]


def _rows(
    con: duckdb.DuckDBPyConnection, schema: str, name: str, *, for_spreadsheet: bool
) -> pa.RecordBatchReader:
    table = f"{quoted(schema)}.{quoted(name)}"
    columns = con.execute(f"describe {table}").fetchall()
    cells = [_cell(column, kind, for_spreadsheet=for_spreadsheet) for column, kind, *_ in columns]
    return con.sql(f"select {', '.join(cells)} from {table}").to_arrow_reader(BATCH_ROWS)


def _cell(column: str, kind: str, *, for_spreadsheet: bool) -> str:
    name = quoted(column)
    if not for_spreadsheet or kind != "VARCHAR":
        return name
    return f"{spreadsheet.harmless(name)} as {name}"


def _file_name(schema: str, name: str, file_format: str) -> str:
    return f"{name}.{file_format}" if schema == SCHEMA else f"{schema}.{name}.{file_format}"


def _write(batches: pa.RecordBatchReader, file: Path, file_format: str, *, for_spreadsheet: bool) -> None:
    """The header, or the schema, is there even without a row."""
    make = parquet.ParquetWriter if file_format == "parquet" else csv.CSVWriter
    with file.open("wb") as out:
        if for_spreadsheet:
            out.write(spreadsheet.BYTE_ORDER_MARK.encode())
        with make(out, batches.schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
    flush(file)
