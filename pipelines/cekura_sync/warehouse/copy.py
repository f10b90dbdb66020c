"""The copy of the base that a commit writes."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import duckdb

from cekura_sync import tables
from cekura_sync.database import has_table
from cekura_sync.models import checks, runner, team
from cekura_sync.models.checks import Finding
from cekura_sync.warehouse import changed_rows, counts, sync_log
from cekura_sync.warehouse.team_changes import TeamChanges
from cekura_sync.warehouse.team_changes import store as store_team_changes


class Copy:
    """What the steps of a sync do to it."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        load: Callable[[], None] | None = None,
        generation: int = 0,
        *,
        views_may_stay: bool = False,
    ) -> None:
        """`views_may_stay`: those whose text is the same as before need not be built; whoever asks for a build gets one."""
        self._con = con
        self._load = load
        self._generation = generation
        self._views_may_stay = views_may_stay
        self._views_stay = False  # nothing of their text is new

    def merge(self) -> None:
        if self._load is not None:
            self._load()

    def complete(self) -> None:
        tables.complete(self._con)

    def store(self, team_changes: TeamChanges) -> None:
        store_team_changes(self._con, team_changes)

    def build_views(self) -> list[str]:
        self._views_stay = self._views_may_stay and _recorded_signature(self._con) == runner.signature(
            self._con
        )
        if self._views_stay:
            return [model.name for model in runner.read_models(runner.models_dir())]
        names = runner.build(self._con)
        team.restore_views(self._con)
        self._con.execute(
            "create or replace table cekura._views as select $1 as signature", [runner.signature(self._con)]
        )
        return names

    def count_runs(self) -> None:
        if not self._views_stay:
            self._con.execute(counts.FORGET)
        counts.store(self._con)
        if not self._views_stay:
            # The counts of all results are in memory until they are in the file.
            self._con.execute("checkpoint")

    def findings(self, since: datetime | None) -> list[Finding]:
        if since is None or not self._views_stay:
            return checks.check(self._con, just_built=True)
        with changed_rows.of_file(self._con, since) as changed:
            return checks.check_rows(changed)

    def log(self, entry: Mapping[str, Any]) -> None:
        sync_log.append(self._con, [{**entry, "generation": self._generation}])


def _recorded_signature(con: duckdb.DuckDBPyConnection) -> str | None:
    """Of the views as they were built last; None before the first time."""
    if not has_table(con, "_views"):
        return None
    ((signature,),) = con.execute("select signature from cekura._views").fetchall()
    return str(signature)
