"""One sync at a time: the lock on a warehouse, and a second look for file systems whose locks keep nobody out."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Any

from cekura_sync.errors import WarehouseBusy
from cekura_sync.warehouse.layout import Layout, read_json


class Lock:
    def __init__(self, files: Layout) -> None:
        self._files = files
        self._token = token_hex(16)  # stands in the lock file while we hold it
        self._record: dict[str, Any] = {}  # of the last swap, as we found it

    @contextmanager
    def held(self) -> Iterator[None]:
        """Raises WarehouseBusy."""
        descriptor = os.open(self._files.lock, os.O_RDWR | os.O_CREAT, 0o600)
        with open(descriptor, "r+", encoding="ascii") as lock:  # noqa: PTH123
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WarehouseBusy(
                    f"Another sync is running on {self._files.published}: wait for it, then try again."
                ) from None
            lock.truncate()
            lock.write(self._token)
            lock.flush()
            try:
                yield
            except WarehouseBusy:
                raise
            except Exception as error:
                if not self.is_ours():
                    raise self._overtaken() from error
                raise

    def remember(self) -> None:
        """What this sync starts from."""
        self._record = read_json(self._files.commit)

    def is_ours(self) -> bool:
        """Whether no other sync has started since, as it could where locks are not kept."""
        try:
            return self._files.lock.read_text(encoding="ascii") == self._token
        except (OSError, ValueError):
            return False

    def require(self) -> None:
        """Raises WarehouseBusy where another sync has started, or swapped, since we took the lock."""
        if not self.is_ours() or read_json(self._files.commit) != self._record:
            raise self._overtaken()

    def _overtaken(self) -> WarehouseBusy:
        return WarehouseBusy(
            f"Another sync started on {self._files.published} although this one holds the lock: the file system does not keep locks. Put the warehouse on a local disk. Nothing was changed; sync again."
        )
