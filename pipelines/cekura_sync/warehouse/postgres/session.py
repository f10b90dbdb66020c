"""Statements on one connection of the driver's."""

import select
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import IO, Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions

from cekura_sync.console.signals import stop_signals
from cekura_sync.database import as_dicts, first_line
from cekura_sync.errors import WarehouseError
from cekura_sync.tables import SCHEMA

POLL_SECONDS = 0.5
LOCK_TIMEOUT = "5s"  # a session that waits for a lock blocks everybody who comes after it
_BACKSLASHES = "standard_conforming_strings"  # on: a backslash in a text is a backslash
# For every session, dlt's included. Not every server has all of them.
SETTINGS = {
    "TimeZone": "UTC",
    _BACKSLASHES: "on",
    "default_transaction_isolation": "read committed",
    "extra_float_digits": "1",  # every digit of a number
    "jit": "off",  # compiling the views takes longer than running them
    "lock_timeout": LOCK_TIMEOUT,
    # A first load may take long, and the lock is held while the API is read, however long that takes.
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # A machine that disappears must not hold it for hours.
    "client_connection_check_interval": "5s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


def open_connection(dsn: str) -> Any:
    """As all our sessions are: each statement is committed at once, and texts come as they are."""
    connection = _where_a_backslash_is_one(psycopg2.connect(dsn), dsn)
    connection.autocommit = True
    # A role or a database may set one that lacks most letters.
    connection.set_client_encoding("UTF8")
    with connection.cursor() as cursor:
        cursor.execute(
            "select set_config(name, wanted, false)"
            " from pg_settings join unnest(%s, %s) as wish (wish, wanted) on wish = name",
            ([*SETTINGS], [*SETTINGS.values()]),
        )
    return connection


def _where_a_backslash_is_one(connection: Any, dsn: str) -> Any:
    """How the driver writes texts is decided when it connects. Not asked for each time: some poolers refuse options."""
    if connection.get_parameter_status(_BACKSLASHES) == "on":
        return connection
    options = connection.info.dsn_parameters.get("options", "")
    connection.close()
    return psycopg2.connect(dsn, options=f"{options} -c {_BACKSLASHES}=on".strip())


def _wait(connection: Any) -> None:
    """Wait for the engine so that signals are heard: while the driver itself waits, none is.

    During a commit they are held. One that comes then asks the engine to give up the statement, and the engine's answer
    says whether anything was changed.
    """
    asked_to_give_up = False
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        reading, writing = state == psycopg2.extensions.POLL_READ, state == psycopg2.extensions.POLL_WRITE
        ready = select.select([connection] * reading, [connection] * writing, [], POLL_SECONDS)
        if not any(ready) and stop_signals.waiting and not asked_to_give_up:
            connection.cancel()
            asked_to_give_up = True


def hearing_signals() -> AbstractContextManager[None]:
    """While our sessions work. The driver waits in one way for the whole process, so ours must end with our work."""
    return _waiting(_wait)


def copying_in_bulk() -> AbstractContextManager[None]:
    """While other threads copy rows: only the driver's own way to wait allows that."""
    return _waiting(None)


@contextmanager
def _waiting(way: Callable[[Any], None] | None) -> Iterator[None]:
    before = psycopg2.extensions.get_wait_callback()
    psycopg2.extensions.set_wait_callback(way)
    try:
        yield
    finally:
        psycopg2.extensions.set_wait_callback(before)


class Session:
    """No statement is ever tried again: the lock and the transaction belong to this session."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def run(self, sql: str, *values: object) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values or None)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall())

    def named_rows(self, sql: str) -> list[dict[str, Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return as_dicts(cursor)

    def value(self, sql: str, *values: object) -> Any:
        return self.rows(sql, *values)[0][0]

    def copy(self, query: str, file: IO[bytes]) -> int:
        """Append the rows as CSV; returns the length of the longest in bytes."""
        longest = 0

        class Rows:
            def write(self, row: bytes) -> None:
                nonlocal longest
                longest = max(longest, len(row))
                file.write(row)

        with copying_in_bulk(), self._connection.cursor() as cursor:
            cursor.copy_expert(f"copy ({query}) to stdout (format csv)", Rows())
        return longest

    def columns(self) -> dict[str, list[str]]:
        """Of each of our tables, also of those that this user may not read."""
        found: dict[str, list[str]] = {}
        for table, column in self.rows(
            "select relname, attname from pg_attribute join pg_class on pg_class.oid = attrelid"
            " where relnamespace = to_regnamespace(%s) and relkind in ('r', 'p') and attnum > 0 and not attisdropped"
            " order by attnum",
            SCHEMA,
        ):
            found.setdefault(table, []).append(column)
        return found

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.run("begin")
        try:
            yield
        except BaseException:
            with suppress(psycopg2.Error):
                self.run("rollback")
            raise
        try:
            self.run("commit")
        except psycopg2.errors.QueryCanceled:
            if stop_signals.waiting:
                stop_signals.heed()  # the engine took everything back
            raise
        except psycopg2.OperationalError as error:
            raise WarehouseError(
                f"The connection was lost while the sync was committed ({first_line(error)}), so cekura.sync_log alone knows whether it was: sync again."
            ) from error

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """To read several tables as they are at one moment."""
        self.run("begin isolation level repeatable read read only")
        yield
        self.run("rollback")
