"""Files as such: which one stands at a path, writing one whole, and what the disk says when it cannot."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from cekura_sync.database import first_line
from cekura_sync.errors import CekuraSyncError, WarehouseError


class Fingerprint(NamedTuple):
    """Which file stands at a path: enough to see that somebody replaced it or wrote to it."""

    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> "Fingerprint | None":
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        return cls(status.st_ino, status.st_size, status.st_mtime_ns)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(content), encoding="utf-8")
    flush(fresh)
    fresh.replace(path)


def flush(path: Path) -> None:
    """To the disk itself, so that a power cut finds the steps in their order."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_directory(path: Path) -> None:
    """As far as the file system offers it: the step itself is done, and must not be taken back for this."""
    with suppress(OSError):
        flush(path)


@contextmanager
def private_files() -> Iterator[None]:
    """What is created here is for its owner alone: the data, and who may see it, are not ours to share."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except CekuraSyncError:
        raise
    except Exception as error:
        cause = next(filter(_is_the_disk, _causes(error)), None)
        if cause is None:
            raise
        full = any(os.strerror(number) in str(cause) for number in (errno.ENOSPC, errno.EDQUOT))
        reason = "the disk is full" if full else getattr(cause, "strerror", None) or first_line(cause)
        raise WarehouseError(
            f"{getattr(cause, 'filename', None) or path}: {reason}. Nothing was changed; mend that and sync again."
        ) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it: dlt and DuckDB wrap what the disk says."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_the_disk(error: BaseException) -> bool:
    return isinstance(error, OSError | duckdb.IOException) or os.strerror(errno.ENOSPC) in str(error)
