"""DuckLake, which a process in an environment of its own fills: the extension is there for another DuckDB than ours."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

import cekura_sync
from cekura_sync.sandbox import Sandbox
from support.destinations import Filled
from support.harness import PATIENCE, environment


class DuckLake(Filled):
    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        super().__init__("ducklake", folder, sandbox)
        self._process = subprocess.Popen(
            [
                environment("ducklake"),
                Path(__file__).with_name("ducklake_run.py"),
                folder,
                sandbox.key,
                sandbox.url,
            ],
            env=os.environ
            | {
                "HOME": str(folder),  # DuckDB installs extensions there
                "PYTHONPATH": str(Path(cekura_sync.__file__).parents[1]),
                "RUNTIME__DLTHUB_TELEMETRY": "false",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "DuckLake":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=PATIENCE)

    def run(self, state: str = "state", **arguments: Any) -> dict[str, int]:
        return self._ask("full" if arguments.get("full") else "quick")

    def make_views(self) -> list[str]:
        """Returns their names."""
        return self._ask("views")

    @contextmanager
    def reader(self, *, views: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """What was there when the views were made."""
        with duckdb.connect() as con:
            con.execute("set timezone = 'UTC'; create schema raw; create schema analytics")
            for file in (self.folder / "out").glob("*/*.parquet"):
                con.execute(f"create view {file.parent.name}.{file.stem} as from '{file}'")
            yield con

    def _ask(self, word: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process has ended: see its stderr"
        return json.loads(answer)
