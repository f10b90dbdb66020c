"""What the API says against what the warehouse knows, row by row. It all stays in DuckDB."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import duckdb

from cekura_sync import clock, database
from cekura_sync.api.decode_rows import Row
from cekura_sync.api.json_values import bigint
from cekura_sync.api.personal import PersonalData
from cekura_sync.database import quoted
from cekura_sync.diff import contested, records
from cekura_sync.diff.absent import Absent
from cekura_sync.diff.base import ERASED, Lookup, name_erased
from cekura_sync.diff.changeset import Changeset
from cekura_sync.diff.differing import Known
from cekura_sync.diff.records import runs_of, scenarios_of
from cekura_sync.diff.rejected import Rejected
from cekura_sync.diff.shown import Shown
from cekura_sync.diff.silent import Silent
from cekura_sync.outcome import Counts
from cekura_sync.tables import UNFINISHED

# A row that reads as it did when it was written last has not changed, and is not parsed again.
_SAME = """
    create or replace temp table same as
    select known.id, known.agent, known.updated_at, null as flaw
    from received join base.cekura.results as known on known.id = received.id and known._digest = received._digest
    where known.deleted_at is null and known.aged_out_at is null
"""
_FLAWED = "select coalesce(_listed, id), flaw, _row from parsed where flaw is not null"
# A result that had ended and runs again, because it is evaluated anew, has been in flight since this sync began at the earliest.
_JUDGE = f"""
    create or replace temp table verdicts as
    select parsed.id,
        case when parsed.is_open and coalesce(known.is_open, true) then coalesce(known.since, parsed.created_at)
            when parsed.is_open then $started end as _in_flight_since,
        coalesce(known.first_seen_at, $started) as first_seen_at,
        $started::timestamptz as synced_at,
        case when known.id is null then 'inserted'
            when known.deleted_at is not null or known.aged_out_at is not null then 'restored'
            when parsed.id in (select id from differing) then 'updated'
            else 'unchanged' end as change
    from (select id, created_at, {UNFINISHED} as is_open from parsed) as parsed
    left join (
        select id, first_seen_at, deleted_at, aged_out_at, {{since}} as since, {UNFINISHED} as is_open
        from base.cekura.results
    ) as known on known.id = parsed.id
"""
# Another text with the same content. Its digest is written along with the next change, and then it is recognised.
_READ_ALIKE = """
    insert into read_alike
    select parsed.id, parsed._digest
    from parsed join verdicts on verdicts.id = parsed.id
    where change = 'unchanged' and parsed._digest is not null
