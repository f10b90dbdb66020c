"""Results that the list shows without their runs (`runs` is null), although they have changed and runs of them are stored.

The stored runs are those of an earlier state, so such a result is read by its own address as well. What that brings counts as
what the list said: it is stored under the digest of the listed text, and the same text is recognised when it comes again.
A result whose address brought nothing is stored without a digest, so the next sync that lists it asks again.
"""

from collections.abc import Sequence

import duckdb

from cekura_sync.diff.differing import Known
from cekura_sync.diff.records import Keys

MOST = 1000  # in one sync; a server that begins to leave out all runs may change all results at once

_NOTE = """
    insert into silent
    select id, _digest from parsed
    where not _runs_known and id in (select result_id from base.cekura.runs)
        and (id in (select id from base.cekura.results where _digest is null) or id in ({differing}))
"""
_SETTLE = """
    update changed set _digest = answered._digest from answered
    where changed.id = answered.id and changed._digest is not null;
    update read_alike set _digest = answered._digest from answered
    where read_alike.id = answered.id and read_alike._digest is not null;
    delete from silent where id in (select id from answered);
    update changed set _digest = null where id in (select id from silent);
    delete from read_alike where id in (select id from silent);
"""


class Silent:
    """Of one comparison, on its connection."""

    def __init__(self, con: duckdb.DuckDBPyConnection, keys: Keys, known: Known) -> None:
        self._con = con
        self._keys = keys
        self._known = known
        for table in ("silent", "answered"):
            con.execute(f"create table if not exists {table} (id bigint, _digest varchar)")

    def clear(self) -> None:
        self._con.execute("delete from silent; delete from answered")

    def keep_only_listed(self) -> None:
        """Of what the journal holds."""
        self._con.execute(
            "delete from answered; delete from silent where id not in (select key from journal.places)"
        )

    def note(self) -> None:
        """Those among the rows in `parsed`."""
        if self._con.execute("select 1 from parsed where not _runs_known limit 1").fetchall():
            self._con.execute(_NOTE.format(differing=self._known.differing_in_a_field(self._keys)))

    def ids(self) -> list[int]:
        """Those to ask for: the newest."""
        rows = self._con.execute(f"select distinct id from silent order by id desc limit {MOST}").fetchall()
        return [id_ for (id_,) in rows]

    def forget_listed(self, ids: Sequence[int]) -> int:
        """Take back what was listed of those that have answered; returns how many of them were counted as unchanged."""
        self._con.execute(
            "insert into answered select * from silent where id in (select unnest($1::bigint[]))",
            [list(ids)],
        )
        for table, column in (("changed", "id"), ("changed_scenarios", "result_id")):
            self._con.execute(f"delete from {table} where {column} in (select id from answered)")
        unchanged = self._con.execute(
            "delete from read_alike where id in (select id from answered) returning id"
        )
        return len(unchanged.fetchall())

    def settle(self) -> None:
        """Once all answers have been taken."""
        self._con.execute(_SETTLE)
