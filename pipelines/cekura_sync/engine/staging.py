"""dlt's destination, but what it loads stays in the staging schema: its merges are handed over, not run.

dlt would commit one table after another; who runs all merges in one transaction lets nobody see half of them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlt.destinations import postgres
from dlt.destinations.impl.postgres.postgres import PostgresClient
from dlt.destinations.sql_jobs import SqlMergeFollowupJob

if TYPE_CHECKING:
    from dlt.common.destination.client import FollowupJobRequest
    from dlt.common.destination.typing import PreparedTableSchema
    from dlt.common.schema import Schema


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


class _Client(PostgresClient):
    merges: list[str]

    def _create_merge_followup_jobs(
        self, table_chain: "Sequence[PreparedTableSchema]"
    ) -> "list[FollowupJobRequest]":
        self.merges += SqlMergeFollowupJob.generate_sql(table_chain, self.sql_client)
        return []
