"""dlt's PostgreSQL destination, except that its merges are handed over instead of run.

dlt itself would merge and commit one table after another, and readers would see half a sync. We take the statements from it
and run all of them in one transaction.
"""

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from dlt.common.destination.client import HasFollowupJobs, LoadJob, RunnableLoadJob
from dlt.common.storages import FileStorage, ParsedLoadJobFileName
from dlt.destinations import postgres
from dlt.destinations.impl.postgres.postgres import PostgresClient
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient
from dlt.destinations.sql_jobs import SqlMergeFollowupJob

from cekura_sync.warehouse.load import AskedOnce
from cekura_sync.warehouse.postgres.session import open_connection

if TYPE_CHECKING:
    from dlt.common.destination.client import FollowupJobRequest
    from dlt.common.destination.typing import PreparedTableSchema
    from dlt.common.schema import Schema


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

    def client(self, schema: "Schema", initial_config: Any = None) -> PostgresClient:
        client = super().client(schema, initial_config)
        assert isinstance(client, _Client)  # noqa: S101 - chosen by client_class
        client.merges = self.merges
        client.sql_client.dsn = self._dsn
        return client


class _SqlClient(Psycopg2SqlClient):
    dsn: str

    def open_connection(self) -> Any:
        self._conn = open_connection(self.dsn)
        return self._conn


class _CopyJob(RunnableLoadJob, HasFollowupJobs):
    """Loads a file with `copy`. dlt's own job makes NULL of an empty text."""

    _job_client: PostgresClient

    def run(self) -> None:
        client = self._job_client.sql_client
        table = client.make_qualified_table_name(self.load_table_name)
        with FileStorage.open_zipsafe_ro(self._file_path, "rb") as file:
            header = file.readline().decode().strip().split(",")
            columns = ", ".join(client.escape_column_name(name.strip('"')) for name in header)
            with client.begin_transaction(), client.native_connection.cursor() as cursor:
                cursor.copy_expert(f"copy {table} ({columns}) from stdin (format csv)", _WithoutZeros(file))


class _WithoutZeros:
    """A file as the engine can store it: it has no character 0, and in UTF-8 no other has such a byte."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        while text := self._file.read(size):
            if text := text.replace(b"\0", b""):
                return text
        return b""


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
        # Also what dlt writes of its own state comes as such a file.
        if ParsedLoadJobFileName.parse(file_path).file_format == "csv":
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
