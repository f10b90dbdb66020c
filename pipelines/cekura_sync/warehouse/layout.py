"""Where the files of a warehouse are.

warehouse.duckdb        what readers open; only ever replaced as a whole
warehouse.duckdb.d/
    base.duckdb         our own copy, which nobody else opens
    commit.json         the redo log of a swap; afterwards, what was published
    pending_log.jsonl   syncs that changed nothing since the last swap
    last.json           the last completed sync, for `status`
    lock                held while a sync runs
    demo                only where the demo made the warehouse, and may throw it away
    scratch/            work in progress; whatever is left here is cleaned by the next sync
"""

import json
from pathlib import Path
from typing import Any


class Layout:
    """The paths of one warehouse."""

    def __init__(self, path: Path) -> None:
        self.published = path.resolve()
        self.incoming = self.published.with_name(
            f".{self.published.name}.new"
        )  # to be renamed onto `published`
        self.home = self.published.with_name(f"{self.published.name}.d")
        self.base = self.home / "base.duckdb"
        self.commit = self.home / "commit.json"
        self.pending_log = self.home / "pending_log.jsonl"
        self.last = self.home / "last.json"
        self.lock = self.home / "lock"
        self.scratch = self.home / "scratch"
        self.work = self.scratch / "work.duckdb"


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
