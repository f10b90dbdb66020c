"""Accounts that are synced already: each kind is synced once, and its warehouse is copied for every test that asks for one."""

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import md5
from pathlib import Path

from support.harness import Account, Ran

# A sync publishes its log when the last one is an hour old, and a result is stuck after an hour: tests must not come near that.
FRESH = timedelta(minutes=10)


class FirstSyncs:
    """Warehouses after a first sync, by what was asked for. The workers of a test run share the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._now = ""  # that the test at work was told
        folder.mkdir(exist_ok=True)

    def now(self) -> datetime:
        """The end of the invented history: the same for all, so that equal options invent equal accounts."""
        with self._alone("now") as file:
            began = datetime.fromisoformat(file.read_text()) if file.exists() else None
            if began is None or datetime.now(UTC) - began > FRESH:
                began = datetime.now(UTC)
                file.write_text(began.isoformat())
        self._now = began.isoformat()
        return began

    def give(
        self, account: Account, *options: str, kind: object, then: Callable[[Account], Ran] | None = None
    ) -> None:
        """The warehouse that a first sync with these options makes of this kind of account, and what `then` makes of that."""
        asked = repr((self._now, kind, options, then and (then.__module__, then.__qualname__)))
        with self._alone(md5(asked.encode(), usedforsecurity=False).hexdigest()) as kept:
            if kept.exists():
                shutil.copytree(kept / "home", account.home, dirs_exist_ok=True)
                shutil.copy2(kept / "published", account.warehouse)
                _settle(account)
                return
            ran = account.sync(*options)
            assert ran.code == 0, ran.err
            if then:
                ran = then(account)
                assert ran.code == 0, ran.err
            account.sandbox.reset_requests()
            unfinished = kept.with_suffix(".unfinished")
            shutil.copytree(account.home, unfinished / "home")
            shutil.copy2(account.warehouse, unfinished / "published")
            unfinished.rename(kept)

    @contextmanager
    def _alone(self, name: str) -> Iterator[Path]:
        """The path of that name, while no other worker has it."""
        with (self._folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._folder / name


def _settle(account: Account) -> None:
    """A copy is another file than the one on record: without this the next sync would publish it again."""
    status, record = account.warehouse.stat(), account.home / "commit.json"
    content = json.loads(record.read_text())
    content["published"] = [status.st_ino, status.st_size, status.st_mtime_ns]
    record.write_text(json.dumps(content))
