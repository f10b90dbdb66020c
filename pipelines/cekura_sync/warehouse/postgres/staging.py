"""dlt's PostgreSQL destination, except that its merges are handed over instead of run.

dlt itself would merge and commit one table after another, and readers would see half a sync. We take the statements from it
and run all of them in one transaction.
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


LOCK_TIMEOUT = "5s"  # a session that waits for a lock blocks everybody who comes after it
# For every session, dlt's included. Not every server has all of them.
SETTINGS = {
    "TimeZone": "UTC",
    "standard_conforming_strings": "on",  # a backslash in a text is a backslash
    "default_transaction_isolation": "read committed",
    "extra_float_digits": "1",  # every digit of a number
    "jit": "off",  # compiling the views takes longer than running them
    "lock_timeout": LOCK_TIMEOUT,
    # A first load may take long, and the lock is held while the API is read, however long that takes.
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # A machine that disappears must not hold it for hours.
    "client_connection_check_interval": "5s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


class Postgres(postgres):
    __orig_base__ = postgres  # where dlt looks for the defaults of arguments

    def __init__(self, schema: str, dsn: str) -> None:
        """`schema`: the staging schema, used under exactly this name."""
        super().__init__(dsn, staging_dataset_name_layout=schema)
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
        return client


class _SqlClient(Psycopg2SqlClient):
    def open_connection(self) -> Any:
        connection = super().open_connection()
        # A role or a database may set one that lacks most letters.
        connection.set_client_encoding("UTF8")
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
        client = self.sql_client
        self.sql_client = _SqlClient(
            client.dataset_name, client.staging_dataset_name, config.credentials, capabilities
        )

    def _create_merge_followup_jobs(
        self, table_chain: "Sequence[PreparedTableSchema]"
    ) -> "list[FollowupJobRequest]":
        """Called by dlt once for each table that was loaded, to create the jobs that merge it.

        dlt has no public hook at this point. We keep the SQL of those jobs and return none to run. If a later dlt no longer
        calls this, dlt merges by itself and test_postgres_kill.py turns red.
        """
        self.merges += SqlMergeFollowupJob.generate_sql(table_chain, self.sql_client)
        return []
