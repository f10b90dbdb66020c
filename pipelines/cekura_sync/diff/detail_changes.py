"""Run details in DuckDB: of which results they are due, and what a sync is to write of them.

Documents come from `api.decode_details`. All rows of a result are replaced at once, so that none outlives a re-evaluation.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import duckdb

from cekura_sync.api.personal import PROFILE, PersonalData
from cekura_sync.database import column_list, quoted
from cekura_sync.diff import naming
from cekura_sync.diff.base import Lookup
from cekura_sync.diff.differing import Known
from cekura_sync.diff.records import BELIEVABLE_SECONDS, SECONDS, believable, cast, json_text
from cekura_sync.tables import DETAIL_LISTS, DETAILS, RUN_DETAILS, TERMINAL

# Stands before each digest; with another number, whatever is read again is written again.
PARSER_VERSION = 2
# What could not be had is asked for again after a day, then whenever the time of its failing has doubled.
TRY_AGAIN_AFTER_DAYS, TRY_AGAIN_AT_LEAST_DAYS = 1, 30
REASON = "details: "  # begins the reason of a rejected row that is a detail

_DUE = """
    create or replace temp table due as
    with live as (
        select id, created_at, status, synced_at from changed
        union all
        select id, created_at, status, synced_at from base.cekura.results
        where deleted_at is null and aged_out_at is null
            and id not in (select id from changed) and id not in (select id from gone)
            and ({of_scope} or id in (select id from listed))
    ),
    -- What was erased is never asked for again.
    wanted as (select * from live where id not in (select id from erased))
    select live.id, live.synced_at, coalesce(created_at < $since, false) as too_old,
        row_number() over (order by known.outcome is distinct from 'read' and known.result_id is not null,
            created_at desc, live.id desc) as place
    from wanted as live left join known_details_read as known on known.result_id = live.id
    left join (
        select id, min(seen_at) as since from base.cekura.rejected_rows where starts_with(reason, '{reason}') group by id
    ) as failing on failing.id = live.id
    where live.status in {terminal} and (
        known.result_id is null
        or known.result_synced_at is distinct from live.synced_at
        or (known.outcome = 'read' and not coalesce(created_at < $since, false)
            and ($transcripts and not known.with_transcripts or $profiles and not coalesce(known.with_profiles, false)))
        or (known.outcome <> 'read' and $started - known.read_at >= least(
            greatest(to_days({once}), coalesce(known.read_at - failing.since, to_days(0))), to_days({most})))
    )
"""
_TAKE = f"""
    create or replace temp table taken as
    with asked as (
        select id, raw, '{PARSER_VERSION}:' || md5(raw) as digest,
            case when flaw is not null then 'rejected' when raw is null then 'missing' else 'read' end as outcome
        from (select unnest($1::bigint[]) as id, unnest($2::varchar[]) as raw, unnest($3::varchar[]) as flaw)
    )
    select asked.id as result_id, due.synced_at as result_synced_at, $4::timestamptz as read_at, asked.outcome,
        case when asked.outcome = 'read' then $5 else coalesce(known.with_transcripts, false) end as with_transcripts,
        case when asked.outcome = 'read' then $6 else coalesce(known.with_profiles, false) end as with_profiles,
        case when asked.outcome = 'read' then asked.digest else known._digest end as _digest,
        asked.outcome = 'read' and asked.digest is distinct from known._digest as fresh,
        asked.raw
    from asked join due on due.id = asked.id left join known_details_read as known on known.result_id = asked.id
