"""Destinations of dlt, filled by `cekura_source` in this process and read by readers that know nothing of dlt."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow as pa

from cekura_sync import cekura_source
from cekura_sync.models import script
from cekura_sync.sandbox import Sandbox
from support.harness import (
    FIELDS,
    TIMES,
    Record,
    assembled,
    assert_same,
    connect,
    require_destination,
    truth,
)

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

    def __init__(self, kind: str, folder: Path, sandbox: Sandbox, *, credentials: str | None = None) -> None:
        """`kind`: duckdb, postgres (at `credentials`), files, or one of FORMATS."""
        for package in FORMATS[kind][1].split() if kind in FORMATS else ():
            require_destination(package)
        self.kind = kind
        self._credentials = credentials
        self.folder = folder
        self.sandbox = sandbox

    def pipeline(self, state: str = "state") -> dlt.Pipeline:
        destination: Any
        if self.kind == "duckdb":
            destination = dlt.destinations.duckdb(str(self.folder / "theirs.duckdb"))
        elif self.kind == "postgres":
            destination = dlt.destinations.postgres(self._credentials)
        else:
            destination = dlt.destinations.filesystem(str(self.folder / "lake"))
        return dlt.pipeline(
            "their-own", destination=destination, dataset_name="raw", pipelines_dir=str(self.folder / state)
        )

    def run(self, state: str = "state", **arguments: Any) -> dict[str, int]:
        """The rows that were loaded into each table. `state`: another one has lost the working folder."""
        pipeline = self.pipeline(state)
        more: dict[str, Any] = {"table_format": self.kind} if self.kind in FORMATS else {}
        pipeline.run(cekura_source(self.sandbox.key, self.sandbox.url, **arguments), **more)
        normalized = (
            pipeline.last_trace.last_normalize_info
        )  # None where it only had to load what was left over
        counts = normalized.row_counts if normalized else {}
        return {table: rows for table, rows in counts.items() if not table.startswith("_dlt") and rows}

    @contextmanager
    def reader(self, *, views: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """The dataset `raw`, and our views in `analytics`: those that are there, or in a lake those of the script for DuckDB."""
        if self.kind == "duckdb":
            with connect(self.folder / "theirs.duckdb") as con:
                yield con
            return
        with duckdb.connect() as con:
            con.execute("set timezone = 'UTC'; create schema raw")
            if self.kind == "postgres":
                self._copy_from_postgres(con)
            else:
                for folder in (self.folder / "lake" / "raw").iterdir():
                    if not folder.name.startswith("_dlt") and folder.is_dir():
                        con.register("stored", FORMATS[self.kind][0](folder))
                        con.execute(f"create table raw.{folder.name} as from stored")
                for statement in script.script("duckdb", "analytics", "raw") if views else ():
                    con.execute(statement)
            yield con

    def _copy_from_postgres(self, con: duckdb.DuckDBPyConnection) -> None:
        import psycopg2

        con.execute("create schema analytics")
        with psycopg2.connect(self._credentials) as there, there.cursor() as cursor:
            cursor.execute("set timezone = 'UTC'")
            cursor.execute(
                "select table_schema || '.' || table_name from information_schema.tables"
                " where table_schema in ('raw', 'analytics') and table_name not like '\\_%'"
            )
            for (name,) in cursor.fetchall():
                cursor.execute(f"select * from {name}")
                columns = [column.name for column in cursor.description]
                values = [*zip(*cursor.fetchall(), strict=True)] or [()] * len(columns)
                con.register("stored", pa.table([pa.array(column) for column in values], names=columns))
                con.execute(f"create table {name} as from stored")
        there.close()

    def rows(self, table: str, columns: str = "*", where: str = "true") -> list[tuple[Any, ...]]:
        with self.reader() as con:
            return con.execute(f"select {columns} from raw.{table} where {where}").fetchall()

    def stored(self, where: str = "true") -> dict[int, Record]:
        columns = ", ".join(f"epoch_us({name})" if name in TIMES else name for name in FIELDS)
        queries = (
            f"select {columns} from raw.results where deleted_at is null and {where}",
            f"select result_id, id, status, success, scenario, scenario_name from raw.runs where {where}",
            f"select result_id, scenario_id, scenario_name from raw.result_scenarios where {where}",
        )
        with self.reader() as con:
            return assembled(*(con.execute(query).fetchall() for query in queries))

    def assert_equals_api(self) -> None:
        assert_same(self.stored(), {id_: truth(row) for id_, row in self.sandbox.world.results.items()})
