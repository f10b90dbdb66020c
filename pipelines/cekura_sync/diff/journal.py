"""The journal of a full reading: a file that holds what has been read so far, so that memory does not grow with the account
and the next sync can go on where this one was interrupted.

The tables of a comparison stand in that file instead of in memory. Each batch is one transaction: the rows, what they were
found to be, and the part of the chain that they form. So whenever the process ends, the file holds a reading up to some
window, exactly as it was. The chain proves what a later reading adds to it (see `api.paging`); the sync that does so counts
from the start of the first one, as if it had only waited.
"""

import hmac
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from cekura_sync import __version__
from cekura_sync.api.paging import Chain, Saved
from cekura_sync.api.places import Place
from cekura_sync.database import literal
from cekura_sync.settings import Settings

FORMAT = 1
KEPT = timedelta(days=1)
ROWS_AT_A_TIME = 10_000
_TABLES = """
    create table journal.begun (format bigint, started varchar, salt varchar, conditions varchar);
    create table journal.places (key bigint, position bigint, created bigint);
    create table journal.states (state varchar);
"""


@dataclass(frozen=True)
class Reading:
    """What an earlier sync has read."""

    started: datetime | None = None
    chain: Chain | None = None
    comparison: Mapping[str, Any] | None = None  # as Comparison.state() gave it


class Journal:
    """Of one sync. Without a connection it keeps nothing; at `path` another sync may have left one."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection | None = None,
        path: Path | None = None,
        reading: Reading = Reading(),
    ) -> None:
        self._con = con
        self._path = path
        self.reading = reading

    @property
    def outlives(self) -> bool:
        """Whether another sync can go on with what this one reads."""
        return self._con is not None

    def note(
        self,
        take: Callable[[], None],
        chain: tuple[list[Place], Saved] | None,
        state: Callable[[], Mapping[str, Any]],
    ) -> None:
        """Let `take` compare a batch, and note how far the chain and the comparison have come; all of it or nothing.

        `chain`: what it has come to; None where nobody could continue it.
        """
        with self._transaction():
            take()
            if self._con is None or chain is None:
                return
            places, saved = chain
            self._con.execute(
                "insert into journal.places select unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[])",
                [[place[column] for place in places] for column in range(len(Place._fields))],
            )
            text = json.dumps({"chain": saved, "comparison": state()})
            self._con.execute("insert into journal.states values ($1)", [text])

    def start_again(self, restart: Callable[[], None]) -> None:
        """Forget what was read; `restart` does so for the comparison."""
        with self._transaction():
            restart()
            if self._con is not None:
                self._con.execute("delete from journal.places; delete from journal.states")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._con is None:
            yield
            return
        self._con.begin()
        try:
            yield
        except BaseException:
            self._con.rollback()
            raise
        self._con.commit()

    def remove(self) -> None:
        """It has served its purpose, or cannot be trusted."""
        if self._con is not None:
            _close(self._con)
            self._con = None
        if self._path is not None:
            remove(self._path)


def open_journal(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    settings: Settings,
    known: str,
    now: datetime,
    warn: Callable[[str], None],
) -> Journal:
    """Go on with the journal at `path` if it is of a sync like this one, else begin one there.

    `known`: tells one state of the warehouse from another, because the comparison was made with that one.
    """
    conditions = _conditions(settings, known)
    if path.exists():
        journal = _Earlier(con, path, now)
        if (reason := journal.why_not(conditions, settings.api_key)) is None:
            con.execute("use journal")
            return Journal(con, path, journal.reading)
        _close(con)
        if reason:
            warn(f"An interrupted reading cannot be continued ({reason}): everything is read anew.")
    remove(path)  # and what is left of a log that belongs to it
    salt = secrets.token_hex(16)
    con.execute(f"attach {literal(str(path))} as journal")
    con.execute(_TABLES)
    con.execute(
        "insert into journal.begun values ($1, $2, $3, $4)",
        [FORMAT, now.isoformat(), salt, json.dumps(_hidden(conditions, settings.api_key, salt))],
    )
    con.execute("use journal")
    return Journal(con, path)


def remove(path: Path) -> bool:
    """Whether there was one."""
    found = path.exists()
    for file in (path, path.with_name(f"{path.name}.wal")):
        file.unlink(missing_ok=True)
    return found


class _Earlier:
    """A journal as an earlier sync left it."""

    def __init__(self, con: duckdb.DuckDBPyConnection, path: Path, now: datetime) -> None:
        self._con = con
        self._path = path
        self._now = now
        self.reading = Reading()

    def why_not(self, conditions: Mapping[str, str], key: str) -> str | None:
        """Why this sync cannot go on with it, empty where there is nothing to go on with; None if it can."""
        try:
            self._con.execute(f"attach {literal(str(self._path))} as journal")
            if (reason := self._unfit(conditions, key)) is None:
                self._read()
        except (duckdb.Error, ValueError, KeyError, TypeError):
            return "its file is damaged"
        return reason

    def _unfit(self, conditions: Mapping[str, str], key: str) -> str | None:
        ((format_, started, salt, theirs),) = self._con.execute("from journal.begun").fetchall()
        if format_ != FORMAT:
            return "another version wrote it"
        if not self._con.execute("from journal.places limit 1").fetchall():
            return ""  # nothing was read
        self.reading = Reading(datetime.fromisoformat(started))
        if not timedelta(0) <= self._now - datetime.fromisoformat(started) < KEPT:
            return "it is too old"
        hidden, theirs = _hidden(conditions, key, salt), json.loads(theirs)
        return next((f"other {name}" for name in hidden if hidden[name] != theirs.get(name)), None)

    def _read(self) -> None:
        self._require_sound_blocks()
        newest = "select state from journal.states order by rowid desc limit 1"
        state = json.loads(self._con.execute(newest).fetchall()[0][0])
        chain = Chain(self._places(), Saved(*state["chain"]))
        self.reading = replace(self.reading, chain=chain, comparison=state["comparison"])

    def _places(self) -> Iterator[Place]:
        """So many at a time that memory does not depend on how many there are."""
        places = self._con.execute("from journal.places order by rowid")
        while rows := places.fetchmany(ROWS_AT_A_TIME):
            yield from (Place(*row) for row in rows)

    def _require_sound_blocks(self) -> None:
        """Read each block once, because a damaged one would be found only when it is too late to read everything anew."""
        tables = self._con.execute(
            "select table_name from duckdb_tables() where database_name = 'journal'"
        ).fetchall()
        for (table,) in tables:
            self._con.execute(f"select bit_xor(hash(one)) from journal.{table} as one").fetchall()


def _conditions(settings: Settings, known: str) -> dict[str, str]:
    """Under which a reading can be continued: what asks for the rows, what is kept of them, and what they were compared with."""
    kept = (settings.transcripts, settings.profiles, settings.keep_transcripts)
    return {
        "key": settings.api_key,
        "version of cekura-sync": f"{__version__} {duckdb.__version__}",
        "API": f"{settings.api_url} {settings.api_version}",
        "filters": json.dumps(settings.filters.params()),
        "rules for personal data": repr(kept),
        "state of the warehouse": known,
    }


def _hidden(conditions: Mapping[str, str], key: str, salt: str) -> dict[str, str]:
    """Each condition as a keyed hash: it can be compared, and tells nothing."""
    return {
        name: hmac.new(key.encode(), f"{salt} {name} {value}".encode(), "sha256").hexdigest()
        for name, value in conditions.items()
    }


def _close(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("use memory")
    # What the last checkpoint has to say of a file that is removed next would only hide why.
    with suppress(duckdb.Error):
        con.execute("detach database if exists journal")
