"""Known rows that the listing did not show."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import duckdb

from cekura_sync.api.decode_rows import Row
from cekura_sync.api.json_values import bigint
from cekura_sync.diff.base import Lookup
from cekura_sync.diff.changeset import BY_ID
from cekura_sync.tables import AGED_OUT, LIVE, UNFINISHED

AGED_OUT_AFTER = timedelta(days=90)
# $1: the time of the oldest listed result. One listed result with a wrong date must not be taken for the age that the API
# still keeps, so the id counts as well.
_MADE_BEFORE_ALL_LISTED = "(epoch_us(created_at) < $1 or id < (select min(id) from listed))"
# What has aged out by the list of everything stays so: one old result in the list proves nothing about the others.
_BY_A_FILTERED_LIST = "aged_out_at in (select started_at from base.cekura.sync_log where scope <> '{}')"


class InFlight(NamedTuple):
    id: int
    synced_at: datetime


class Absent:
    """Of one scope, on the connection of a comparison."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        lookup: Lookup,
        *,
        is_filtered: bool,
        covers: str,
        agent_id: int | None,
    ) -> None:
        """`covers`: a SQL predicate over the known rows that the scope can be judged for."""
        self._con = con
        self._lookup = lookup
        self._is_filtered = is_filtered
        self.covers = f"({covers})"
        self.is_judged = covers != "false"
        self._covered = f"{self.covers} and {LIVE}"
        self._all_live = LIVE if agent_id is None else f"{LIVE} and agent = {agent_id}"

    def in_flight(self) -> list[InFlight]:
        """Rows that are not finished.

        Of the scope, where it can be told which they are; else of all: reading one anew does nobody harm.
        """
        self._lookup.fetch_unfinished()
        covered = self._covered if self.is_judged else self._all_live
        unfinished = self._known("id, synced_at", UNFINISHED, covered)
        return [InFlight(*row) for row in unfinished]

    def failing_by_id(self) -> dict[int, datetime]:
        """The results whose own address has brought nothing so far, and since when."""
        query = (
            "select id, min(seen_at) from base.cekura.rejected_rows where starts_with(reason, $1) group by id"
        )
        return dict(self._con.execute(query, [BY_ID]).fetchall())

    def missing(self, above: int | None) -> list[int]:
        """Rows of the scope that the listing should have shown: all, or those created after `above`."""
        self._lookup.fetch_live(above)
        newer = "true" if above is None else f"epoch_us(created_at) > {above}"
        return [row[0] for row in self._known("id", newer, self._covered)]

    def aged_out_above(self, oldest_listed: int | None) -> list[int]:
        """Unlisted rows that have aged out by a shorter list, as that of one agent, but not by this one of everything."""
        if oldest_listed is None or self._is_filtered:
            return []
        self._lookup.fetch_aged_out(oldest_listed)
        found = self._con.execute(
            f"select id from base.cekura.results where {AGED_OUT} and {_BY_A_FILTERED_LIST}"
            f" and not {_MADE_BEFORE_ALL_LISTED} and id not in (select id from listed) order by id desc",
            [oldest_listed],
        )
        return [id_ for (id_,) in found.fetchall()]

    def _known(self, columns: str, predicate: str, covered: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._con.execute(
            f"select {columns} from base.cekura.results where {covered} and ({predicate})"
            " and id not in (select id from listed) and id not in (select id from gone) order by id desc"
        ).fetchall()
        return rows

    def known_and_listed(self) -> tuple[int, int]:
        """Of the scope's live rows: how many there are, how many were listed."""
        known, listed = self._con.execute(
            f"select count(*), count(*) filter (id in (select id from listed)) from base.cekura.results where {self._covered}"
        ).fetchall()[0]
        return known + self._lookup.count_others(self._covered)[0], listed

    def all_listed(self) -> int:
        """How many results a list of all should show: those stored, those new, and those that are not stored for a reason."""
        elsewhere = """
            select (select count(*) from changed where change <> 'updated')
                + (select count(*) from contested where id not in (select id from base.cekura.results))
                + (select count(*) from erased where not transcripts_only)
                + (select count(distinct coalesce(id::varchar, _digest)) from (
                    select id, _digest from rejected union all select id, _digest from base.cekura.rejected_rows
                ) where id is null or id not in (select id from base.cekura.results))
        """
        return self.known_and_listed()[0] + int(self._con.execute(elsewhere).fetchall()[0][0])

    def new_below(self, horizon: int | None) -> int:
        """How many listed rows were created before this moment and are new to a warehouse that knows others."""
        new = self._con.execute(
            "select count(*) from ("
            " select epoch_us(created_at) as created from changed where change <> 'updated'"
            " union all select created from contested where id not in (select id from base.cekura.results)"
            ") where created < $1 and exists (select 1 from base.cekura.sync_log)",
            [horizon],
        ).fetchall()
        return int(new[0][0])

    def unchanged_among(self, rows: Sequence[Row]) -> bool:
        """Whether one of these, read by id, has the times and the agent that it is known with."""
        unchanged = self._con.execute(
            "select 1 from (select id, case when json_valid(text) then text end as raw"
            " from (select unnest($1::bigint[]) as id, unnest($2::varchar[]) as text)) as read"
            " join base.cekura.results as known on known.id = read.id"
            " where try_cast(raw ->> 'updated_at' as timestamptz) is not distinct from known.updated_at"
            " and try_cast(raw ->> 'created_at' as timestamptz) = known.created_at"
            " and try_cast(raw ->> 'agent' as bigint) is not distinct from known.agent limit 1",
            [[bigint(row.key) for row in rows], [row.raw for row in rows]],
        )
        return bool(unchanged.fetchall())

    def old_enough_to_age_out(self, now: datetime) -> list[int]:
        """Unlisted rows that the API may no longer keep."""
        old = f"created_at < timestamptz '{(now - AGED_OUT_AFTER).isoformat()}'"
        return [row[0] for row in self._known("id", old, self._covered)]

    def age_out(self, oldest_listed: int | None, now: datetime) -> None:
        """Marks as aged out what was made before everything that the API lists, and more than 90 days ago."""
        if oldest_listed is not None:
            self._lookup.fetch_live(None)
            self._con.execute(
                f"insert into gone select id, true from base.cekura.results where {self._covered}"
                f" and {_MADE_BEFORE_ALL_LISTED} and created_at < $2 and id not in (select id from listed)",
                [oldest_listed, now - AGED_OUT_AFTER],
            )
