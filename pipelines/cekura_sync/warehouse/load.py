"""Runs dlt, with nothing but our own settings, into the copy of the base that is to become the warehouse."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

# ruff: noqa: E402 - dlt reads these variables while it is imported
for _name in [name for name in os.environ if name.startswith("DLT_")]:
    del os.environ[_name]

import dlt
import pyarrow.parquet  # noqa: F401 - dlt would import it when everybody waits for it
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import CustomLoaderDocProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime.run_context import RunContext

from cekura_sync.source import changeset_source
from cekura_sync.tables import SCHEMA

if TYPE_CHECKING:
    import duckdb
    from dlt.common.configuration.providers.provider import ConfigProvider
    from dlt.common.destination import Destination, TLoaderFileFormat
    from dlt.pipeline.pipeline import Pipeline

    from cekura_sync.diff.changeset import Changeset

KEPT_VERSIONS = 10  # of dlt's schema and state
_CONFIGURATION = {
    "runtime": {
        "dlthub_telemetry": False,  # this product speaks to the API and to nobody else
        "log_level": "CRITICAL",  # what goes wrong is raised to us, and told once
        "intercept_signals": False,  # a sync stops at once; what it leaves is scratch
    },
    "providers": {"enable_airflow_secrets": False},
}
PRUNING = (
    *(
        f"delete from {SCHEMA}.{table} where version <= (select max(version) - {KEPT_VERSIONS} from {SCHEMA}.{table})"
        for table in ("_dlt_version", "_dlt_pipeline_state")
    ),
    (
        f"delete from {SCHEMA}._dlt_loads"
        f" where inserted_at < (select max(inserted_at) from {SCHEMA}._dlt_loads) - interval '30 day'"
        f" and load_id not in (select _dlt_load_id from {SCHEMA}._dlt_pipeline_state)"
    ),
)
_PLAIN = re.compile(r"[\w /.-]+")  # what means nothing but itself in SQL, globs and patterns


class Alone(RunContext):
    """No variable and no .dlt/ of the place where a sync happens to run can stop or steer dlt."""

    def initial_providers(self) -> "list[ConfigProvider]":
        return [CustomLoaderDocProvider("cekura_sync", lambda: _CONFIGURATION)]


Container()[PluggableRunContext] = PluggableRunContext(Alone("."))


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
        run(
            pipeline_into(dlt.destinations.duckdb(con), pipelines_dir), changes, scope, watermark, first=first
        )


def pipeline_into(destination: "Destination[Any, Any]", pipelines_dir: Path) -> "Pipeline":
    return dlt.pipeline(
        "cekura_sync", destination=destination, dataset_name=SCHEMA, pipelines_dir=str(pipelines_dir)
    )


def run(
    pipeline: "Pipeline",
    changes: "Changeset",
    scope: str,
    watermark: datetime | None,
    *,
    first: bool,
    file_format: "TLoaderFileFormat" = "parquet",
) -> None:
    """`first`: into empty tables, where there is no state to restore and nothing to merge."""
    if not first:
        pipeline.sync_destination()
    extract = partial(
        pipeline.extract, changeset_source(changes, scope, watermark), loader_file_format=file_format
    )
    if first:
        extract(write_disposition="append")
    else:
        extract()
    changes.clear()  # it is all in dlt's files now, and loading them needs the memory
    pipeline.normalize()
    # With one worker dlt would run its jobs in our main thread, and swallow the signal that is to stop us.
    pipeline.load(workers=2)


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
    con.execute(f"drop schema if exists {SCHEMA}_staging cascade")
    for statement in PRUNING:
        con.execute(statement)
