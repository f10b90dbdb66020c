"""Folders in the temporary directory. They may hold results in plain text, so only their owner may look into them, and
what a killed process leaves is removed by the next one."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cekura_sync.errors import WarehouseError

_PREFIX = "cekura-sync-"
_IN_USE = "in-use"  # a file in each folder that is locked as long as its process lives


class Temporary:
    """A folder for this process alone."""

    def __init__(self) -> None:
        """Raises WarehouseError."""
        self._process = os.getpid()
        try:
            remove_abandoned()
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
            self._lock_it()
        except OSError as error:
            raise WarehouseError(
                f"No temporary folder can be made ({error.strerror}): set TMPDIR to a directory with room."
            ) from error

    def _lock_it(self) -> None:
        try:
            new = self.path / f"{_IN_USE}.new"
            self._lock = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            new.replace(new.with_name(_IN_USE))  # locked before anybody else can find it
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def remove(self) -> None:
        if os.getpid() == self._process:  # a fork of it has a copy of this object, but not the folder
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Raises WarehouseError."""
    folder = Temporary()
    try:
        yield folder.path
    finally:
        folder.remove()


def remove_abandoned() -> None:
    """What killed processes of this user left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid != os.geteuid():
                continue
            with (folder / _IN_USE).open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
