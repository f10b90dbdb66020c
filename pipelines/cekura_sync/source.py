"""The dlt source: tables merged by their keys, and the `updated_at` cursor kept per scope."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import dlt

if TYPE_CHECKING:
    import pyarrow as pa
    from dlt.common.schema.typing import TColumnSchema
    from dlt.common.typing import TDataItem
    from dlt.sources import DltResource

    from cekura_sync.diff.changeset import Changeset

_REMOVED: dict[str, "TColumnSchema"] = {"_removed": {"data_type": "bool", "hard_delete": True}}


@dlt.source(name="cekura")
def changeset_source(
    changes: "Changeset", scope: str, watermark: datetime | None
) -> "tuple[DltResource, ...]":
    """What changed since the last sync, as Arrow batches, and how far it reached."""

    @dlt.resource(primary_key="id", write_disposition="merge")
    def results() -> "Iterator[pa.Table]":
        yield from changes.results()

    # Children go with their result: all rows of a `result_id` are replaced, and one marked `_removed` leaves none.
    @dlt.resource(merge_key="result_id", write_disposition="merge", columns=_REMOVED)
    def runs() -> "Iterator[pa.Table]":
        yield from changes.runs()

    @dlt.resource(merge_key="result_id", write_disposition="merge", columns=_REMOVED)
    def result_scenarios() -> "Iterator[pa.Table]":
        yield from changes.scenarios()

    @dlt.resource(primary_key="_digest", write_disposition="merge", columns=_REMOVED)
    def rejected_rows() -> "Iterator[pa.Table]":
        yield from changes.rejected_rows()

    # One resource, so one cursor, per scope: a filtered sync must not move the cursor of another.
    @dlt.resource(
        name=f"watermark_{hashlib.md5(scope.encode(), usedforsecurity=False).hexdigest()[:12]}",
        table_name="_watermarks",
        primary_key="scope",
        write_disposition="merge",
        columns={"scope": {"data_type": "text"}, "updated_at": {"data_type": "timestamp"}},
    )
    def cursor(
        updated_at: "dlt.sources.incremental[datetime]" = dlt.sources.incremental("updated_at"),  # noqa: ARG001, B008 - how dlt learns which field to watch
    ) -> "Iterator[TDataItem]":
        yield dlt.mark.materialize_table_schema()  # the table exists even where nothing has a time yet
        if watermark is not None:
            yield {"scope": scope, "updated_at": watermark}

    @dlt.resource(
        name="_fields",
        primary_key=("table_name", "api_name"),
        write_disposition="merge",
        columns={name: {"data_type": "text"} for name in ("table_name", "api_name", "column_name")},
    )
    def fields() -> "Iterator[TDataItem]":
        yield dlt.mark.materialize_table_schema()
        yield from changes.fields()

    details = (_details(table, rows) for table, rows in changes.run_details())
    return results, runs, result_scenarios, rejected_rows, cursor, fields, *details


def _details(table: str, rows: "Iterator[pa.Table]") -> "DltResource":
    """Run details go with their result, as runs do."""
    return dlt.resource(rows, name=table, merge_key="result_id", write_disposition="merge", columns=_REMOVED)
