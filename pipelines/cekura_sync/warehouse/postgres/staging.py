"""dlt's PostgreSQL destination, except that its merges are handed over instead of run.

dlt itself would merge and commit one table after another, and readers would see half a sync. We take the statements from it
and run all of them in one transaction.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

from dlt.common.destination.client import HasFollowupJobs, LoadJob, RunnableLoadJob
from dlt.common.storages import ParsedLoadJobFileName
from dlt.destinations import postgres
from dlt.destinations.impl.postgres.postgres import PostgresClient
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient
from dlt.destinations.sql_jobs import SqlMergeFollowupJob
from pyarrow import csv
from pyarrow.parquet import ParquetFile

from cekura_sync.warehouse.load import AskedOnce
from cekura_sync.warehouse.postgres.session import open_connection

if TYPE_CHECKING:
    from dlt.common.destination.capabilities import DestinationCapabilitiesContext
    from dlt.common.destination.client import FollowupJobRequest
    from dlt.common.destination.typing import PreparedTableSchema
    from dlt.common.schema import Schema

BATCH_ROWS = 5_000
CHUNK = 1 << 16  # bytes


class Postgres(AskedOnce, postgres):
    __orig_base__ = postgres  # where dlt looks for the defaults of arguments

    def __init__(self, schema: str, dsn: str) -> None:
        """`schema`: the staging schema, used under exactly this name."""
        # dlt requires parts that a way into the database need not have; ours opens every connection.
        super().__init__("postgresql://user:password@host/database", staging_dataset_name_layout=schema)
        self._dsn = dsn
        self.merges: list[str] = []

    @property
    def destination_type(self) -> str:
        """The name under which dlt looks for its credentials."""
        return "dlt.destinations.postgres"

    @property
    def client_class(self) -> type[PostgresClient]:
        return _Client

    def _raw_capabilities(self) -> "DestinationCapabilitiesContext":
        caps = super()._raw_capabilities()
        # Also where an older version has written into dlt's schema that a table comes as CSV.
        caps.supported_loader_file_formats = ["insert_values", "parquet"]
        caps.loader_file_format_selector = (
            _as_they_are  # dlt's own asks for a driver that _CopyJob does without
        )
        return caps

    def client(self, schema: "Schema", initial_config: Any = None) -> PostgresClient:
        client = super().client(schema, initial_config)
        assert isinstance(client, _Client)  # noqa: S101 - chosen by client_class
        client.merges = self.merges
        client.sql_client.dsn = self._dsn
        return client


def _as_they_are(preferred: Any, supported: Any, /, *, table_schema: Any) -> Any:  # noqa: ARG001 - dlt gives it
    return preferred, supported


class _SqlClient(Psycopg2SqlClient):
    dsn: str

    def open_connection(self) -> Any:
        self._conn = open_connection(self.dsn)
        return self._conn


class _CopyJob(RunnableLoadJob, HasFollowupJobs):
    """Loads a file with `copy`. dlt's own job needs one more driver."""

    _job_client: PostgresClient

    def run(self) -> None:
        client = self._job_client.sql_client
        table = client.make_qualified_table_name(self.load_table_name)
        with ParquetFile(self._file_path) as file:
            columns = ", ".join(map(client.escape_column_name, file.schema_arrow.names))
            with client.begin_transaction(), client.native_connection.cursor() as cursor:
                cursor.copy_expert(f"copy {table} ({columns}) from stdin (format csv)", _AsText(file), CHUNK)


class _AsText:
    """The rows of a file as the engine reads them. It has no character 0, and in UTF-8 no other has such a byte."""

    def __init__(self, file: ParquetFile) -> None:
        self._batches = file.iter_batches(BATCH_ROWS)
        self._text = BytesIO()

    def read(self, size: int) -> bytes:
        while not (text := self._text.read(size)):
            if (batch := next(self._batches, None)) is None:
                break
            self._text = BytesIO()
            csv.write_csv(batch, self._text, csv.WriteOptions(include_header=False))
            self._text = BytesIO(self._text.getvalue().replace(b"\0", b""))
        return text


class _Client(PostgresClient):
    merges: list[str]
    sql_client: _SqlClient

    def __init__(self, schema: "Schema", config: Any, capabilities: Any) -> None:
        super().__init__(schema, config, capabilities)
        client = self.sql_client
        self.sql_client = _SqlClient(
            client.dataset_name, client.staging_dataset_name, config.credentials, capabilities
        )

    def create_load_job(
        self, table: "PreparedTableSchema", file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        if ParsedLoadJobFileName.parse(file_path).file_format == "parquet":
            return _CopyJob(file_path)
        return super().create_load_job(table, file_path, load_id, restore)

    def _create_merge_followup_jobs(
        self, table_chain: "Sequence[PreparedTableSchema]"
    ) -> "list[FollowupJobRequest]":
        """Called by dlt once for each table that was loaded, to create the jobs that merge it.

        dlt has no public hook at this point. We keep the SQL of those jobs and return none to run. If a later dlt no longer
        calls this, dlt merges by itself and test_postgres_kill.py turns red.
        """
        self.merges += SqlMergeFollowupJob.generate_sql(table_chain, self.sql_client)
        return []
