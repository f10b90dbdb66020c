"""What one run of the dlt source has to load."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from cekura_sync import database
from cekura_sync.database import literal
from cekura_sync.diff.changeset import BATCH_ROWS

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# What each table is told apart by. A scenario may lack its id, so it gets a key made of all its fields.
KEYS = {
    "results": ("id",),
    "runs": ("id",),
    "result_scenarios": ("_key",),
    "rejected_rows": ("_digest",),
    "sync_log": ("scope", "started_at"),
}


class Part(NamedTuple):
    """A query for rows to load."""

    query: str
    values: dict[str, object] | None = None


class Reading:
    """What one run has to load, and the watermark that it reached as `updated_at`."""

    def __init__(
        self,
        con: "duckdb.DuckDBPyConnection",
        updated_at: datetime | None,
        parts: dict[str, list[Part]],
        present: set[str],
    ) -> None:
        """`present`: tables that exist; each other one is created, even without rows."""
        self._con = con
        self.updated_at = updated_at
        self._parts = parts
        self._present = present

    def rows(self, table: str, load_id: str, account: str | None) -> "Iterator[pa.Table]":
        """With the load that writes them, by which the next run knows whether it was completed."""
        mine = f"{literal(account)} as account, " if account else ""
        for query, values in self._parts.get(table, []):
            marked = f"select {mine}*, {literal(load_id)} as _dlt_load_id from ({query})"
            yield from self._arrow(marked, values, table)

    def _arrow(self, query: str, values: dict[str, object] | None, table: str) -> "Iterator[pa.Table]":
        """In batches; where the table does not exist yet, an empty one first."""
        import pyarrow as pa

        needed = {*KEYS[table], "result_id", "account"}
        reader = (
            database.in_utc(self._con.cursor()).sql(query, params=values or None).to_arrow_reader(BATCH_ROWS)
        )
        schema = pa.schema([field.with_nullable(field.name not in needed) for field in reader.schema])
        if table not in self._present:
            yield pa.Table.from_batches([], schema=schema)  # empty_table() would import pandas
        for batch in reader:
            if batch.num_rows:
                yield pa.Table.from_batches([batch]).cast(schema)
