"""Destinations of dlt, filled by `cekura_source` in this process and read by readers that know nothing of dlt."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import duckdb

from cekura_sync import cekura_source
from cekura_sync.sandbox import Sandbox
from support.harness import FIELDS, TIMES, Record, assembled, assert_same, require_destination, truth

Read = Callable[[Path], Any]  # a folder → what DuckDB can select from


def delta(folder: Path) -> Any:
    from deltalake import DeltaTable

    return DeltaTable(str(folder)).to_pyarrow_table()


def iceberg(folder: Path) -> Any:
    """Without the rows that are marked to be removed: its upsert writes them like any other."""
    from pyiceberg.table import StaticTable

    newest = max((folder / "metadata").glob("*.metadata.json"))
    table = StaticTable.from_metadata(str(newest))
    marked = any(field.name == "_removed" for field in table.schema().fields)
    return (table.scan("_removed = false") if marked else table.scan()).to_arrow()


FORMATS: dict[str, tuple[Read, str]] = {
    "delta": (delta, "deltalake"),
    "iceberg": (iceberg, "pyiceberg pyiceberg_core"),
}


class Filled:
    """A dataset `raw` in a folder, as a DuckDB file or as tables of a format."""

    def __init__(self, kind: str, folder: Path, sandbox: Sandbox) -> None:
        for package in FORMATS[kind][1].split() if kind in FORMATS else ():
            require_destination(package)
        self.kind = kind
        self.folder = folder
        self.sandbox = sandbox

    def pipeline(self, state: str = "state") -> dlt.Pipeline:
        destination: Any = (
            dlt.destinations.duckdb(str(self.folder / "theirs.duckdb"))
            if self.kind == "duckdb"
            else dlt.destinations.filesystem(str(self.folder / "lake"))
        )
        return dlt.pipeline(
            "theirs", destination=destination, dataset_name="raw", pipelines_dir=str(self.folder / state)
        )

    def run(self, state: str = "state", **arguments: Any) -> dict[str, int]:
        """The rows that were loaded into each table. `state`: another one has lost the working folder."""
        pipeline = self.pipeline(state)
        more: dict[str, Any] = {} if self.kind == "duckdb" else {"table_format": self.kind}
        pipeline.run(cekura_source(self.sandbox.key, self.sandbox.url, **arguments), **more)
        counts = pipeline.last_trace.last_normalize_info.row_counts
        return {table: rows for table, rows in counts.items() if not table.startswith("_dlt") and rows}

    def rows(self, table: str, columns: str = "*", where: str = "true") -> list[tuple[Any, ...]]:
        if self.kind == "duckdb":
            with duckdb.connect(str(self.folder / "theirs.duckdb"), read_only=True) as con:
                return con.execute(f"select {columns} from raw.{table} where {where}").fetchall()
        stored = FORMATS[self.kind][0](self.folder / "lake" / "raw" / table)
        with duckdb.connect() as con:
            con.register("stored", stored)
            return con.execute(f"select {columns} from stored where {where}").fetchall()

    def stored(self, where: str = "true") -> dict[int, Record]:
        columns = ", ".join(f"epoch_us({name})" if name in TIMES else name for name in FIELDS)
        return assembled(
            self.rows("results", columns, f"deleted_at is null and {where}"),
            self.rows("runs", "result_id, id, status, success, scenario, scenario_name", where),
            self.rows("result_scenarios", "result_id, scenario_id, scenario_name", where),
        )

    def assert_equals_api(self) -> None:
        assert_same(self.stored(), {id_: truth(row) for id_, row in self.sandbox.world.results.items()})
