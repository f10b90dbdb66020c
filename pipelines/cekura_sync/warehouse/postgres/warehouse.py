"""The engine as a sync sees it: the same as the file's `Warehouse`, but what the swap gives there, one transaction gives here."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cekura_sync import database, tables
from cekura_sync.database import column_list
from cekura_sync.diff import history
from cekura_sync.diff.changeset import Changeset
from cekura_sync.errors import WarehouseBusy, WarehouseError
from cekura_sync.models import dialects, runner
from cekura_sync.outcome import Outcome, Progress
from cekura_sync.tables import SCHEMA
from cekura_sync.warehouse import load, upgrade
from cekura_sync.warehouse.postgres import access, mirror, ownership, views
from cekura_sync.warehouse.postgres.connection import APPLICATION, Connection, connected
from cekura_sync.warehouse.team_changes import Noted

if TYPE_CHECKING:
    import duckdb


class State(NamedTuple):
    """Of the engine, for who asks whether a sync could work there."""

    version: str
    user: str
    database: str
    may_create: bool
    syncing: bool


class Engine:
    """The schemas `cekura` and `analytics` of one database."""

    def __init__(self, destination: str) -> None:
        """Raises SettingsError without credentials."""
        self._destination = destination
        self._access = access.find(destination)
        self.name = self._access.name
        self._connection: Connection
        self._generation = 0  # of the last sync that was committed
        self._claim: ownership.Claim | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other sync away for as long as the session lasts. Raises WarehouseBusy."""
        with connected(self._access) as self._connection:
            self._connection.lock()
            self._require_ours()
            try:
                yield
            except BaseException:
                self._connection.clean_up(self._claim)
                raise

    @contextmanager
    def observed(self) -> Iterator[None]:
        """For a dry run: writes nothing and keeps nobody out."""
        with connected(self._access) as self._connection:
            self._require_ours()
            yield

    def require_ours(self) -> None:
        """Raises WarehouseError where something stands in the way that is not ours."""
        with connected(self._access) as self._connection:
            self._require_ours()

    def _require_ours(self) -> None:
        ownership.require(self._connection.session, self.name)

    def known(self) -> "duckdb.DuckDBPyConnection":
        """A copy in memory of what a sync compares with."""
        con = mirror.to_compare_with(self._connection.session)
        self._generation = _generation(con)
        return con

    def state(self) -> State:
        with connected(self._access) as connection:
            row = connection.session.rows(
                "select current_setting('server_version'), current_user, current_database(),"
                " has_database_privilege(current_database(), 'create'),"
                " exists (select 1 from pg_stat_activity where application_name = %s and datname = current_database())",
                APPLICATION,
            )[0]
        return State(*row)

    def last_sync(self) -> dict[str, Any]:
        """As `sync --json` told it; empty before the first."""
        with connected(self._access) as connection:
            session = connection.session
            if "sync_log" not in session.columns():
                return {}
            columns = f"select {', '.join(tables.LOG)} from {SCHEMA}.sync_log"
            rows = session.rows(f"{columns} order by generation desc limit 1")
        if not rows:
            return {}
        last = dict(zip(tables.LOG, rows[0], strict=True))
        last = {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in last.items()
        }
        return last | {"scope": json.loads(last["scope"])}

    def copy_into(self, path: Path) -> None:
        """Make a warehouse file of it, for whoever reads one. Raises WarehouseError before the first sync."""
        with connected(self._access) as connection:
            con = mirror.whole(connection.session)
        generation = _generation(con)
        if not generation:
            raise WarehouseError(
                f"No sync of {self.name} has completed yet: run `cekura-sync sync --destination {self._destination}`."
            )
        with con:
            mirror.write(con, path)
        with database.connect(path) as con:
            con.execute("create table cekura._generation as select $1::bigint as generation", [generation])
            upgrade.complete(con)
            runner.build(con)

    def rebuild(self, noted: Noted | None, swapping: Callable[[], None]) -> list[str]:
        """Build the views anew; returns their names. Raises ModelError."""
        with self.locked():
            session = self._connection.session
            if "sync_log" not in session.columns():
                raise WarehouseError(
                    f"There is nothing in {self.name} yet: run `cekura-sync sync --destination {self._destination}`."
                )
            with session.transaction():
                self._make_tables()
                if noted is not None:
                    self._store(noted)
                names = views.build(session, self._destination)
                views.check(session, self._destination, self.name)
                swapping()
        return names

    def pending_log(self) -> list[dict[str, Any]]:
        """None: here every sync is in `sync_log`."""
        return []

    def write(self, changes: Changeset, noted: Noted | None, outcome: Outcome, progress: Progress) -> Outcome:
        """Raises ModelError where the views or their checks fail, and then nothing has changed."""
        session = self._connection.session
        if not self._generation:
            self._claim = ownership.Claim(session)
        merges = self._load(changes, outcome) if outcome.changed or not self._generation else []
        with session.transaction():
            self._require_ours()  # still
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
        self._claim = None
        self._connection.tidy()
        return outcome

    def _load(self, changes: Changeset, outcome: Outcome) -> Sequence[str]:
        """Into the staging schema; returns the statements that merge it."""
        load.run(
            self._connection.pipeline,
            changes,
            json.dumps(outcome.scope),
            outcome.watermark,
            first=False,
            file_format="insert_values",
        )
        # Or the views, and with them the checks, are planned as if the tables were empty.
        analyses = [f"analyze {SCHEMA}.{table}" for table in ("results", "runs", *tables.DETAILS)]
        return [*self._connection.merges, *load.PRUNING, *analyses]

    def _make_tables(self) -> None:
        """What the views select from and the database lacks; nothing is locked that is there."""
        session = self._connection.session
        present = session.columns()
        for table, columns in tables.ADDED_TABLES.items():
            if table not in present:
                create = f"create table {SCHEMA}.{table} ({column_list(columns)})"
                session.run(dialects.translate(self._destination, create))
        for table, column, kind in tables.ADDED_COLUMNS:
            if column not in present.get(table, [column]):
                session.run(f"alter table {SCHEMA}.{table} add column {column} {kind}")

    def _require_nobody_wrote(self) -> None:
        """Some connection poolers share a session, and so its lock, with others. Raises WarehouseBusy."""
        session = self._connection.session
        session.run(f"lock table {SCHEMA}.sync_log in share row exclusive mode")
        if session.value(f"select coalesce(max(generation), 0) from {SCHEMA}.sync_log") != self._generation:
            raise WarehouseBusy(f"Another sync of {self.name} was quicker: nothing was changed, sync again.")

    def _store(self, noted: Noted) -> None:
        session = self._connection.session
        session.run(f"delete from {SCHEMA}.changes")
        columns = [list(column) for column in zip(*noted.changes, strict=True)]
        if columns:
            session.run(
                f"insert into {SCHEMA}.changes select line, agent_id, to_timestamp(0) + moment * interval '1 microsecond', note"
                " from unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) as noted (line, agent_id, moment, note)",
                *columns,
            )

    def _log(self, entry: dict[str, Any]) -> None:
        values = [(entry | {"generation": self._generation + 1}).get(name) for name in tables.LOG]
        marks = ", ".join(["%s"] * len(values))
        session = self._connection.session
        session.run(f"insert into {SCHEMA}.sync_log ({', '.join(tables.LOG)}) values ({marks})", *values)
        session.run(history.THINNED.format(days=history.LOG_WHOLE_FOR.days))


def _generation(con: "duckdb.DuckDBPyConnection") -> int:
    (newest,) = con.execute("select max(generation) from base.cekura.sync_log").fetchall()[0]
    return newest or 0
