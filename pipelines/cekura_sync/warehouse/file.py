"""A DuckDB file as a warehouse: a sync writes a copy of the private base, and the swap makes that copy the warehouse."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from cekura_sync import tables
from cekura_sync.database import as_dicts, has_table
from cekura_sync.diff import journal
from cekura_sync.diff.base import Lookup, open_base
from cekura_sync.diff.changeset import Changeset
from cekura_sync.errors import WarehouseError
from cekura_sync.models import runner
from cekura_sync.models.team import TeamModels
from cekura_sync.outcome import Outcome, Progress
from cekura_sync.warehouse import (
    dlt_settings,
    erase,
    identity,
    reader,
    steps,
    sync_log,
    told,
)
from cekura_sync.warehouse.copy import Copy
from cekura_sync.warehouse.disk import Fingerprint, write_json
from cekura_sync.warehouse.erase import Selection
from cekura_sync.warehouse.swap import Swap
from cekura_sync.warehouse.sync_log import PendingLog
from cekura_sync.warehouse.team_changes import TeamChanges
from cekura_sync.warehouse.writers import still_held

LOG_AT_LEAST_EVERY = timedelta(hours=1)  # how old the published sync_log may grow while nothing changes
_INTERRUPTED = "What an interrupted sync had read is removed, so the next one reads everything again: erase once more after it."
PENDING_AT_MOST = 1000  # syncs without changes that wait to be published in it


class WarehouseFile(Swap):
    """The file that readers open. The lock, the commit and the repair after a crash are the swap's."""

    def __init__(self, path: Path, team_models: TeamModels | None = None) -> None:
        super().__init__(path)
        self._team_models = team_models
        self._pending = PendingLog(self.files.pending_log)
        self._logged_until: datetime | None = None  # when the newest sync in the published log finished
        self._scopes: list[tuple[Any, ...]] = []  # the published log's, as rows of SCOPES
        # Whether another version wrote the file: then it is upgraded though no row changed.
        self._is_outdated = False

    @property
    def name(self) -> Path:
        return self.files.published

    def known(self) -> duckdb.DuckDBPyConnection:
        """While the lock is held, what came back although it was erased is erased first.

        Raises WarehouseError for a file that a newer version wrote.
        """
        con = open_base(self.existing(), self._spill())
        if self._held.is_ours() and erase.came_back(con):
            con.close()
            self._erase(Selection(came_back=True), lambda: None)
            return self.known()
        # A sync from a time when the clock was ahead says nothing about how old the log is.
        newest = "select max(finished_at) from base.cekura.sync_log where finished_at <= now()"
        self._logged_until = con.execute(newest).fetchall()[0][0]
        self._scopes = con.execute(sync_log.SCOPES.format(schema="base.cekura")).fetchall()
        base = self.existing()
        if base is not None:
            self._is_outdated = identity.read(con, base, database="base").is_outdated
        return con

    def lookup(self, known: duckdb.DuckDBPyConnection) -> Lookup:
        return Lookup(known)

    def _spill(self) -> Path | None:
        """A dry run has no folder of its own here."""
        return self.files.scratch / "spill" if self.files.scratch.exists() else None

    def journal(self) -> tuple[Path, str]:
        base = self.existing()
        return self.files.journal, str(base and Fingerprint.of(base))

    def pending_log(self) -> list[dict[str, Any]]:
        return self._pending.read(self.generation())

    def expect_changes(self) -> None:
        dlt_settings.import_in_background()

    def write(
        self, changeset: Changeset, team_changes: TeamChanges | None, outcome: Outcome, progress: Progress
    ) -> Outcome:
        """With nothing to commit, only note beside the file that there was a sync."""
        first = self.existing() is None
        waiting = self.pending_log()
        quiet = not outcome.changed and not first and not self._is_outdated
        if quiet and self._log_is_fresh(outcome.started):
            outcome = outcome.finished_now()
            self._pending.append(outcome.log_entry(), self.generation())
            progress.say(
                "Nothing to publish; this sync will be in sync_log with the next one that publishes."
            )
        else:
            outcome = self._publish(changeset, team_changes, outcome, progress, first=first)
        scopes = sync_log.scopes(self._scopes, [*waiting, outcome.log_entry()])
        record = {
            "finished_at": outcome.finished.isoformat(),
            "scopes": [scope.as_json() for scope in scopes],
        }
        try:
            write_json(self.files.last, outcome.as_json() | record)
        except OSError as error:
            progress.warn(f"The sync is done, but {self.files.last} cannot be written: {error.strerror}.")
        return outcome

    def forget_pending(self) -> None:
        self._pending.forget()

    def _log_is_fresh(self, now: datetime) -> bool:
        age = now - self._logged_until if self._logged_until else None
        return age is not None and age < LOG_AT_LEAST_EVERY and len(self.pending_log()) < PENDING_AT_MOST

    def _publish(
        self,
        changeset: Changeset,
        team_changes: TeamChanges | None,
        outcome: Outcome,
        progress: Progress,
        *,
        first: bool,
    ) -> Outcome:
        generation = self.generation() + 1
        forget = changeset.to_forget()

        def write(con: duckdb.DuckDBPyConnection) -> None:
            nonlocal outcome
            if outcome.changed or first:
                load = partial(_load, con, self.files.scratch, changeset, outcome, first=first)
            else:
                load = None
            copy = Copy(con, load, generation, views_may_stay=True)
            outcome = steps.write(copy, team_changes, outcome)
            if self._team_models is not None:
                self._team_models.build(con)

        self._commit_with_log(write, progress.swapping, forget)
        for flaw in self._team_models.flaws if self._team_models else ():
            progress.warn(flaw)
        if forget and (held := still_held(self.files)):
            progress.warn(held)
        progress.say(f"Published generation {generation} of {self.files.published}.")
        return outcome

    def answer(self, query: runner.Model) -> list[dict[str, Any]]:
        with reader.open_for_reading(self.files.published) as con:
            # A file that an older version wrote has no such table yet.
            if "_told" in query.sql and not has_table(con, "_told"):
                return []
            return as_dicts(con.execute(query.query))

    def have_heard(self, receivers: Collection[str]) -> bool:
        return told.have_heard(self.files, receivers, within=LOG_AT_LEAST_EVERY)

    def record_heard(self, receivers: Collection[str]) -> None:
        told.record_heard(self.files, receivers)

    def remember_told(self, rows: Sequence[Mapping[str, Any]], progress: Progress) -> None:
        def write(con: duckdb.DuckDBPyConnection) -> None:
            tables.complete(con)
            for statement, values in told.replacing(rows, mark="?"):
                con.execute(statement, values)

        self._commit_with_log(write, progress.swapping)

    def _commit_with_log(
        self,
        write: Callable[[duckdb.DuckDBPyConnection], None],
        swapping: Callable[[], None],
        forget: Sequence[str] = (),
    ) -> None:
        """Publish with it the syncs that wait: they are of this generation, and nobody counts them in the next."""
        pending = self.pending_log()

        def write_both(con: duckdb.DuckDBPyConnection) -> None:
            write(con)
            if pending:
                sync_log.append(con, pending)

        self.commit(write_both, swapping, forget)
        self._pending.forget()

    def erase(self, selection: Selection, swapping: Callable[[], None]) -> int:
        """Returns how many results that were here are erased."""
        if not self.files.journal.exists():
            self.require()
        with self.locked():
            # It may hold what is to be erased, even where no sync has completed yet.
            interrupted = journal.remove(self.files.journal)
            try:
                self.require()
            except WarehouseError as error:
                raise (WarehouseError(f"{error} {_INTERRUPTED}") if interrupted else error) from None
            return self._erase(selection, swapping)

    def _erase(self, selection: Selection, swapping: Callable[[], None]) -> int:
        with open_base(self.existing()) as con:
            meant = erase.from_base(con, selection)

        def write(con: duckdb.DuckDBPyConnection) -> None:
            tables.complete(con)
            for statement in erase.remember(meant.ids, selection):
                con.execute(statement)
            steps.build(Copy(con, views_may_stay=True), None)

        self._commit_with_log(write, swapping, meant.statements)
        return meant.results

    def allow(self, result_id: int, swapping: Callable[[], None]) -> bool:
        """Returns whether it was kept away."""
        self.require()
        with self.locked():
            with open_base(self.existing()) as con:
                was_kept_away = erase.is_kept_away(con, result_id)

            def write(con: duckdb.DuckDBPyConnection) -> None:
                con.execute(erase.ALLOW.format(id=result_id))

            if was_kept_away:
                self._commit_with_log(write, swapping)
        return was_kept_away

    def rebuild(self, team_changes: TeamChanges | None, swapping: Callable[[], None]) -> list[str]:
        names: list[str] = []

        def write(con: duckdb.DuckDBPyConnection) -> None:
            names[:] = steps.build(Copy(con), team_changes)  # it may be tried twice
            if self._team_models is not None:
                self._team_models.build(con)

        self.require()
        with self.locked():
            self._commit_with_log(write, swapping)
        return names


def _load(
    con: duckdb.DuckDBPyConnection, scratch: Path, changeset: Changeset, outcome: Outcome, *, first: bool
) -> None:
    load = dlt_settings.import_load()
    load.load(con, scratch / "dlt", changeset, json.dumps(outcome.scope), outcome.watermark, first=first)
    load.tidy(con)
