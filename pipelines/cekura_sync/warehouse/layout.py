"""Where the files of a warehouse are.

warehouse.duckdb        what readers open; only ever replaced as a whole
warehouse.duckdb.d/
    base.duckdb         the private copy, which nobody else opens
    commit.json         the redo log of a swap; afterwards, what was published
    pending_log.jsonl   syncs that changed nothing since the last swap
    journal.duckdb      what an interrupted full sync had read; the next one goes on from there
    last.json           the last completed sync, for `status`
    news.json           receivers of news who have heard everything
    lock                held while a sync runs
    replaced/           published files of before that a program still has open for writing
    demo                only where the demo made the warehouse, and may throw it away
    scratch/            work in progress; whatever is left here is cleaned by the next sync
"""

import json
import os
import re
from pathlib import Path
from secrets import token_hex
from typing import Any

from cekura_sync.errors import SettingsError


class Layout:
    """The paths of one warehouse."""

    def __init__(self, path: Path) -> None:
        self.published = path.resolve()
        # To be renamed onto `published`. Nobody can guess the name, and so plant a link there.
        self.incoming = self.published.with_name(f".{self.published.name}.new.{token_hex(8)}")
        self.home = self.published.with_name(f"{self.published.name}.d")
        self.base = self.home / "base.duckdb"
        self.commit = self.home / "commit.json"
        self.pending_log = self.home / "pending_log.jsonl"
        self.journal = self.home / "journal.duckdb"
        self.last = self.home / "last.json"
        self.news = self.home / "news.json"
        self.lock = self.home / "lock"
        self.replaced = self.home / "replaced"
        self.scratch = self.home / "scratch"
        self.work = self.scratch / "work.duckdb"

    def incoming_of(self, record: dict[str, Any]) -> Path:
        """The file that the swap of this record would publish; version 0.1.0 had one name for it."""
        return self.published.with_name(record.get("incoming") or f".{self.published.name}.new")

    def is_synced(self) -> bool:
        """Whether a sync has read or written anything here; one that was refused at once leaves only its lock."""
        return any(file.exists() for file in (self.base, self.commit, self.journal, self.last))

    def leftovers(self) -> list[Path]:
        """Files beside the published one that were to replace it."""
        ours = re.compile(rf"\.{re.escape(self.published.name)}\.new(\.[0-9a-f]{{16}})?")
        return [path for path in self.published.parent.iterdir() if ours.fullmatch(path.name)]


def require_outside(warehouse: Path, target: Path) -> None:
    """Raises SettingsError for a file or directory of the warehouse's own, where nothing else may be written."""
    files = Layout(warehouse)
    target = Path(os.path.realpath(target))  # which lets links that lead in a circle be
    own = (files.published, wal(files.published))
    if target in own or target.is_relative_to(files.home) or any(_is_one_file(target, file) for file in own):
        raise SettingsError(f"{target} belongs to the warehouse itself: choose another place.")


def _is_one_file(target: Path, other: Path) -> bool:
    """Whether they are hard links to one file."""
    try:
        return target.samefile(other)
    except OSError:  # one of them is not there
        return False


def wal(path: Path) -> Path:
    """DuckDB's write-ahead log of a file."""
    return path.with_name(f"{path.name}.wal")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a small state file; empty when there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
