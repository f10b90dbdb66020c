"""An engine as a warehouse. What the swap does for the file, one transaction does here."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cekura_sync import database, tables
from cekura_sync.diff import said
from cekura_sync.diff.changeset import Changeset
from cekura_sync.errors import WarehouseError
from cekura_sync.models import runner
from cekura_sync.outcome import Outcome, Progress
from cekura_sync.tables import SCHEMA
from cekura_sync.warehouse import dlt_settings, erase, identity, steps, sync_log, told
from cekura_sync.warehouse.erase import Selection
from cekura_sync.warehouse.postgres import access, mirror, ownership
from cekura_sync.warehouse.postgres.connection import APPLICATION, Connection, connected
from cekura_sync.warehouse.postgres.lookup import EngineLookup
from cekura_sync.warehouse.postgres.session import copying_in_bulk
from cekura_sync.warehouse.postgres.transaction import Transaction
from cekura_sync.warehouse.team_changes import TeamChanges

if TYPE_CHECKING:
    import duckdb


MOST_CHECKED_ALONE = 1000  # results; where more were written, everything is checked


class State(NamedTuple):
    """Of the engine, for `doctor`."""

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
        self._lookup: EngineLookup

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other sync away for as long as the session lasts. Raises WarehouseBusy."""
        with connected(self._access) as self._connection:
            self._connection.lock()
            self._require_ours()
            try:
                self._erase_what_came_back()
                yield
            except BaseException:
                self._connection.clean_up(self._give_up_claim)
                raise

    def _give_up_claim(self) -> None:
        if self._claim is not None:
            self._claim.give_up()

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
        """A base in memory that holds little at first."""
        self._lookup = EngineLookup(self._connection.session, self._connection.spill)
        self._generation = _generation(self._lookup.con)
        return self._lookup.con

    def lookup(self, known: "duckdb.DuckDBPyConnection") -> EngineLookup:  # noqa: ARG002 - it made it
        """`known`: what `known` returned."""
        return self._lookup

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
        """As `last.json` has it for a file; empty before the first."""
        with connected(self._access) as connection:
            session = connection.session
            present = session.columns().get("sync_log")
            if present is None:
                return {}
            columns = [name for name in tables.LOG if name in present]  # an older version wrote fewer
            rows = session.rows(f"select {', '.join(columns)} {sync_log.NEWEST}")
            scopes = session.rows(sync_log.SCOPES.format(schema=SCHEMA))
        return sync_log.as_record(dict(zip(columns, rows[0], strict=True)), scopes) if rows else {}

    def copy_into(self, path: Path) -> None:
        """Make a warehouse file of it, for whoever reads one. Raises WarehouseError before the first sync."""
        with connected(self._access) as connection:
            session = connection.session
            with session.snapshot():
                generation = 0
                if "sync_log" in session.columns():
                    generation = session.value(f"select coalesce(max(generation), 0) from {SCHEMA}.sync_log")
                if generation:
                    mirror.write(session, path)
        if not generation:
            raise WarehouseError(
                f"No sync of {self.name} has completed yet: run `cekura-sync sync --destination {self._destination}`."
            )
        with database.connect(path) as con:
            identity.write(con, generation)
            tables.complete(con)
            runner.build(con)

    def journal(self) -> None:
        """None: a machine that fills an engine need not have a disk."""

    def pending_log(self) -> list[dict[str, Any]]:
        """None: here every sync is in `sync_log`."""
        return []

    def expect_changes(self) -> None:
        dlt_settings.import_in_background()

    def write(
        self, changeset: Changeset, team_changes: TeamChanges | None, outcome: Outcome, progress: Progress
    ) -> Outcome:
        session = self._connection.session
        if not self._generation:
            self._claim = ownership.Claim(session)
        loads = outcome.changed or not self._generation
        changeset.fetch_to_write()
        merges = self._load(changeset, outcome) if loads else []
        transaction = self._transaction(merges, changeset.written_ids(MOST_CHECKED_ALONE))
        with changeset.set_aside(), session.transaction():
            self._require_ours()  # still
            transaction.complete()
            transaction.require_nobody_wrote()
            outcome = steps.write(transaction, team_changes, outcome)
            progress.swapping()
        self._claim = None
        self._connection.tidy()
        return outcome

    def _load(self, changeset: Changeset, outcome: Outcome) -> list[str]:
        """Into the staging schema, in dlt's own sessions; returns the statements that merge it."""
        load = dlt_settings.import_load()
        forget = changeset.to_forget()
        pipeline = self._connection.open_pipeline()
        self._connection.make_staging()
        with copying_in_bulk():
            load.run(
                pipeline,
                changeset,
                json.dumps(outcome.scope),
                outcome.watermark,
                first=False,
            )
        # A first sync has nothing to find in the tables.
        analyses = self._connection.analyses() if self._generation else []
        return [*forget, *analyses, *self._connection.merges, *load.PRUNING]

    def answer(self, query: runner.Model) -> list[dict[str, Any]]:
        from cekura_sync.models import dialects  # sqlglot, a fifth of a second

        return self._connection.session.named_rows(dialects.translated(query, self._destination))

    def have_heard(self, receivers: Collection[str]) -> bool:
        """Nobody, as far as we know: there is no place beside an engine to record it."""
        return not receivers

    def record_heard(self, receivers: Collection[str]) -> None: ...

    def remember_told(self, rows: Sequence[Mapping[str, Any]], progress: Progress) -> None:
        session = self._connection.session
        with session.transaction():
            for statement, values in told.replacing(rows, mark="%s"):
                session.run(statement, *values)
            progress.swapping()

    def erase(self, selection: Selection, swapping: Callable[[], None]) -> int:
        with self.locked():
            session = self._connection.session
            if "sync_log" not in session.columns():
                raise WarehouseError(f"There is nothing in {self.name} yet, and so nothing to erase.")
            return self._erase(selection, swapping)

    def _erase(self, selection: Selection, swapping: Callable[[], None]) -> int:
        session = self._connection.session
        with session.transaction():
            transaction = self._transaction(None)
            transaction.complete()
            known = {id_ for (id_,) in session.rows(selection.query())}
            unknown, without_id = erase.unknown(session.rows(erase.REJECTED.format(schema=SCHEMA)), selection)
            ids = known | unknown
            more = [
                (table, name, column)
                for table, name, column in session.rows(said.MORE_COLUMNS.format(schema=SCHEMA))
            ]
            count = session.value(erase.held(ids)) + len(without_id)
            for statement in (
                *erase.statements(ids, selection, session.columns(), more),
                *erase.without_id(without_id),
                *erase.remember(ids, selection),
            ):
                session.run(statement)
            swapping()
        return int(count)

    def allow(self, result_id: int, swapping: Callable[[], None]) -> bool:
        with self.locked():
            session = self._connection.session
            if "_erased" not in session.columns():
                return False
            with session.transaction():
                allowed = session.rows(f"{erase.ALLOW.format(id=result_id)} returning id")
                swapping()
        return bool(allowed)

    def _erase_what_came_back(self) -> None:
        session = self._connection.session
        if "_erased" in session.columns() and session.rows(erase.CAME_BACK.format(schema=SCHEMA)):
            self._erase(Selection(came_back=True), lambda: None)

    def rebuild(self, team_changes: TeamChanges | None, swapping: Callable[[], None]) -> list[str]:
        with self.locked():
            session = self._connection.session
            if "sync_log" not in session.columns():
                raise WarehouseError(
                    f"There is nothing in {self.name} yet: run `cekura-sync sync --destination {self._destination}`."
                )
            with session.transaction():
                names = steps.build(self._transaction(None), team_changes)
                swapping()
        return names

    def _transaction(
        self, merges: Sequence[str] | None, written: Collection[int] | None = None
    ) -> Transaction:
        return Transaction(
            self._connection.session, self._destination, self.name, self._generation, merges, written
        )


def _generation(con: "duckdb.DuckDBPyConnection") -> int:
    (newest,) = con.execute("select max(generation) from base.cekura.sync_log").fetchall()[0]
    return newest or 0
