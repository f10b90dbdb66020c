"""Checks the directory, its disk, and the lock."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from cekura_sync.doctor.finding import Finding, ok, warning
from cekura_sync.errors import WarehouseError
from cekura_sync.warehouse.disk import mounts
from cekura_sync.warehouse.layout import Layout
from cekura_sync.warehouse.swap import Swap

SPARE = 64 << 20  # bytes, in addition to the copies
REMOTE = ("nfs", "cifs", "smb", "fuse", "9p", "afs", "vboxsf", "ceph", "gluster")


def directory(path: Path) -> Iterator[Finding]:
    """Raises WarehouseError where a sync would."""
    with Swap(path).observed():
        pass
    files = Layout(path)
    for place in (files.published.parent, files.home):
        if place.exists() and not os.access(place, os.R_OK | os.W_OK | os.X_OK):
            raise WarehouseError(
                f"{place} is not writable: sync as its owner, or choose another --warehouse."
            )
    if files.published.exists() and os.getuid() not in (0, files.published.stat().st_uid):
        raise WarehouseError(
            f"{files.published} belongs to another user: sync as its owner, or choose another --warehouse."
        )
    yield ok("place", f"{files.published.parent} is writable.")
    kind = _file_system(files.published.parent)
    if kind.startswith(REMOTE):
        yield warning(
            "place",
            f"{files.published.parent} is on a network or shared file system ({kind}), where locks may fail and copies are slow: sync to a local disk, and copy the file from there.",
        )


def space(path: Path) -> Iterator[Finding]:
    files = Layout(path)
    size = max((file.stat().st_size for file in (files.published, files.base) if file.exists()), default=0)
    free, need = shutil.disk_usage(files.published.parent).free, 2 * size + SPARE
    told = f"{free >> 20:,} MiB are free beside {files.published}, and a sync needs about {need >> 20:,} for its copies"
    if free < need:
        raise WarehouseError(f"{told}: make room, or move the warehouse.")
    if free < 3 * need:
        yield warning("disk", f"{told}: make room before it grows.")
    else:
        yield ok("disk", f"{told}.")


def lock(path: Path) -> Iterator[Finding]:
    """Takes a shared lock for an instant, so that a sync that waits for it waits hardly at all."""
    files = Layout(path)
    if not files.lock.exists():
        yield ok("lock", "No sync is running.")
        return
    with files.lock.open("rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
            yield ok("lock", "No sync is running.")
        except BlockingIOError:
            yield ok(
                "lock", f"A sync is running on {files.published} right now; another one would exit with 8."
            )


def _file_system(path: Path) -> str:
    """The file system type of the path, if the system says it."""
    over = [(point, kind) for point, kind in mounts() if path.is_relative_to(point)]
    return max(over, key=lambda mount: len(mount[0].parts), default=(Path(), ""))[1]
