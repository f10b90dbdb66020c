"""The dlt source: how each table is merged, and the `updated_at` cursor that each scope keeps.

`cekura_source` is for other people's pipelines: any destination, configured the dlt way. Each run reads as a sync does, without
gaps, and hands on no row before the reading is proved complete. It compares with what the destination holds and hands on what
changed; where the destination cannot be read back, all that it read. `changeset_source` is what `sync` itself loads.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import dlt
from dlt.common import logger
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.common.typing import TSecretStrValue

from cekura_sync import settings
from cekura_sync.account import ACCOUNT, require_name
from cekura_sync.console.pace import Pace
from cekura_sync.destination.formats import open_tables
from cekura_sync.destination.known import Known, Nothing
from cekura_sync.diff import standalone
from cekura_sync.diff.history import scope_text
from cekura_sync.diff.reading import KEYS, Reading
from cekura_sync.errors import KeyRefused, SettingsError
from cekura_sync.tables import TABLES

if TYPE_CHECKING:
    import pyarrow as pa
    from dlt.common.schema.typing import TColumnSchema
    from dlt.common.storages.load_package import TLoadPackage
    from dlt.common.typing import TDataItem
    from dlt.sources import DltResource
    from duckdb import DuckDBPyConnection

    from cekura_sync.diff.changeset import Changeset

_REMOVED: dict[str, "TColumnSchema"] = {"_removed": {"data_type": "bool", "hard_delete": True}}
_TYPES = {"varchar": "text", "timestamptz": "timestamp"}


def _hints(name: str) -> dict[str, Any]:
    """How dlt merges a table. Children go with their result: all rows of a `result_id` are replaced, and one marked
    `_removed` leaves none."""
    table = TABLES[name]
    keys = {"merge_key": table.parent} if table.parent else {"primary_key": table.key}
    removed = {"columns": _REMOVED} if table.removable else {}
    return {"name": name, "write_disposition": "merge", **keys, **removed}


def _typed(name: str) -> dict[str, "TColumnSchema"]:
    """The columns of a table that may have no row yet."""
    return {
        column: cast("TColumnSchema", {"data_type": _TYPES[kind]})
        for column, kind in TABLES[name].columns.items()
    }


def _cursor() -> "dlt.sources.incremental[datetime]":
    """Keeps the newest `updated_at`; it is never a filter: nothing that arrives late may be dropped for its age."""
    return dlt.sources.incremental("updated_at", primary_key=(), on_cursor_value_missing="include")


def _per_scope(name: str, scope: str) -> str:
    """One resource, and so one cursor, per scope: a filtered run must not move the cursor of another."""
    return f"{name}_{hashlib.md5(scope.encode(), usedforsecurity=False).hexdigest()[:12]}"


# -- for `sync` -------------------------------------------------------------------------------------------------------


@dlt.source(name="cekura")
def changeset_source(
    changeset: "Changeset", scope: str, watermark: datetime | None
) -> "tuple[DltResource, ...]":
    """What changed since the last sync, as Arrow batches, and how far it reached."""

    @dlt.resource(
        **_hints("_watermarks")
        | {
            "name": _per_scope("watermark", scope),
            "table_name": "_watermarks",
            "columns": _typed("_watermarks"),
        }
    )
    def cursor(
        updated_at: "dlt.sources.incremental[datetime]" = _cursor(),  # noqa: ARG001, B008 - how dlt learns which field to watch
    ) -> "Iterator[TDataItem]":
        yield dlt.mark.materialize_table_schema()  # the table exists even where nothing has a time yet
        if watermark is not None:
            yield {"scope": scope, "updated_at": watermark}

    fields = dlt.resource(changeset.new_fields(), **_hints("_fields") | {"columns": _typed("_fields")})
    tables = (dlt.resource(changeset.rows(name), **_hints(name)) for name in changeset.tables())
    return cursor, fields, *tables


# -- for other pipelines ----------------------------------------------------------------------------------------------


@dlt.source(name="cekura", section="cekura")
def cekura_source(
    api_key: TSecretStrValue = dlt.secrets.value,
    api_url: str = settings.API_URL,
    api_version: str = settings.API_VERSION,
    agent_id: int | None = None,
    project_id: int | None = None,
    search: str | None = None,
    scenarios: str | None = None,
    full: bool = False,
    full_every: str = settings.FULL_EVERY,
    lookback: str = settings.LOOKBACK,
    page_size: int = settings.PAGE_SIZE,
    concurrency: int = settings.CONCURRENCY,
    timeout: str | None = None,
    allow_http: bool = False,
    allow_mass_delete: bool = False,
    account: str | None = None,
) -> "tuple[DltResource, ...]":
    """Cekura test results: the resources `results`, `runs`, `result_scenarios`, `rejected_rows` and `sync_log`.

    Every argument can come from dlt's configuration: `sources.cekura.api_key`, `SOURCES__CEKURA__API_KEY` and so on. The filters
    `agent_id`, `project_id`, `search` and `scenarios` together are a scope with a cursor of its own. A run reads everything
    when `full`, or when the scope's last full run is older than `full_every` (`0`: never); else back to `lookback` before its
    cursor, and by id what was unfinished. Durations read `90s`, `15m`, `24h`, `7d`. `account`: a name that stands in each row,
    for several accounts in the same tables. Raises SettingsError.
    """
    options = dict(locals())
    with _key_by_its_name_here():
        resolved = settings.resolve(options, environ={"CEKURA_API_KEY": options.pop("api_key")})
    require_name(account)
    scope = scope_text(resolved.filters)
    name = "listing" if scope == "{}" and not account else _per_scope("listing", f"{account or ''}{scope}")

    # Yields one object that carries the cursor, so that dlt's filter cannot drop single rows.
    @dlt.resource(name=name, selected=False)
    def listing(
        updated_at: "dlt.sources.incremental[datetime]" = _cursor(),  # noqa: B008 - how dlt learns which field to watch
    ) -> Iterator[Reading]:
        state = cast("standalone.State", dlt.current.resource_state())  # committed together with the data
        with _key_by_its_name_here():
            yield standalone.read(
                resolved, state, updated_at.last_value, _Log(), _read_back(account), _destination()
            )

    return (listing, *(_table(listing, table, account) for table in KEYS))


def _table(listing: "DltResource", name: str, account: str | None) -> "DltResource":
    """Merged as in our own warehouse, and by a key: some table formats can only update rows, and need one."""

    def rows(reading: Reading) -> "Iterator[pa.Table]":
        package = _package()
        yield from reading.rows(name, package["load_id"] if package else "", account)

    hints = _hints(name) | {"primary_key": KEYS[name]}
    if name == "results":
        hints["columns"] = _REMOVED
    if account:
        hints["primary_key"] = (ACCOUNT, *KEYS[name])
        hints["columns"] = {**hints.get("columns", {}), ACCOUNT: {"data_type": "text", "partition": True}}
        if "merge_key" in hints:
            hints["merge_key"] = (ACCOUNT, hints["merge_key"])
    return dlt.transformer(rows, data_from=listing, **hints)


def empty_table(name: str, table_format: Any = None, account: str | None = None) -> "DltResource":
    """Makes a table, or the columns that it lacks. Dicts would give it dlt's own columns, which our loads do not fill."""
    import pyarrow as pa

    types = {
        "varchar": pa.string(),
        "bigint": pa.int64(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "timestamptz": pa.timestamp("us", "UTC"),
    }
    table = TABLES[name]
    needed = {*table.key, table.parent}
    fields = [pa.field(column, types[kind], column not in needed) for column, kind in table.columns.items()]
    if account:
        fields.insert(0, pa.field(ACCOUNT, pa.string(), nullable=False))
    nothing = pa.Table.from_batches([], schema=pa.schema(fields))
    made = dlt.resource([nothing], name=name, write_disposition="merge" if name in KEYS else "append")
    return made.apply_hints(table_format=table_format) if table_format else made


def _read_back(account: str | None) -> "Callable[[DuckDBPyConnection], standalone.Known] | None":
    """Reads what the destination of the running pipeline holds; None where dlt cannot."""
    package = _package()
    if package is None:
        return None
    source, pipeline = dlt.current.source(), dlt.current.pipeline()
    results = source.resources["results"]
    if package["state"].get("refresh") or results.write_disposition == "replace":
        return Nothing
    table_format = results.compute_table_schema().get("table_format")
    tables = open_tables(pipeline, source.schema, table_format, account)
    return partial(Known, tables=tables, required=[*source.resources.selected]) if tables else None


def _destination() -> str:
    """Its name in `sync_log`."""
    pipeline = dlt.current.pipeline() if _package() else None
    return pipeline.destination.destination_name if pipeline and pipeline.destination else ""


def _package() -> "TLoadPackage | None":
    """The load package that is being extracted; None where somebody only iterates over the source."""
    try:
        return dlt.current.load_package_state()
    except CurrentLoadPackageStateNotAvailable:
        return None


@contextmanager
def _key_by_its_name_here() -> Iterator[None]:
    try:
        yield
    except (KeyRefused, SettingsError) as error:
        raise type(error)(str(error).replace("CEKURA_API_KEY", "SOURCES__CEKURA__API_KEY")) from None


class _Log:
    """Progress in dlt's log."""

    def read(self, pages: int, rows: int, expected: int | None, pace: Pace) -> None: ...

    def read_details(self, done: int, asked: int) -> None: ...

    def say(self, text: str) -> None:
        logger.info(text)

    def warn(self, text: str) -> None:
        logger.warning(text)

    def swapping(self) -> None: ...
