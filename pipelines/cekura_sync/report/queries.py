"""What the views say: the queries of sql/report, each as a list of rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cekura_sync.database import as_dicts
from cekura_sync.errors import WarehouseError
from cekura_sync.models import runner
from cekura_sync.warehouse import reader, sync_log
from cekura_sync.warehouse.scopes import Scope
from cekura_sync.warehouse.status import Status, read_status, status_of

Row = dict[str, Any]


@dataclass(frozen=True)
class Figures:
    """When the last sync completed, when each scope was synced, and one attribute for each file of sql/report."""

    synced_at: datetime | None
    scopes: Sequence[Scope]  # the oldest first
    freshness: list[Row]
    data_errors: list[Row]
    agents: list[Row]
    drivers: list[Row]
    new_failures: list[Row]
    noted_changes: list[Row]
    today: list[Row]
    over_time: list[Row]
    details_read: list[Row]
    failing_metrics: list[Row]
    worst_scenarios: list[Row]
    flaky_scenarios: list[Row]
    infrastructure_days: list[Row]
    infrastructure_agents: list[Row]


def read(path: Path) -> Figures:
    """Raises WarehouseError without a warehouse, or when its views are missing or of another version."""
    queries = runner.read_models(runner.models_dir() / "report")
    with reader.open_views(path) as con:
        rows = {query.name: as_dicts(con.execute(query.query)) for query in queries}
        logged = sync_log.newest(con)
    try:
        status = read_status(path)
    except WarehouseError:  # somebody who may read the published file and nothing beside it
        status = status_of(path, logged)
    return Figures(
        synced_at=_last_sync(status, rows["freshness"][0]["last_sync_at"]), scopes=status.scopes, **rows
    )


def _last_sync(status: Status, in_file: datetime | None) -> datetime | None:
    """A sync that found nothing new is not in the file at once, but on record beside it."""
    beside = status.now - status.age if status.age is not None else None
    return max((at for at in (in_file, beside) if at is not None), default=None)
