"""The connection to the engine: dlt's pipeline, one session beside it that holds the lock, and errors as WarehouseError."""

import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2

from cekura_sync.database import first_line, quoted
from cekura_sync.errors import CekuraSyncError, WarehouseBusy, WarehouseError
from cekura_sync.models import runner
from cekura_sync.tables import SCHEMA
from cekura_sync.temporary import temporary_folder
from cekura_sync.warehouse import dlt_settings
from cekura_sync.warehouse.postgres.access import Access
from cekura_sync.warehouse.postgres.session import LOCK_TIMEOUT, Session, hearing_signals, open_connection

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

APPLICATION = f"cekura-sync {SCHEMA}"  # the name of the lock, and of the sessions of the sync that holds it
READ_SESSION = f"{APPLICATION}, reading"  # the name of every other session
STAGING = f"{SCHEMA}_staging"  # how the name of each sync's own schema begins
STAGING_MARK = "cekura-sync: work in progress"  # the comment on it
ENDED_WITHIN = 10.0  # seconds for the sessions of a dead sync


class Connection:
    """Pipeline and session of one sync."""

    def __init__(self, access: Access, session: Session, folder: Path) -> None:
        self.session = session
        self._access = access
        self._name = access.name
        self._folder = folder
        self.spill = folder / "spill"  # where a comparison overflows to
        self._staging = f"{STAGING}_{secrets.token_hex(4)}"
        self.merges: Sequence[str] = ()  # filled while the pipeline loads

    def open_pipeline(self) -> "Pipeline":
        """Imports dlt, which takes half a second that a sync without changes does not spend."""
        load = dlt_settings.import_load()
        from cekura_sync.warehouse.postgres.staging import Postgres

        engine = Postgres(self._staging, self._access.dsn)
        self.merges = engine.merges
        pipeline: Pipeline = load.pipeline_into(engine, self._folder)
        return pipeline

    def lock(self) -> None:
        """Take the lock for as long as the session lasts, then clean up what a killed sync left. Raises WarehouseBusy."""
        encoding = self.session.value("show server_encoding")
        if encoding != "UTF8":
            raise WarehouseError(
                f"{self._name} stores text as {encoding}, which lacks most letters: sync into a database whose encoding is UTF8."
            )
        if not self.session.value("select pg_try_advisory_lock(hashtext(%s))", APPLICATION):
            raise WarehouseBusy(f"Another sync is running on {self._name}: wait for it.")
        os.environ["PGAPPNAME"] = APPLICATION  # for the sessions in which dlt will load
        self.session.rows("select set_config('application_name', %s, false)", APPLICATION)
        self._end_sessions_of_the_dead()
        self.drop_staging()

    def _end_sessions_of_the_dead(self) -> None:
        """The engine may still be loading what a killed sync had sent. We hold the lock, so no other sync is running."""
        until = time.monotonic() + ENDED_WITHIN
        while self.session.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = %s and datname = current_database() and pid <> pg_backend_pid()",
            APPLICATION,
        ):
            if time.monotonic() > until:
                raise WarehouseBusy(
                    f"Sessions of an earlier sync on {self._name} do not end: end them, or wait."
                )
            time.sleep(0.05)

    def make_staging(self) -> None:
        """With a mark: another schema may have such a name by chance, and must not be dropped."""
        with self.session.transaction():
            self.session.run(f"create schema {quoted(self._staging)}")
            self.session.run(f"comment on schema {quoted(self._staging)} is %s", STAGING_MARK)

    def drop_staging(self) -> None:
        """Drop our own staging schema and those of killed syncs."""
        schemas = self.session.rows(
            "select nspname from pg_namespace where nspname ~ %s and obj_description(oid, 'pg_namespace') = %s",
            f"^{STAGING}_[0-9a-f]{{8}}$",
            STAGING_MARK,
        )
        for (schema,) in schemas:
            self.session.run(f"drop schema {quoted(schema)} cascade")

    def analyses(self) -> list[str]:
        """Statements without which the engine would plan the merges as if what was loaded were large."""
        loaded = self.session.rows(
            "select relname from pg_class where relnamespace = to_regnamespace(%s) and relkind = 'r'",
            self._staging,
        )
        return [f"analyze {quoted(self._staging)}.{quoted(table)}" for (table,) in loaded]

    def clean_up(self, give_up_claim: Callable[[], None]) -> None:
        """After a failure; without the connection, the next sync does it."""
        with suppress(psycopg2.Error):
            self.session.run("rollback")
            self.drop_staging()
            give_up_claim()

    def tidy(self) -> None:
        """The sync is done: what cannot be removed now is removed by the next one."""
        with suppress(psycopg2.Error):
            self.drop_staging()


