"""Runs dlt, with nothing but our own settings, into the copy of the base that is to become the warehouse."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow.parquet  # noqa: F401 - dlt would import it when everybody waits for it
from dlt.destinations import duckdb as duckdb_destination

from cekura_sync.source import changeset_source
from cekura_sync.tables import SCHEMA
from cekura_sync.temporary import temporary_folder

if TYPE_CHECKING:
    import duckdb
    from dlt.common.destination import Destination
    from dlt.pipeline.pipeline import Pipeline

    from cekura_sync.diff.changeset import Changeset

KEPT_VERSIONS = 10  # of dlt's schema and state
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
_PLAIN = re.compile(r"[\w /.-]+")  # characters without a meaning in SQL and glob patterns


class AskedOnce:
    """A destination of dlt's of which it is found out once what it can do: dlt asks fifty times a load."""

    _without_credentials: Any = None

    def configuration(self, initial_config: Any, accept_partial: bool = False) -> Any:
        ask: Any = super()
        if not accept_partial:
            return ask.configuration(initial_config)
        if self._without_credentials is None:
            self._without_credentials = ask.configuration(initial_config, accept_partial=True)
        return self._without_credentials


class DuckDb(AskedOnce, duckdb_destination):
    __orig_base__ = duckdb_destination  # where dlt looks for the defaults of arguments

    @property
    def destination_type(self) -> str:
        """The name under which dlt looks for its configuration."""
        return "dlt.destinations.duckdb"


def load(
    con: "duckdb.DuckDBPyConnection",
    folder: Path,
    changeset: "Changeset",
    scope: str,
    watermark: datetime | None,
    *,
    first: bool,
) -> None:
    """Run the pipeline into the database of `con`; its state is restored from there and kept there."""
    with _plainly_named(folder) as pipelines_dir:
        run(
            pipeline_into(DuckDb(con), pipelines_dir),
            changeset,
            scope,
            watermark,
            first=first,
        )


def pipeline_into(destination: "Destination[Any, Any]", pipelines_dir: Path) -> "Pipeline":
    return dlt.pipeline(
        "cekura_sync", destination=destination, dataset_name=SCHEMA, pipelines_dir=str(pipelines_dir)
    )


def run(
    pipeline: "Pipeline",
    changeset: "Changeset",
    scope: str,
    watermark: datetime | None,
    *,
    first: bool,
) -> None:
    """`first`: the tables are empty, so there is no state to restore and nothing to merge."""
    if not first:
        pipeline.sync_destination()
    extract = partial(pipeline.extract, changeset_source(changeset, scope, watermark))
    if first:
        extract(write_disposition="append")
    else:
        extract()
    with changeset.set_aside():  # all of it is in dlt's files now
        pipeline.normalize()
        # With one worker dlt would run its jobs in our main thread, and swallow the signal that should stop us.
        pipeline.load(workers=2)


@contextmanager
def _plainly_named(folder: Path) -> Iterator[Path]:
    """The folder, or a temporary one: dlt puts the path unquoted into SQL and glob patterns."""
    if _PLAIN.fullmatch(str(folder)):
        yield folder
    else:
        with temporary_folder() as elsewhere:
            yield elsewhere


def tidy(con: "duckdb.DuckDBPyConnection") -> None:
    """Prune dlt's bookkeeping: over years of syncs its tables would only grow."""
    con.execute(f"drop schema if exists {SCHEMA}_staging cascade")
    for statement in PRUNING:
        con.execute(statement)
