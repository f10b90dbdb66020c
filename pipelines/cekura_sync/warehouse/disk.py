"""Files: which one is at a path, how to write one whole, and errors of the disk as WarehouseError."""

import errno
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from cekura_sync.database import first_line
from cekura_sync.errors import CekuraSyncError, WarehouseError

_FULL = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT)]
_BROKEN = [os.strerror(number) for number in (errno.EFBIG, errno.EIO, errno.EROFS)]


class Fingerprint(NamedTuple):
    """Which file is at a path: enough to see that somebody replaced it or wrote to it."""

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
    """Replaces the file as a whole."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(content), encoding="utf-8")
    flush(fresh)
    fresh.replace(path)


def copy_to_new(source: Path, new: Path, like: Path) -> None:
    """A copy under a name that nothing has, with mode and owner of `like` where that exists."""
    descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600)
    with open(descriptor, "wb") as copy, source.open("rb") as original:  # noqa: PTH123
        shutil.copyfileobj(original, copy, 1 << 20)
        share_like(descriptor, like)
        copy.flush()
        os.fsync(descriptor)


def share_like(file: Path | int, like: Path) -> None:
    """Give it mode and owner of `like`, where that exists. Raises PermissionError where the owner may not be changed."""
    if like.exists():
        status = like.stat()
        os.chmod(file, stat.S_IMODE(status.st_mode))  # noqa: PTH101 - of a descriptor too
        if (status.st_uid, status.st_gid) != (os.getuid(), os.getgid()):
            os.chown(file, status.st_uid, status.st_gid)


def flush(path: Path) -> None:
    """To the disk itself, so that a power cut cannot reorder the steps."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_directory(path: Path) -> None:
    """Where the file system supports it. The step itself is done, so a failure here is ignored."""
    with suppress(OSError):
        flush(path)


def mounts() -> Iterator[tuple[Path, str]]:
    """Each mount point with the kind of its file system, as far as the system tells."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for _, point, kind, *_ in map(str.split, lines):
        yield Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)), kind


@contextmanager
def private_files() -> Iterator[None]:
    """Files that are created inside can be read by their owner only."""
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
        full = any(words in str(cause) for words in _FULL)
        reason = "the disk is full" if full else getattr(cause, "strerror", None) or first_line(cause)
        advice = "fix that and try again"
        if isinstance(cause, PermissionError):
            advice = "run this as the user who owns it, or choose another --warehouse"
        raise WarehouseError(
            f"{_file_of(cause) or path}: {reason}. Nothing was changed: {advice}."
        ) from error


def _file_of(cause: BaseException) -> object:
    """None where only the number of an open file is known."""
    name = getattr(cause, "filename", None)
    return None if isinstance(name, int) else name


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes: dlt and DuckDB wrap what the disk reported."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_the_disk(error: BaseException) -> bool:
    # A commit that cannot be written is no IOException, but has the system's words.
    return isinstance(error, OSError | duckdb.IOException) or any(
        words in str(error) for words in (*_FULL, *_BROKEN)
    )
