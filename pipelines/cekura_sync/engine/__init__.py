"""A warehouse in an engine that others share. What the swap gives to a file is given here by one transaction.

dlt loads what has changed into a schema that is this sync's own. Then the session that holds the lock merges it, builds and
checks the views and writes the log, and all of it is committed at once: who is cut short before has changed nothing.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cekura_sync import dialects, history, loading, upgrade
from cekura_sync.changeset import Changeset
from cekura_sync.database import column_list
from cekura_sync.engine import mirror, views
from cekura_sync.engine.connection import Connection, connected
from cekura_sync.errors import WarehouseBusy
from cekura_sync.loading import DATASET
from cekura_sync.outcome import Outcome, Progress
from cekura_sync.team_changes import Noted

if TYPE_CHECKING:
    import duckdb


class Engine:
    """The schemas `cekura` and `analytics` of one database."""

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self.name = f"{destination}:{DATASET}"
        self._connection: Connection
        self._generation = 0  # of the last sync that was committed

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other sync away for as long as the session lasts. Raises WarehouseBusy."""
        with connected(self._destination) as self._connection:
            self._connection.lock()
            yield

    @contextmanager
    def observed(self) -> Iterator[None]:
        """For a dry run: writes nothing and keeps nobody out."""
        with connected(self._destination) as self._connection:
            yield

    def known(self) -> "duckdb.DuckDBPyConnection":
        """A copy in memory of what a sync compares with."""
        con = mirror.to_compare_with(self._connection.session)
        newest = "select coalesce(max(generation), 0) from base.cekura.sync_log"
        self._generation = con.execute(newest).fetchall()[0][0]
        return con

    def pending_log(self) -> list[dict[str, Any]]:
        """None: here every sync is in `sync_log`."""
        return []

    def write(self, changes: Changeset, noted: Noted | None, outcome: Outcome, progress: Progress) -> Outcome:
        """Raises ModelError where the views or their checks fail, and then nothing has changed."""
        merges = self._load(changes, outcome) if outcome.changed or not self._generation else []
        session = self._connection.session
        with session.transaction():
            self._make_tables()
            self._require_nobody_wrote()
            for statement in merges:
                session.run(statement)
            if noted is not None:
                self._store(noted)
            views.build(session, self._destination)
            if merges:
                views.check(session, self._destination, self.name)
            outcome = outcome.finished_now()
            self._log(outcome.log_entry())
            progress.swapping()
        self._connection.drop_staging()
        return outcome

    def _load(self, changes: Changeset, outcome: Outcome) -> Sequence[str]:
        """Into the staging schema; returns the statements that merge it."""
        loading.run(
            self._connection.pipeline,
            changes,
            json.dumps(outcome.scope),
            outcome.watermark,
            first=False,
            file_format="insert_values",
        )
        analyses = [f"analyze {DATASET}.{table}" for table in ("results", "runs")]
        return [*self._connection.merges, *loading.PRUNING, *analyses]

    def _make_tables(self) -> None:
        """What the views select from and the database lacks; nothing is locked that is there."""
        session = self._connection.session
        present = session.columns()
        for table, columns in upgrade.TABLES.items():
            if table not in present:
                create = f"create table {DATASET}.{table} ({column_list(columns)})"
                session.run(dialects.in_words_of(self._destination, create))
        for table, column, kind in upgrade.COLUMNS:
            if column not in present.get(table, [column]):
                session.run(f"alter table {DATASET}.{table} add column {column} {kind}")

    def _require_nobody_wrote(self) -> None:
        """Some connection poolers share a session, and so its lock, with others. Raises WarehouseBusy."""
        session = self._connection.session
        session.run(f"lock table {DATASET}.sync_log in share row exclusive mode")
        if session.value(f"select coalesce(max(generation), 0) from {DATASET}.sync_log") != self._generation:
            raise WarehouseBusy(f"Another sync of {self.name} was quicker: nothing was changed, sync again.")

    def _store(self, noted: Noted) -> None:
        session = self._connection.session
        session.run(f"delete from {DATASET}.changes")
        columns = [list(column) for column in zip(*noted.changes, strict=True)]
        if columns:
            session.run(
                f"insert into {DATASET}.changes select line, agent_id, to_timestamp(0) + moment * interval '1 microsecond', note"
                " from unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) as noted (line, agent_id, moment, note)",
                *columns,
            )

    def _log(self, entry: dict[str, Any]) -> None:
        values = [(entry | {"generation": self._generation + 1}).get(name) for name in history.LOG]
        marks = ", ".join(["%s"] * len(values))
        session = self._connection.session
        session.run(f"insert into {DATASET}.sync_log ({', '.join(history.LOG)}) values ({marks})", *values)
        session.run(history.THINNED.format(days=history.LOG_WHOLE_FOR.days))
