"""A pipeline that is not ours, in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb

from cekura_sync.sandbox import Sandbox, World
from support.harness import FIELDS, TIMES, Record, assembled, truth

SCRIPT = """
import dlt
from cekura_sync import cekura_source

pipeline = dlt.pipeline("theirs", destination=dlt.destinations.duckdb("theirs.duckdb"), dataset_name="raw", pipelines_dir="state")
pipeline.run(cekura_source({arguments}){then})
"""


class Theirs:
    """A folder with a pipeline in it and the key in `.dlt/secrets.toml`, as dlt has it."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self.sandbox = sandbox
        (folder / ".dlt").mkdir()
        (folder / ".dlt/secrets.toml").write_text(f'[sources.cekura]\napi_key = "{sandbox.key}"\n')
        (folder / ".dlt/config.toml").write_text(f'[sources.cekura]\napi_url = "{sandbox.url}"\n')

    @property
    def world(self) -> World:
        return self.sandbox.world

    def run(self, arguments: str = "", then: str = "", **env: str) -> str:
        return self.script(SCRIPT.format(arguments=arguments, then=then), **env)

    def script(self, text: str, **env: str) -> str:
        """What it prints; it must end well."""
        self.sandbox.reset_requests()
        (self.folder / "pipeline.py").write_text(text)
        ran = subprocess.run(
            [sys.executable, "pipeline.py"],
            cwd=self.folder,
            env=os.environ | {"RUNTIME__DLTHUB_TELEMETRY": "false", "DAGSTER_DISABLE_TELEMETRY": "1"} | env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def api(self) -> dict[int, Record]:
        return {id_: truth(row) for id_, row in self.world.results.items()}

    def stored(self) -> dict[int, Record]:
        columns = ", ".join(f"epoch_us({name})" if name in TIMES else name for name in FIELDS)
        return assembled(
            self.query(f"select {columns} from raw.results where deleted_at is null"),
            self.query("select result_id, id, status, success, scenario, scenario_name from raw.runs"),
            self.query("select result_id, scenario_id, scenario_name from raw.result_scenarios"),
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / "theirs.duckdb"), read_only=True) as con:
            return con.execute(sql).fetchall()
