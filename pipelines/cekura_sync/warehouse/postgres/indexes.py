"""The indexes with which what a sync asks of the engine costs the same however much it holds."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cekura_sync.tables import LIVE, SCHEMA, TABLES, UNFINISHED

if TYPE_CHECKING:
    from cekura_sync.warehouse.postgres.session import Session

_INDEXES = {
    "results_by_id": "results (id)",
    "results_by_created_at": "results (created_at)",
    "results_by_synced_at": "results (synced_at)",
    "results_unfinished": f"results (id) where {LIVE} and {UNFINISHED}",
    "results_of_others": "results (id) where first_seen_at is null",
    "results_deleted": "results (id) where deleted_at is not null",
    "runs_by_id": "runs (id)",
    **{f"{name}_by_result": f"{name} ({table.parent})" for name, table in TABLES.items() if table.parent},
}


def missing(session: "Session") -> Iterator[str]:
    """Statements for the indexes that are not there; a name that is taken is left alone."""
    found = session.rows("select relname from pg_class where relnamespace = to_regnamespace(%s)", SCHEMA)
    present = {name for (name,) in found}
    for name, of in _INDEXES.items():
        if name not in present:
            yield f"create index {name} on {SCHEMA}.{of}"
