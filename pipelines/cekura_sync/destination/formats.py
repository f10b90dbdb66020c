"""Reads tables back from the destination of a dlt pipeline: through its SQL client, or as Delta or Iceberg tables."""

import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.dataset.utils import get_destination_clients
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient
from dlt.destinations.job_client_impl import SqlJobClientBase

from cekura_sync.account import ACCOUNT
from cekura_sync.database import literal, quoted
from cekura_sync.errors import SettingsError
from cekura_sync.tables import TABLES

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from dlt.common.destination.client import JobClientBase
    from dlt.common.schema import Schema
    from dlt.pipeline.pipeline import Pipeline

FETCHED_ROWS = 20_000  # at a time
MOST_IDS = 2_000  # in one condition of an engine
LOADS = "_dlt_loads"
BUILT = "_views"  # which text each view was made of, for `cekura_views`
LOAD_ID = "_dlt_load_id"  # of the load that wrote a row
REMOVED = "_removed"
_ONE_FOR_EACH_SCHEMA = "multi_dataset_default_schema_name"


class Ids(NamedTuple):
    """A condition: the column holds one of these."""

    column: str
    ids: Sequence[int]


class Tables(Protocol):
    """The tables of one dataset. They may be asked in another thread than the one that opened them."""

    def columns(self, table: str) -> list[str]:
        """None where there is no such table."""

    def rows(self, table: str, columns: Sequence[str], only: Ids | None = None) -> "Iterator[pa.Table]":
        """Of an existing table, with these of its columns."""

    def uncommitted(self, table: str, column: str) -> "Iterator[pa.Table]":
        """What stands in this column of the rows that a load wrote which never ended.

        dlt writes the id of a load into `_dlt_loads` when all its tables have been loaded.
        """


def open_tables(
    pipeline: "Pipeline", schema: "Schema", table_format: str | None, account: str | None
) -> Tables | None:
    """None where dlt cannot read its destination back. `schema`: what is known of the tables, nothing before a first run."""
    if pipeline.destination is None:
        return None
    client = open_client(pipeline, schema)
    if isinstance(client, FilesystemClient):
        if table_format == "delta":
            return DeltaTables(client, account)
        if table_format == "iceberg" and account:
            raise SettingsError(
                "account= is not for Iceberg tables, where a merge by two columns takes minutes: use Delta tables, or a dataset for each account."
            )
        return IcebergTables(client) if table_format == "iceberg" else None
    return SqlTables(client, account) if isinstance(client, SqlJobClientBase) else None


def open_client(pipeline: "Pipeline", schema: "Schema") -> "JobClientBase":
    """As `pipeline.destination_client()`, which before a first run would name a schema after the pipeline, and not every name can be that."""
    more: dict[str, Any] = (
        {} if pipeline.config.use_single_dataset else {_ONE_FOR_EACH_SCHEMA: pipeline.default_schema_name}
    )
    client, _ = get_destination_clients(
        schema, destination=pipeline.destination, destination_dataset_name=pipeline.dataset_name, **more
    )
    return client


class _Queried:
    """Tables that answer to SQL."""

    def __init__(self, account: str | None) -> None:
        self._mine = f"{self._name(ACCOUNT)} = {literal(account)}" if account else "1 = 1"

    def rows(self, table: str, columns: Sequence[str], only: Ids | None = None) -> "Iterator[pa.Table]":
        if only is None:
            yield from self._select(table, columns, self._mine)
            return
        for start in range(0, len(only.ids), MOST_IDS):
            ids = ", ".join(map(str, only.ids[start : start + MOST_IDS]))
            yield from self._select(table, columns, f"{self._mine} and {self._name(only.column)} in ({ids})")

    def _select(
        self, table: str, columns: Sequence[str], condition: str, distinct: str = ""
    ) -> "list[pa.Table]":
        raise NotImplementedError

    def _name(self, column: str) -> str:
        return quoted(column)


class SqlTables(_Queried):
    def __init__(self, client: SqlJobClientBase, account: str | None) -> None:
        self._client = client
        super().__init__(account)

    def columns(self, table: str) -> list[str]:
        return self._columns.get(table, [])

    @cached_property
    def _columns(self) -> dict[str, list[str]]:
        """Of all tables at once: some engines take a second to log in."""
        with self._client:
            exists = self._client.is_storage_initialized()
            found = [*self._client.get_storage_tables([*TABLES, LOADS, BUILT])] if exists else []
        return {table: [name.lower() for name in columns] for table, columns in found}

    def uncommitted(self, table: str, column: str) -> "Iterator[pa.Table]":
        condition = self._mine
        if LOAD_ID in self.columns(table) and self.columns(LOADS):
            written_by, load_id, status = map(self._name, (LOAD_ID, "load_id", "status"))
            ended = f"select {load_id} from {self._table(LOADS)} where {status} = 0"
            condition += f" and ({written_by} is null or {written_by} not in ({ended}))"
        yield from self._select(table, [column], condition, "distinct ")

    def _select(
        self, table: str, columns: Sequence[str], condition: str, distinct: str = ""
    ) -> "list[pa.Table]":
        names = ", ".join(map(self._name, columns))
        query = f"select {distinct}{names} from {self._table(table)} where {condition}"
        with (
            warnings.catch_warnings(),
            self._client as client,
            client.sql_client.execute_query(query) as found,
        ):
            warnings.simplefilter("ignore", UserWarning)  # DuckDB knows a faster way, which dlt does not take
            return [
                rows.rename_columns([name.lower() for name in rows.column_names])
                for rows in found.iter_arrow(FETCHED_ROWS)
            ]

    def _table(self, name: str) -> str:
        return str(self._client.sql_client.make_qualified_table_name(name))

    def _name(self, column: str) -> str:
        return str(self._client.sql_client.escape_column_name(column))