"""
_RUN_KEYS = "select distinct unnest(json_keys(raw, '$.runs[*]').flatten()) from taken where fresh"


class Asked(NamedTuple):
    """What the API answered for one result: `raw` is its document, None for a 404; with a `flaw` it cannot be used."""

    result_id: int
    raw: str | None
    flaw: str | None


class DetailChanges:
    """What to write of run details, on a connection with the base attached."""

    def __init__(self, con: duckdb.DuckDBPyConnection, lookup: Lookup) -> None:
        self._con = con
        self._lookup = lookup
        known = Known(con)
        for table, columns in DETAILS.items():
            if known.has(table, "result_id"):
                # An older version may have written it without some columns.
                lacking = (
                    f", null::{kind} as {name}"
                    for name, kind in columns.items()
                    if not known.has(table, name)
                )
                con.execute(
                    f"create or replace view known_{table} as select *{''.join(lacking)} from base.cekura.{table}"
                )
            else:
                con.execute(f"create or replace table known_{table} ({column_list(columns)})")
        typed = {
            name: name for name in RUN_DETAILS if name not in ("run_id", "result_id", "duration_seconds")
        }
        self._keys = typed | {"id": "run_id", "duration": "duration_seconds"}
        self._typed = [*self._keys]
        self._keys |= naming.known(con, "run_details")
        self.clear()

    def clear(self) -> None:
        """Forget what was to be written; what was learned of the API's fields stays."""
        for table, columns in DETAILS.items():
            self._con.execute(f"create or replace table new_{table} ({column_list(columns)})")
        self._con.execute("create or replace table replaced (result_id bigint)")
        self._columns: list[str] = []

    @property
    def new_columns(self) -> dict[str, str]:
        """The API's name → our column, for fields of runs that are in no document."""
        return {key: column for key, column in self._keys.items() if key not in self._typed}

    def find_due(self, of_scope: str, started: datetime, personal_data: PersonalData) -> list[int]:
        """Finished results of the scope whose details were never read, or not since they changed; newest first."""
        self._lookup.fetch_details(
            transcripts=personal_data.transcripts, profiles=personal_data.keeps(PROFILE)
        )
        self._con.execute(
            _DUE.format(
                of_scope=of_scope,
                terminal=TERMINAL,
                reason=REASON,
                once=TRY_AGAIN_AFTER_DAYS,
                most=TRY_AGAIN_AT_LEAST_DAYS,
            ),
            {
                "transcripts": personal_data.transcripts,
                "profiles": personal_data.keeps(PROFILE),
                "since": personal_data.since,
                "started": started,
            },
        )
        return [id_ for (id_,) in self._con.execute("select id from due order by place").fetchall()]

    def too_old(self) -> set[int]:
        """Those due whose personal data is older than it may be kept."""
        return {id_ for (id_,) in self._con.execute("select id from due where too_old").fetchall()}

    def take(self, asked: Sequence[Asked], started: datetime, personal_data: PersonalData) -> None:
        """Answers to results that `find_due` named, each once."""
        con = self._con
        con.execute(
            _TAKE,
            [
                [one.result_id for one in asked],
                [one.raw for one in asked],
                [one.flaw for one in asked],
                started,
                personal_data.transcripts,
                personal_data.keeps(PROFILE),
            ],
        )
        con.execute("insert into new_details_read by name select * exclude (fresh, raw) from taken")
        con.execute("insert into replaced select result_id from taken where fresh")
        self._parse()

    def _parse(self) -> None:
        con = self._con
        names = con.execute(_RUN_KEYS).fetchall()
        naming.learn(self._keys, [*RUN_DETAILS], [name for (name,) in names])
        columns = [*self.new_columns.values()]
        for column in columns[len(self._columns) :]:
            con.execute(f"alter table new_run_details add column {quoted(column)} varchar")
        self._columns = columns
        con.execute(
            "create or replace temp table documents as select result_id, from_json(raw, $structure) as document"
            " from taken where fresh",
            {"structure": _structure([*self._keys])},
        )
        con.execute(f"insert into new_run_details by name {self._runs()}")
        for name, (table, kinds) in DETAIL_LISTS.items():
            values = ", ".join(
                f"{cast(f'item.{column}', kind)} as {column}" for column, kind in kinds.items()
            )
            con.execute(
                f"insert into new_{table} by name select result_id, {values}"
                f" from (select result_id, unnest(document.{name}) as item from documents)"
            )

    def _runs(self) -> str:
        kinds = {name: kind for name, kind in RUN_DETAILS.items() if name in self._typed}
        typed = ", ".join(
            f"{_believable(cast(f'run.{quoted(n)}', k), k)} as {quoted(n)}" for n, k in kinds.items()
        )
        more = "".join(f", run.{quoted(key)} as {quoted(name)}" for key, name in self.new_columns.items())
        return f"""
            select * replace ({BELIEVABLE_SECONDS})
            from (
                select {cast("run.id", "bigint")} as run_id, result_id, {SECONDS}, {typed}{more}
                from (select result_id, unnest(document.runs) as run from documents)
            )
        """

    # -- what to write --------------------------------------------------------------------------------------------

    def has_changes(self) -> bool:
        return bool(self._con.execute("select 1 from new_details_read limit 1").fetchall())

    def counted(self, outcome: str) -> int:
        query = "select count(*) from new_details_read where outcome = $1"
        count: Any = self._con.execute(query, [outcome]).fetchall()[0][0]
        return int(count)

    def query(self, table: str) -> str:
        """For the rows to write. A result that has none left gets one that only says "remove"."""
        if table == "details_read":
            return "select *, false as _removed from new_details_read"
        return f"""
            select *, false as _removed from new_{table}
            union all by name
            select result_id, true as _removed from replaced
            where result_id not in (select result_id from new_{table})
                and result_id in (select result_id from known_{table})
        """


def _believable(value: str, kind: str) -> str:
    """NULL for a time that Python cannot represent: it would stop every later reader."""
    if kind != "timestamptz":
        return value
    return f"case when {believable(value)} then {value} end"


def _structure(run_keys: Iterable[str]) -> str:
    """What to read from each document, in the form of DuckDB's `from_json`: texts, given their types afterwards."""
    lists = {"runs": run_keys} | {name: columns for name, (_, columns) in DETAIL_LISTS.items()}
    parts = (
        f'"{name}": [{{{", ".join(f"""{json_text(key)}: "VARCHAR" """ for key in keys)}}}]'
        for name, keys in lists.items()
    )
    return f"{{{', '.join(parts)}}}"
