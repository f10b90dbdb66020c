"""The dlt source: four tables merged by their keys, and the `updated_at` cursor kept per scope."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

# ruff: noqa: E402 - dlt reads these variables while it is imported
for _name in [name for name in os.environ if name.startswith("DLT_")]:
    del os.environ[_name]

import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import CustomLoaderDocProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime.run_context import RunContext

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from dlt.common.configuration.providers.provider import ConfigProvider
    from dlt.common.schema.typing import TColumnSchema
    from dlt.common.typing import TDataItem
    from dlt.sources import DltResource

    from cekura_sync.changeset import Changeset

DATASET = "cekura"
KEPT_VERSIONS = 10  # of dlt's schema and state
_CONFIGURATION = {
    "runtime": {
        "dlthub_telemetry": False,  # this product speaks to the API and to nobody else
        "log_level": "CRITICAL",  # what goes wrong is raised to us, and told once
        "intercept_signals": False,  # a sync stops at once; what it leaves is scratch
    },
    "providers": {"enable_airflow_secrets": False},
}
_PLAIN = re.compile(r"[\w /.-]+")  # what means nothing but itself in SQL, globs and patterns
_REMOVED: dict[str, "TColumnSchema"] = {"_removed": {"data_type": "bool", "hard_delete": True}}


class _Alone(RunContext):
    """No variable and no .dlt/ of the place where a sync happens to run can stop or steer dlt."""

    def initial_providers(self) -> "list[ConfigProvider]":
        return [CustomLoaderDocProvider("cekura_sync", lambda: _CONFIGURATION)]


Container()[PluggableRunContext] = PluggableRunContext(_Alone("."))


@dlt.source(name="cekura")
def cekura_source(changes: "Changeset", scope: str, watermark: datetime | None) -> "tuple[DltResource, ...]":
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

    return results, runs, result_scenarios, rejected_rows, cursor, fields


def load(
    con: "duckdb.DuckDBPyConnection",
    folder: Path,
    changes: "Changeset",
    scope: str,
    watermark: datetime | None,
    *,
    first: bool,
) -> None:
    """Run the pipeline into the database of `con`; its state is restored from there and kept there."""
    with _plainly_named(folder) as pipelines_dir:
        pipeline = dlt.pipeline(
            "cekura_sync",
            destination=dlt.destinations.duckdb(con),
            dataset_name=DATASET,
            pipelines_dir=str(pipelines_dir),
        )
        run = partial(pipeline.run, cekura_source(changes, scope, watermark), loader_file_format="parquet")
        if first:
            run(write_disposition="append")  # into empty tables there is nothing to merge
        else:
            run()


@contextmanager
def _plainly_named(folder: Path) -> Iterator[Path]:
    """The folder, or one elsewhere for as long as it takes: dlt puts its path into SQL and patterns as it stands."""
    if _PLAIN.fullmatch(str(folder)):
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="cekura-sync-") as elsewhere:
            yield Path(elsewhere)


def tidy(con: "duckdb.DuckDBPyConnection") -> None:
    """Leave no more of dlt's bookkeeping than it needs: over years of syncs its tables would only grow."""
    con.execute(f"drop schema if exists {DATASET}_staging cascade")
    for table, order in (("_dlt_version", "version"), ("_dlt_pipeline_state", "version")):
        newest = f"select max({order}) - {KEPT_VERSIONS} from {DATASET}.{table}"
        con.execute(f"delete from {DATASET}.{table} where {order} <= ({newest})")
    con.execute(
        f"""
        delete from {DATASET}._dlt_loads
        where inserted_at < (select max(inserted_at) from {DATASET}._dlt_loads) - interval 30 day
            and load_id not in (select _dlt_load_id from {DATASET}._dlt_pipeline_state)
        """
    )
