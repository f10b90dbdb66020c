"""Whether a warehouse can be at its path."""

import os
from pathlib import Path

from cekura_sync.errors import WarehouseError
from cekura_sync.warehouse.disk import mounts
from cekura_sync.warehouse.layout import Layout


def require_place(files: Layout) -> None:
    """Raises WarehouseError where no warehouse can be, and says why."""
    directory = files.published.parent
    if not directory.is_dir():
        tilde = " The shell expands ~ only outside quotes." if "~" in directory.parts else ""
        raise WarehouseError(
            f"There is no directory {directory}: create it, or choose another --warehouse.{tilde}"
        )
    if files.published.exists() and not files.published.is_file():
        raise WarehouseError(f"{files.published} is not a file: choose another --warehouse.")
    if {"?", "\\"} & set(str(files.published)):
        raise WarehouseError(
            f"DuckDB opens no file with ? or \\ in its path, such as {files.published}: choose another --warehouse."
        )
    if any(point == files.published for point, _ in mounts()):
        raise WarehouseError(
            f"{files.published} is mounted as a single file, which a sync cannot replace: mount its directory instead."
        )
    if files.home.exists() and not files.home.is_dir():
        raise WarehouseError(f"{files.home} is not a directory: move it away, or choose another --warehouse.")
    if files.home.exists() and _belongs_to_another(files.home):
        raise WarehouseError(
            f"{files.home} belongs to another user: sync as that user, or choose another --warehouse."
        )


def _belongs_to_another(path: Path) -> bool:
    """In a directory that others may write, one of them could have made it and would own what we put there."""
    owners = {path.stat().st_uid, path.lstat().st_uid}
    return os.geteuid() != 0 and bool(owners - {0, os.geteuid()})
