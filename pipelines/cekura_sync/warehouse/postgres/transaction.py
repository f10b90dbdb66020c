"""What a sync writes inside its one transaction: all of it is committed at once."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from cekura_sync import tables
from cekura_sync.errors import WarehouseBusy
from cekura_sync.models import checks
from cekura_sync.models.checks import Finding
from cekura_sync.tables import SCHEMA
from cekura_sync.warehouse import sync_log
from cekura_sync.warehouse.postgres import indexes, mirror, views
from cekura_sync.warehouse.postgres.session import Session
from cekura_sync.warehouse.team_changes import TeamChanges


class Transaction:
    def __init__(
        self,
        session: Session,
        engine: str,
        name: str,
        generation: int,
        merges: Sequence[str] | None,
        written: Collection[int] | None,
    ) -> None:
        """`merges`: statements that write what has changed; None for no sync, whose views are always checked.

        `written`: the results that they concern; None for many.
        """
        self._session = session
        self._engine = engine
        self._name = name
        self._generation = generation  # of the last sync that was committed
        self._merges = merges
        self._written = written
        self._merged = False
        self._views_stay = False  # nothing of their text is new

    def require_nobody_wrote(self) -> None:
        """Some connection poolers share a session, and so its lock, with others. Raises WarehouseBusy."""
        session = self._session
        session.run(f"lock table {SCHEMA}.sync_log in share row exclusive mode")
        if session.value(f"select coalesce(max(generation), 0) from {SCHEMA}.sync_log") != self._generation:
            raise WarehouseBusy(f"Another sync of {self._name} was quicker: nothing was changed, sync again.")

    def merge(self) -> None:
        with views.translating(self._engine) if not self._generation else nullcontext():
            for statement in self._merges or ():
                self._session.run(statement)
        self._merged = True
        if self._merges and (self._written is None or not self._generation):
            # Or the views are planned as if the tables were empty.
            for table in tables.TABLES.keys() & self._session.columns().keys():
                self._session.run(f"analyze {SCHEMA}.{table}")

    def complete(self) -> None:
        """Locks nothing that is there."""
        if lacking := [*tables.missing(self._session.columns())]:
            from cekura_sync.models import dialects  # sqlglot, a fifth of a second

            for statement in lacking:
                self._session.run(dialects.translate(self._engine, statement))
        if self._generation or self._merged:  # what fills empty tables is faster without them
            for statement in indexes.missing(self._session):
                self._session.run(statement)

    def store(self, team_changes: TeamChanges) -> None:
        self._session.run(f"delete from {SCHEMA}.changes")
        columns = [list(column) for column in zip(*team_changes.changes, strict=True)]
        if columns:
            self._session.run(
                f"insert into {SCHEMA}.changes select line, agent_id, to_timestamp(0) + moment * interval '1 microsecond', note"
                " from unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) as read (line, agent_id, moment, note)",
                *columns,
            )

    def build_views(self) -> list[str]:
        # Whoever asks for a build gets one.
        for_a_sync = self._merges is not None
        self._views_stay = for_a_sync and views.are_built(self._session)
        return views.names() if self._views_stay else views.build(self._session, self._engine)

    def count_runs(self) -> None:
        """Not here: the views count. Each count that is stored would be a new version of its row."""

    def findings(self, since: datetime | None) -> list[Finding]:
        """None where nothing was merged: those rows have been checked before, and a quiet sync is to stay quick.

        The copy is checked in DuckDB: there the views over everything take a tenth of the time, and readers wait less.
        """
        if self._merges == []:
            return []
        if since is not None and self._views_stay and self._written is not None:
            with mirror.changed(self._session, self._written) as changed:
                return checks.check_rows(changed)
        with mirror.whole(self._session) as copy:
            return checks.check_tables(copy)

    def log(self, entry: Mapping[str, Any]) -> None:
        values = [{**entry, "generation": self._generation + 1}.get(name) for name in tables.LOG]
        marks = ", ".join(["%s"] * len(values))
        self._session.run(f"insert into {SCHEMA}.sync_log ({sync_log.COLUMNS}) values ({marks})", *values)
        self._session.run(sync_log.THIN_OUT)