def _ended_loads(client: FilesystemClient) -> set[str]:
    try:
        paths = client.list_table_files(client.schema.loads_table_name)
    except DestinationUndefinedEntity:
        return set()
    return {path.rpartition("__")[2].removesuffix(".jsonl") for path in paths}


class DeltaTables(_Queried):
    def __init__(self, client: FilesystemClient, account: str | None) -> None:
        super().__init__(account)
        self._client = client
        self._ended = _ended_loads(client)
        self._opened: dict[str, DeltaTable | None] = {}

    def columns(self, table: str) -> list[str]:
        opened = self._open(table)
        return [] if opened is None else [field.name for field in opened.schema().fields]

    def uncommitted(self, table: str, column: str) -> "Iterator[pa.Table]":
        condition = self._mine
        if LOAD_ID in self.columns(table):
            loads = {
                load
                for rows in self._select(table, [LOAD_ID], self._mine, "distinct ")
                for load in rows[LOAD_ID].to_pylist()
            }
            unended = [literal(load) for load in loads - self._ended if load]
            if len(unended) <= MOST_IDS:
                written_by = quoted(LOAD_ID)
                condition += (
                    f" and ({written_by} is null or {written_by} in ({', '.join(unended) or 'null'}))"
                )
        yield from self._select(table, [column], condition, "distinct ")

    def _select(
        self, table: str, columns: Sequence[str], condition: str, distinct: str = ""
    ) -> "list[pa.Table]":
        import pyarrow as pa
        from deltalake import QueryBuilder

        opened = self._open(table)
        assert opened is not None  # noqa: S101 - whoever asks for rows has found columns
        names = ", ".join(map(quoted, columns))
        query = f"select {distinct}{names} from {quoted(table)} where {condition}"
        return [pa.table(QueryBuilder().register(table, opened).execute(query))]

    def _open(self, table: str) -> "DeltaTable | None":
        """At one version throughout."""
        from deltalake import DeltaTable
        from dlt.common.libs.deltalake import deltalake_storage_options

        if table not in self._opened:
            config = self._client.config
            options = deltalake_storage_options(config.credentials, config.deltalake_storage_options)
            location = self._client.get_open_table_location("delta", table)
            exists = DeltaTable.is_deltatable(location, options)
            self._opened[table] = DeltaTable(location, storage_options=options) if exists else None
        return self._opened[table]


class IcebergTables:
    """dlt's merges of this format cannot remove rows, so those marked as removed are left out here."""

    def __init__(self, client: FilesystemClient) -> None:
        self._client = client
        self._ended = _ended_loads(client)
        self._opened: dict[str, Any] = {}

    def columns(self, table: str) -> list[str]:
        opened = self._open(table)
        return [] if opened is None else [field.name for field in opened.schema().fields]

    def rows(self, table: str, columns: Sequence[str], only: Ids | None = None) -> "Iterator[pa.Table]":
        from pyiceberg.expressions import AlwaysTrue, In

        yield from self._scan(
            table, columns, AlwaysTrue() if only is None else In(only.column, {*only.ids} or {0})
        )

    def uncommitted(self, table: str, column: str) -> "Iterator[pa.Table]":
        from pyiceberg.expressions import AlwaysTrue, IsNull, NotIn, Or

        known = LOAD_ID in self.columns(table) and self._ended
        condition = Or(IsNull(LOAD_ID), NotIn(LOAD_ID, self._ended)) if known else AlwaysTrue()
        yield from self._scan(table, [column], condition)

    def _scan(self, table: str, columns: Sequence[str], condition: Any) -> "Iterator[pa.Table]":
        from pyiceberg.expressions import And, EqualTo, IsNull, Or

        if REMOVED in self.columns(table):
            condition = And(condition, Or(IsNull(REMOVED), EqualTo(REMOVED, False)))
        yield self._open(table).scan(row_filter=condition, selected_fields=tuple(columns)).to_arrow()

    def _open(self, table: str) -> Any:
        """None where there is no such table. Once only: the catalog lives in the thread that opens it first."""
        if table not in self._opened:
            try:
                self._opened[table] = self._client.load_open_table("iceberg", table)
            except DestinationUndefinedEntity:
                self._opened[table] = None
        return self._opened[table]
