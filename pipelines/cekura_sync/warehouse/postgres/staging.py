"""dlt's destination, but what it loads stays in the staging schema: its merges are handed over, not run.

dlt would commit one table after another; who runs all merges in one transaction lets nobody see half of them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlt.destinations import postgres
from dlt.destinations.impl.postgres.postgres import PostgresClient
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient
from dlt.destinations.sql_jobs import SqlMergeFollowupJob

if TYPE_CHECKING:
    from dlt.common.destination.client import FollowupJobRequest
    from dlt.common.destination.typing import PreparedTableSchema
    from dlt.common.schema import Schema


LOCK_TIMEOUT = "5s"  # whoever waits for a lock makes everybody wait who comes after
# Of each session, dlt's too. Not every server knows all of them.
SETTINGS = {
    "TimeZone": "UTC",
    "extra_float_digits": "1",  # every digit of a number
    "jit": "off",  # compiling the views takes longer than running them
    "lock_timeout": LOCK_TIMEOUT,
    # The lock is held while the API is read, however long that takes.
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # A machine that vanishes must not hold it for hours.
    "client_connection_check_interval": "5s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


class Postgres(postgres):
    __orig_base__ = postgres  # where dlt is to look for the defaults of arguments

    def __init__(self, schema: str, dsn: str) -> None:
        """`schema`: where to, by its name alone."""
        super().__init__(dsn, staging_dataset_name_layout=schema)
        self.merges: list[str] = []

    @property
    def destination_type(self) -> str:
        """By which dlt names it, and looks for its credentials."""
        return "dlt.destinations.postgres"

    @property
    def client_class(self) -> type[PostgresClient]:
        return _Client

    def client(self, schema: "Schema", initial_config: Any = None) -> PostgresClient:
        client = super().client(schema, initial_config)
        assert isinstance(client, _Client)  # noqa: S101 - told by client_class
        client.merges = self.merges
        return client


class _SqlClient(Psycopg2SqlClient):
    def open_connection(self) -> Any:
        connection = super().open_connection()
        with connection.cursor() as cursor:
            cursor.execute(
                "select set_config(name, wanted, false)"
                " from pg_settings join unnest(%s, %s) as wish (wish, wanted) on wish = name",
                ([*SETTINGS], [*SETTINGS.values()]),
            )
        return connection


class _Client(PostgresClient):
    merges: list[str]

    def __init__(self, schema: "Schema", config: Any, capabilities: Any) -> None:
        super().__init__(schema, config, capabilities)
        theirs = self.sql_client
        self.sql_client = _SqlClient(
            theirs.dataset_name, theirs.staging_dataset_name, config.credentials, capabilities
        )

    def _create_merge_followup_jobs(
        self, table_chain: "Sequence[PreparedTableSchema]"
    ) -> "list[FollowupJobRequest]":
        self.merges += SqlMergeFollowupJob.generate_sql(table_chain, self.sql_client)
        return []