@contextmanager
def connected(access: Access) -> Iterator[Connection]:
    """Raises WarehouseError for every error of the engine or dlt."""
    with (
        _errors(access),
        hearing_signals(),
        _sessions_named(READ_SESSION),
        temporary_folder() as folder,
        closing(open_connection(access.dsn)) as connection,
    ):
        session = Session(connection)
        with _blockers_named(session, access.name):
            yield Connection(access, session, folder)


@contextmanager
def _sessions_named(name: str) -> Iterator[None]:
    """Sessions that the process opens afterwards are not ours, and the next sync must not end them for those of a dead one."""
    before = os.environ.get("PGAPPNAME")
    os.environ["PGAPPNAME"] = name
    try:
        yield
    finally:
        os.environ.pop("PGAPPNAME")
        if before is not None:
            os.environ["PGAPPNAME"] = before


@contextmanager
def _blockers_named(session: Session, name: str) -> Iterator[None]:
    """Name the sessions that hold a lock for too long. Raises WarehouseError."""
    try:
        yield
    except Exception as error:
        if not isinstance(_in_the_drivers_words(error), psycopg2.errors.LockNotAvailable):
            raise
        with suppress(psycopg2.Error):
            session.run("rollback")
        raise WarehouseError(
            f"{name} is locked by {_blockers(session)}, for longer than {LOCK_TIMEOUT}: end that transaction, or wait for it, and sync again. Nothing was changed."
        ) from error


def _blockers(session: Session) -> str:
    """The sessions that hold a lock on our tables, the oldest transaction first; those that only wait for one are left out."""
    found = session.rows(
        "select distinct a.pid, a.usename::text, a.application_name, a.state, a.xact_start"
        " from pg_locks l join pg_class c on c.oid = l.relation join pg_stat_activity a on a.pid = l.pid"
        " where l.granted and l.pid <> pg_backend_pid() and a.datname = current_database()"
        " and c.relnamespace = any(array[to_regnamespace(%s), to_regnamespace(%s)]::oid[])"
        " and a.application_name <> %s order by a.xact_start",
        SCHEMA,
        runner.SCHEMA,
        APPLICATION,
    )
    if not found:
        return "a session that has since ended"
    return ", ".join(
        f"process {pid} of user {user} ({', '.join(filter(None, (program, state)))})".replace(" ()", "")
        for pid, user, program, state, _ in found[:3]
    )


@contextmanager
def _errors(access: Access) -> Iterator[None]:
    """Errors of dlt and the driver become WarehouseError, without the password."""
    try:
        yield
    except CekuraSyncError:
        raise
    except Exception as error:
        if isinstance(error, psycopg2.Error) or _is_dlts(error):
            said = access.redacted(first_line(_in_the_drivers_words(error)))
            raise WarehouseError(
                f"{access.name} refused: {said}. Nothing was changed; fix that and sync again."
            ) from error
        if access.redacted(str(error)) != str(error):
            raise RuntimeError(access.redacted(str(error))) from None
        raise


def _is_dlts(error: Exception) -> bool:
    """Where dlt has not been imported, it has raised nothing."""
    exceptions = sys.modules.get("dlt.common.exceptions")
    return exceptions is not None and isinstance(error, exceptions.DltException)


def _in_the_drivers_words(error: BaseException) -> BaseException:
    """dlt wraps the driver's errors several times."""
    while not isinstance(error, psycopg2.Error) and (cause := error.__cause__ or error.__context__):
        error = cause
    return error
