"""Programs that had the published file open for writing when a sync replaced it.

Such a program goes on writing into the file that it opened, but DuckDB puts its write-ahead log at the path, beside the new file,
where every reader would replay it. So we keep a hard link to the old file, see by its lock whether it is still open, and as
long as it is, a link that leads nowhere stands where the log would be: DuckDB reads no log through it and cannot create one.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from cekura_sync.warehouse.layout import Layout, wal


class StaleWriters:
    def __init__(self, files: Layout) -> None:
        self._files = files
        self._guard = wal(files.published)
        self._nowhere = Path(files.home.name, files.replaced.name, "nothing", "here")

    def keep(self) -> None:
        """Before the published file is replaced: a link to it, where the file system has such links."""
        with suppress(OSError):
            self._files.replaced.mkdir(mode=0o700, exist_ok=True)
            (self._files.replaced / self._files.incoming.name).hardlink_to(self._files.published)
        if not self._is_guarded():
            # Storage v1.0.0 would replay a log of the old file into the new one.
            self._guard.unlink(missing_ok=True)

    def guard(self) -> None:
        """After a replace, and at every start: forget the files that nobody writes to any longer."""
        with suppress(OSError):
            for file in self._files.replaced.iterdir() if self._files.replaced.exists() else ():
                if not _is_written(file):
                    file.unlink()
            if self._files.replaced.exists() and any(self._files.replaced.iterdir()):
                if not self._guard.is_symlink():
                    self._guard.unlink(missing_ok=True)
                    self._guard.symlink_to(self._nowhere)
                return
            if self._is_guarded():
                self._guard.unlink()
            if self._files.replaced.exists():
                self._files.replaced.rmdir()

    def _is_guarded(self) -> bool:
        return self._guard.is_symlink() and self._guard.readlink() == self._nowhere


def still_held(files: Layout) -> str | None:
    """What to say after something was removed for good, where a program has the file of before open for writing."""
    if not files.replaced.exists():
        return None
    return f"Another program has the previous file open for writing. {files.replaced} keeps that file, with what was removed, until the program closes it and the next sync starts."


def _is_written(file: Path) -> bool:
    """Whether a process has it open for writing: DuckDB holds a lock that keeps even a shared one out."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
