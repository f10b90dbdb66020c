"""The way into the engine: dlt's pipeline and one session beside it, the lock that it holds, and errors as ours."""

import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from dlt.common.exceptions import DltException

from cekura_sync.database import first_line, quoted
from cekura_sync.errors import CekuraSyncError, WarehouseBusy, WarehouseError
from cekura_sync.models import runner
from cekura_sync.tables import SCHEMA
from cekura_sync.warehouse.load import pipeline_into
from cekura_sync.warehouse.postgres.access import Access
from cekura_sync.warehouse.postgres.session import Session
from cekura_sync.warehouse.postgres.staging import LOCK_TIMEOUT, Postgres

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

APPLICATION = (
    f"cekura-sync {SCHEMA}"  # the lock's name, and in the engine's list of sessions that of who holds it
)
READ_SESSION = f"{APPLICATION}, looking"  # and of who does not
STAGING = f"{SCHEMA}_staging"  # each sync's own schema begins so
ENDED_WITHIN = 10.0  # seconds for the sessions of a dead sync


class Connection:
    """What a sync has of the engine for as long as it lasts."""

    def __init__(self, name: str, session: Session, pipeline: "Pipeline", merges: Sequence[str]) -> None:
        self.session = session
        self.pipeline = pipeline
        self.merges = merges  # filled while the pipeline loads
        self._name = name

    def lock(self) -> None:
        """For as long as the session lasts; then make an end of what a dead sync has left. Raises WarehouseBusy."""
        encoding = self.session.value("show server_encoding")
        if encoding != "UTF8":
            raise WarehouseError(
                f"{self._name} keeps texts as {encoding}, which has no place for most letters: sync into a database whose encoding is UTF8."
            )
        if not self.session.value("select pg_try_advisory_lock(hashtext(%s))", APPLICATION):
            raise WarehouseBusy(f"Another sync is running on {self._name}: wait for it.")
        os.environ["PGAPPNAME"] = APPLICATION  # for the sessions in which dlt will load
        self.session.rows("select set_config('application_name', %s, false)", APPLICATION)
        self._end_sessions_of_the_dead()
        self.drop_staging()

    def _end_sessions_of_the_dead(self) -> None:
        """The engine may still be loading what a killed sync had sent; under our lock nobody else is at work."""
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

    def drop_staging(self) -> None:
        """Ours, and those of syncs that came to no end."""
        schemas = self.session.rows(
            "select nspname from pg_namespace where nspname ~ %s", f"^{STAGING}_[0-9a-f]{{8}}$"
        )
        for (schema,) in schemas:
            self.session.run(f"drop schema {quoted(schema)} cascade")

    def clean_up(self, give_up_claim: Callable[[], None]) -> None:
        """After a failure; without the connection, the next sync does it."""
        with suppress(psycopg2.Error):
            self.session.run("rollback")
            self.drop_staging()
            give_up_claim()

    def tidy(self) -> None:
        """The sync is done: what cannot be removed now, the next one removes."""
        with suppress(psycopg2.Error):
            self.drop_staging()


@contextmanager
def connected(access: Access) -> Iterator[Connection]:
    """Raises WarehouseError for whatever the engine or dlt object to."""
    os.environ["PGAPPNAME"] = READ_SESSION
    with _errors(access), tempfile.TemporaryDirectory(prefix="cekura-sync-") as folder:
        engine = Postgres(f"{STAGING}_{secrets.token_hex(4)}", access.dsn)
        pipeline = pipeline_into(engine, Path(folder))
        with pipeline.sql_client() as client:
            session = Session(client.native_connection)
            with _blockers_named(session, access.name):
                yield Connection(access.name, session, pipeline, engine.merges)


@contextmanager
def _blockers_named(session: Session, name: str) -> Iterator[None]:
    """Where a wait for a lock was too long. Raises WarehouseError."""
    try:
        yield
    except (DltException, psycopg2.Error) as error:
        if not isinstance(_in_the_drivers_words(error), psycopg2.errors.LockNotAvailable):
            raise
        with suppress(psycopg2.Error):
            session.run("rollback")
        raise WarehouseError(
            f"{name} is locked by {_blockers(session)}, for longer than {LOCK_TIMEOUT}: end that transaction, or wait for it, and sync again. Nothing was changed."
        ) from error


def _blockers(session: Session) -> str:
    """The other sessions that hold something of ours, the oldest transaction first; what they wait for themselves does not count."""
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
        return "a session that has ended meanwhile"
    return ", ".join(
        f"process {pid} of user {user} ({', '.join(filter(None, (program, state)))})".replace(" ()", "")
        for pid, user, program, state, _ in found[:3]
    )


@contextmanager
def _errors(access: Access) -> Iterator[None]:
    """What dlt and the driver raise, as ours, without the password."""
    try:
        yield
    except CekuraSyncError:
        raise
    except (DltException, psycopg2.Error) as error:
        said = access.redacted(first_line(_in_the_drivers_words(error)))
        raise WarehouseError(
            f"{access.name} does not let us work: {said}. Nothing was changed; mend that and sync again."
        ) from error
    except Exception as error:
        if access.redacted(str(error)) != str(error):
            raise RuntimeError(access.redacted(str(error))) from None
        raise


def _in_the_drivers_words(error: BaseException) -> BaseException:
    """dlt wraps them several times over."""
    while not isinstance(error, psycopg2.Error) and (cause := error.__cause__ or error.__context__):
        error = cause
    return error
