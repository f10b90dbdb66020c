"""A copy of the warehouse while syncs run, and a way back to it."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

import duckdb

from cekura_sync import database
from cekura_sync.diff import journal
from cekura_sync.errors import SettingsError, WarehouseError
from cekura_sync.warehouse import identity, steps, sync_log
from cekura_sync.warehouse.copy import Copy
from cekura_sync.warehouse.disk import disk_errors, flush, private_files, write_json
from cekura_sync.warehouse.file import WarehouseFile
from cekura_sync.warehouse.layout import Layout, read_json, require_outside


def backup(path: Path, to: Path) -> dict[str, Any]:
    """Write the last complete sync to a file; returns that sync. Raises WarehouseError."""
    warehouse = WarehouseFile(path)
    warehouse.require()
    to = to.resolve()
    _require_replaceable(warehouse, to)
    fresh = to.with_name(f".backup.{token_hex(8)}")  # DuckDB takes the name of a file for a schema's
    with disk_errors(to), private_files():
        try:
            # A sync replaces these files and never changes them: what is open stays one complete sync.
            identity.of_copy(warehouse.existing() or warehouse.files.published, fresh)
            with database.connect(fresh, read_only=True) as con:
                last = sync_log.newest(con)
            flush(fresh)
            fresh.replace(to)
        finally:
            fresh.unlink(missing_ok=True)
    return last


def _require_replaceable(warehouse: WarehouseFile, to: Path) -> None:
    files = warehouse.files
    try:
        require_outside(files.published, to)
    except SettingsError as refused:
        raise WarehouseError(str(refused)) from None
    if (to.exists() and not to.is_file()) or not to.parent.is_dir():
        raise WarehouseError(f"{to} is not a file in an existing directory: name one to write the backup to.")
    if Layout(to).is_synced():
        raise WarehouseError(f"{to} is a warehouse that syncs fill, and no backup: name another file.")
    if to.exists():
        identity.of_file(to, any_layout=True, instead="name another file for the backup")


def restore(path: Path, source: Path, swapping: Callable[[], None]) -> dict[str, Any]:
    """Make a backup the warehouse; returns its last sync. Raises WarehouseError, and then nothing has changed."""
    warehouse = WarehouseFile(path)
    files = warehouse.files
    if not source.is_file():
        raise WarehouseError(f"There is no file {source}: name the backup to restore.")

    def write(con: duckdb.DuckDBPyConnection) -> None:
        steps.build(Copy(con), None)

    replaced = read_json(files.last)

    def before_swap() -> None:
        swapping()
        # If this is killed from here on, it would tell of a sync that readers no longer see.
        files.last.unlink(missing_ok=True)

    with warehouse.locked(restoring=True):
        found = identity.of_copy(source, files.work, instead="name the backup to restore")
        newest = max(found.generation, _newest_generation(warehouse))
        try:
            warehouse.commit(write, before_swap, generation=newest + 1)
        except Exception:
            if replaced:
                with suppress(OSError):
                    write_json(files.last, replaced)
            raise
        journal.remove(files.journal)
        with database.connect(files.base, read_only=True) as con:
            last = sync_log.newest(con)
        warehouse.forget_pending()
        write_json(files.last, last)
    return last


def _newest_generation(warehouse: WarehouseFile) -> int:
    """Of what is replaced. Raises WarehouseError where the published file is somebody else's."""
    files, newest = warehouse.files, 0
    if files.published.exists():
        newest = identity.of_copy(
            files.published, files.scratch / "published.duckdb", any_layout=True
        ).generation
    with suppress(WarehouseError):  # a damaged base is a good reason to restore
        if files.base.exists():
            newest = max(newest, identity.of_file(files.base, any_layout=True).generation)
    return newest
