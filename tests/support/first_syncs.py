"""Accounts that are synced already: each kind is synced once, and its warehouse is copied for every test that asks for one."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.harness import Account

FRESH = timedelta(
    minutes=10
)  # a sync publishes its log when the last one is an hour old: tests must not come near that


class FirstSyncs:
    """Warehouses after a first sync, by what was asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._began = datetime.now(UTC)
        self._kept: dict[str, Path] = {}

    def now(self) -> datetime:
        """The end of the invented history: the same for all, so that equal options invent equal accounts."""
        if datetime.now(UTC) - self._began > FRESH:
            self._began = datetime.now(UTC)
            self._kept.clear()
        return self._began

    def give(self, account: Account, *options: str, kind: object) -> None:
        """The warehouse that a first sync with these options makes of this kind of account."""
        name = repr((kind, options))
        if name in self._kept:
            shutil.copytree(self._kept[name], account.warehouse.parent, dirs_exist_ok=True)
            _settle(account)
            return
        ran = account.sync(*options)
        assert ran.code == 0, ran.err
        account.sandbox.reset_requests()
        kept = self._folder / str(len(list(self._folder.iterdir())))
        kept.mkdir()
        shutil.copy2(account.warehouse, kept)
        shutil.copytree(account.home, kept / account.home.name)
        self._kept[name] = kept


def _settle(account: Account) -> None:
    """A copy is another file than the one on record: without this the next sync would publish it again."""
    status, record = account.warehouse.stat(), account.home / "commit.json"
    content = json.loads(record.read_text())
    content["published"] = [status.st_ino, status.st_size, status.st_mtime_ns]
    record.write_text(json.dumps(content))