"""
_FRESH = "parsed join verdicts on verdicts.id = parsed.id where change <> 'unchanged'"


class Comparison:
    """One sync's view of both sides, on a connection from `open_base`."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        *,
        started: datetime,
        is_filtered: bool,
        agent_id: int | None,
        covers: str,
        belongs: str = "false",
        project_id: int | None = None,
        personal_data: PersonalData = PersonalData(),  # noqa: B008 - it cannot be changed
        lookup: Lookup | None = None,
        earlier: Mapping[str, Any] | None = None,
    ) -> None:
        """`covers`: a SQL predicate over the known rows that this sync's scope can be judged for.

        `belongs`: one over known rows that are surely of this scope. There may be others.
        `lookup`: where the base does not hold everything.
        `earlier`: the `state` of another comparison, whose tables are in the journal.
        """
        self._con = con
        self._lookup = lookup or Lookup(con)
        name_erased(con)
        silenced = con.execute("select id from erased where transcripts_only").fetchall()
        self._silenced = {id_ for (id_,) in silenced}
        self._agent_id = agent_id
        self._project_id = None if project_id is None else str(project_id)
        self.personal_data = personal_data
        self.started = started
        self.changeset = Changeset(con, started, personal_data, self._lookup)
        self.keys = self.changeset.keys
        self._known_content = Known(con)
        tells = belongs if self._known_content.has("results", "project_id") else "false"
        # A predicate over the known rows whose details this sync reads.
        self.of_scope = f"({covers} or {tells})"
        self.rejected = Rejected(con, started=started, personal_data=personal_data, silenced=self._silenced)
        self.absent = Absent(con, self._lookup, is_filtered=is_filtered, covers=covers, agent_id=agent_id)
        self.shown = Shown(con, self.keys, self._known_content, self._lookup)
        self.silent = Silent(con, self.keys, self._known_content)
        if earlier is None:
            self.restart()
        else:
            self._go_on_from(earlier)

    def restart(self) -> None:
        """Forget every row taken so far."""
        self.changeset.clear()
        self.silent.clear()
        self.watermark: datetime | None = None  # the newest updated_at that the sync's start had reached
        self.newest: datetime | None = None  # updated_at, also after that
        self.other_agents = 0
        self._unchanged = 0
        self.rejected.count = 0
        self._columns: tuple[list[str], list[str]] = ([], [])

    def state(self) -> dict[str, Any]:
        """All that is not in its tables, as JSON has it."""
        return {
            "times": [moment and moment.isoformat() for moment in (self.watermark, self.newest)],
            "other_agents": self.other_agents,
            "unchanged": self._unchanged,
            "rejected": self.rejected.count,
            "keys": [self.keys.row, self.keys.run, sorted(self.keys.left_out)],
        }

    def _go_on_from(self, state: Mapping[str, Any]) -> None:
        self.changeset.keep_only_listed()
        self.silent.keep_only_listed()
        self.watermark, self.newest = (time and datetime.fromisoformat(time) for time in state["times"])
        self.other_agents, self._unchanged = state["other_agents"], state["unchanged"]
        self.rejected.count = state["rejected"]
        self.keys.row, self.keys.run = state["keys"][:2]
        self.keys.left_out = {*state["keys"][2]}
        self._columns = ([*self.keys.new_row_columns.values()], [*self.keys.new_run_columns.values()])

    # -- the rows that come in ------------------------------------------------------------------------------------

    def take(self, rows: Sequence[Row]) -> None:
        """Compare rows with what is known; each id at most once since the last restart."""
        with database.unlimited(self._con):
            self._take(rows)
            records.forget(self._con)

    def take_by_id(self, rows: Sequence[Row]) -> None:
        """Rows of results that the listing did not show, or not with their runs."""
        ids = [id_ for row in rows if (id_ := bigint(row.key)) is not None]
        self._con.execute(
            "insert into read_by_id select unnest($1::bigint[]) except select id from listed", [ids]
        )
        self._unchanged -= self.silent.forget_listed(ids)
        self.take(rows)

    def settle(self) -> None:
        """Compare what was set aside. Call it when all that is listed was taken, and all that is gone is known."""
        with database.unlimited(self._con):
            for rows in contested.batches(self._con):
                self._take(rows, in_the_end=True)
            records.forget(self._con)
        self.silent.settle()

    def _take(self, rows: Sequence[Row], *, in_the_end: bool = False) -> None:
        if flawed := [(row.key, row.flaw, row.raw) for row in rows if row.flaw is not None]:
            self._reject(flawed)
        sound = [row for row in rows if row.flaw is None]
        digests = [records.digest(self.keys.reading_of(row.created), row.raw) for row in sound]
        records.receive(self._con, [bigint(row.key) for row in sound], digests)
        self._leave_out_erased()
        self._lookup.fetch_listed("select id from received where id is not null")
        self._recognise()
        if self._value("select count(*) from received"):
            self._read(sound, in_the_end=in_the_end)

    def _leave_out_erased(self) -> None:
        """Results that were erased on purpose count as listed, and are not stored again."""
        self._con.execute(f"insert into listed select id from received where {ERASED}")
        self._con.execute(f"delete from received where {ERASED}")

    def _recognise(self) -> None:
        """Be done with the rows that read as they did when they were written last."""
        if self._project_id is not None and self._known_content.has("results", "project_id"):
            # Of which project a row is, the row may not say: then it is of the one in whose list it stands.
            self._con.execute(f"{_SAME} and known.project_id is not distinct from $1", [self._project_id])
        else:
            self._con.execute(_SAME)
        self._con.execute("delete from received where id in (select id from same)")
        self._note("same")
        self._unchanged += self._value("select count(*) from same")

    def _read(self, rows: Sequence[Row], *, in_the_end: bool) -> None:
        """Parse the others, and keep those whose content is new."""
        records.parse(self._con, self.keys, [row.raw for row in rows], [self._may_keep(row) for row in rows])
        self._lookup.fetch_children("select id from parsed", "select unnest(runs).id from parsed")
        self._note("parsed")
        if flawed := self._con.execute(_FLAWED).fetchall():
            self._reject([(key, flaw, rows[row].raw) for key, flaw, row in flawed])
            self._con.execute("delete from parsed where flaw is not null")
        if in_the_end:
            contested.leave(self._con)
        else:
            contested.set_aside(self._con, rows)
        self._add_project()
        self._judge()
        self._keep()

    def _may_keep(self, row: Row) -> PersonalData:
        """Nothing that was said of a result of which that was erased, or that is too old for it."""
        if self._silenced and bigint(row.key) in self._silenced:
            return PersonalData()
        return self.personal_data.of_time(row.created)

    def _add_project(self) -> None:
        """Where the row does not say: the project whose list shows it, or else the one that is known."""
        if self._project_id is not None:
            self._con.execute(
                "update parsed set project_id = $1 where project_id is null and id not in (select id from read_by_id)",
                [self._project_id],
            )
        if self._known_content.has("results", "project_id"):
            self._con.execute(
                "update parsed set project_id = known.project_id from base.cekura.results as known"
                " where known.id = parsed.id and parsed.project_id is null and known.project_id is not null"
            )

    def _note(self, table: str) -> None:
        """What has been listed, and until when it had changed."""
        if self._agent_id is not None:
            self._drop_other_agents(table, self._agent_id)
        self._con.execute(f"insert into listed select id from {table} where flaw is null")
        reached, newest = self._con.execute(
            f"select max(updated_at) filter (updated_at <= $1), max(updated_at) from {table} where flaw is null",
            [self.started],
        ).fetchall()[0]
        self.watermark = clock.latest(self.watermark, reached)
        self.newest = clock.latest(self.newest, newest)

    def _drop_other_agents(self, table: str, agent_id: int) -> None:
        """The API's filter has been seen to be loose; a row of another agent is not of this scope."""
        dropped = self._con.execute(
            f"delete from {table} where agent is distinct from $1 and flaw is null"
            # One that the warehouse still has under this agent was given to another: that is news of this scope.
            " and id not in (select id from base.cekura.results where agent = $1) returning id",
            [agent_id],
        )
        self.other_agents += len(dropped.fetchall())

    def _reject(self, flaws: Sequence[tuple[object, str | None, str]]) -> None:
        ids = self.rejected.keep(flaws)
        self._con.execute(
            "insert into listed select id from (select unnest($1::bigint[]) as id) where id is not null",
            [ids],
        )

    def _judge(self) -> None:
        known = self._value("select count(*) from parsed where id in (select id from base.cekura.results)")
        differing = self._known_content.differing(self.keys) if known else "select id from parsed limit 0"
        self._con.execute(f"create or replace temp table differing as {differing}")
        # A base that an older version wrote has no such column.
        since = "_in_flight_since" if self._known_content.has("results", "_in_flight_since") else "null"
        self._con.execute(_JUDGE.format(since=since), {"started": self.started})
        if known:
            self.silent.note()
        self._unchanged += self._value("select count(*) from verdicts where change = 'unchanged'")
        self._con.execute(_READ_ALIKE)

    def _keep(self) -> None:
        con = self._con
        self._widen()
        con.execute(
            "insert into changed by name select parsed.* exclude (_row, _listed, flaw, runs, scenarios),"
            f" scenarios is not null as scenarios_known, verdicts.* exclude (id) from {_FRESH}"
        )
        con.execute(f"insert into changed_scenarios select * from ({scenarios_of(_FRESH)})")
        con.execute(f"insert into changed_runs by name {runs_of(_FRESH, self.keys)}")

    def _widen(self) -> None:
        """A column for each field that the API has added since we last looked."""
        wanted = ([*self.keys.new_row_columns.values()], [*self.keys.new_run_columns.values()])
        for table, columns, present in zip(("changed", "changed_runs"), wanted, self._columns, strict=True):
            for column in columns[len(present) :]:
                self._con.execute(f"alter table {table} add column if not exists {quoted(column)} varchar")
        self._columns = wanted

    def counts(self) -> Counts:
        return self.changeset.counts(unchanged=self._unchanged, rejected=self.rejected.count)

    def _value(self, query: str, *values: object) -> Any:
        return self._con.execute(query, list(values)).fetchall()[0][0]
