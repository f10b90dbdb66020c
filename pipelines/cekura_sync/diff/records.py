"""Raw result texts → one typed record each, and its runs and scenarios. What cannot be stored gets a `flaw`.

Fields whose type the sources disagree on are read as text and cast, so that `10`, `"10"` and `10.0` are one number.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import md5

import duckdb

from cekura_sync import clock
from cekura_sync.api.forms import FLAW, LISTS
from cekura_sync.api.personal import PROFILE, PersonalData
from cekura_sync.database import quoted
from cekura_sync.diff import naming
from cekura_sync.diff.spelling import Speller
from cekura_sync.tables import RESULTS, RUNS

RUN_FIELDS = {
    "id": "bigint",
    "status": "varchar",
    "success": "boolean",
    "scenario": "bigint",
    "scenario_name": "varchar",
    "duration": "varchar",
    "error_message": "varchar",
}
SCENARIO_FIELDS = {"id": "bigint", "name": "varchar"}
PARSER_VERSION = 2  # stands before each digest; another number has every row read and compared anew
MAX_COUNT = 2**31  # beyond it, sums would leave 64 bits

# A duration in seconds, or as `[hours:]minutes:seconds`.
SECONDS = """
    case when contains(run.duration, ':')
        then coalesce(try_cast(nullif(split_part(run.duration, ':', -3), '') as double), 0) * 3600
            + try_cast(split_part(run.duration, ':', -2) as double) * 60
            + try_cast(split_part(run.duration, ':', -1) as double)
        else try_cast(run.duration as double) end as duration_seconds
"""
# Less than nothing, or more than thirty years, would make every sum wrong.
BELIEVABLE_SECONDS = (
    "case when duration_seconds between 0 and 1e9 then duration_seconds end as duration_seconds"
)

_TYPE_WORDS = {
    "bigint": "a 64-bit integer",
    "double": "a finite number",
    "boolean": "true or false",
    "timestamptz": "a time",
}


_READ = """
    create or replace temp table texts as
    select _row, id as _listed, _digest, _first_id, from_json(text, $structure) as text
    from received join (
        select unnest($rows::bigint[]) as _row, unnest($texts::varchar[]) as text, unnest($first_ids::bigint[]) as _first_id
    ) using (_row)
"""

# Columns that are made of a field which comes in several forms; no row is refused because of them.
_IS_OBJECT = "{0} like '{{%' and json_valid({0})"
_DERIVED = {
    "agent_version": f"""
        case when {_IS_OBJECT.format("text.agent_version")}
            then coalesce(nullif(text.agent_version ->> 'version_name', ''), text.agent_version ->> 'version_id',
                text.agent_version ->> 'history_id')
            else text.agent_version end
    """,
    "agent_version_id": f"""
        case when {_IS_OBJECT.format("text.agent_version")}
            then coalesce(text.agent_version ->> 'history_id', text.agent_version ->> 'version_id')
            else text.agent_version_id end
    """,
    "project_id": f"""
        case when {_IS_OBJECT.format("text.project")} then coalesce(text.project_id, text.project ->> 'id')
            else coalesce(text.project_id, case when try_cast(text.project as bigint) is not null then text.project end) end
    """,
}
RARE = (*_DERIVED, "error_message")  # fields that not every account's list has
_READ_FOR_THEM = ("project",)  # beside the fields of their own names


@dataclass
class Keys:
    """The keys that list rows carry: the API's name → our column's name."""

    personal_data: PersonalData = field(default_factory=PersonalData)
    row: dict[str, str] = field(default_factory=lambda: {name: name for name in RESULTS})
    run: dict[str, str] = field(default_factory=lambda: {name: name for name in RUN_FIELDS})
    left_out: set[str] = field(default_factory=set)  # more than a table has columns for

    def reading_of(self, created: int | None) -> str:
        """Stands before the digest of a row of that time: a text from which other fields were taken has to be read again."""
        return (
            self._reading
            if self.personal_data.of_time(created) is self.personal_data
            else str(PARSER_VERSION)
        )

    @cached_property
    def _reading(self) -> str:
        kept = "t" if self.personal_data.transcripts else "p" if self.personal_data.keeps(PROFILE) else ""
        return f"{PARSER_VERSION}{kept}"

    @property
    def new_row_columns(self) -> dict[str, str]:
        return {key: column for key, column in self.row.items() if key not in RESULTS}

    @property
    def new_run_columns(self) -> dict[str, str]:
        return {key: column for key, column in self.run.items() if key not in RUN_FIELDS}

    @classmethod
    def known(cls, con: duckdb.DuckDBPyConnection, personal_data: PersonalData) -> "Keys":
        """What earlier syncs learned: a key keeps its column, whichever rows a sync happens to see."""
        keys = cls(personal_data)
        for mine, table, typed in ((keys.row, "results", RESULTS), (keys.run, "runs", RUNS)):
            for key, column in naming.known(con, table).items():
                # A column to which a later version gave a meaning must not take another key.
                if personal_data.keeps(key) and (key == column or column not in typed):
                    mine[key] = column
        return keys

    def learn(self, row_keys: Iterable[str], run_keys: Iterable[str]) -> None:
        """Those that we do not know yet become VARCHAR columns."""
        keeps = self.personal_data.keeps
        self.left_out |= naming.learn(self.row, RESULTS, row_keys, (*LISTS, FLAW), keeps, _READ_FOR_THEM)
        self.left_out |= naming.learn(self.run, RUN_FIELDS, run_keys, keeps=keeps)


def digest(reading: str, raw: str) -> str:
    """Tells one text from another. `reading`: how it is read, as `Keys` has it."""
    return f"{reading}:{md5(raw.encode(), usedforsecurity=False).hexdigest()}"


def receive(con: duckdb.DuckDBPyConnection, ids: Sequence[int | None], digests: Sequence[str]) -> None:
    """Fill the table `received`: of each text its place `_row` among them, its digest, and its id where the envelope gave one."""
    con.execute(
        "create or replace temp table received as"
        " select unnest($1::bigint[]) as _row, unnest($2::bigint[]) as id, unnest($3::varchar[]) as _digest",
        [[*range(len(ids))], list(ids), list(digests)],
    )


def forget(con: duckdb.DuckDBPyConnection) -> None:
    """The tables of `receive` and `parse`: the next ones would be made beside them."""
    for table in ("received", "texts", "parsed"):
        con.execute(f"drop table if exists {table}")


def parse(
    con: duckdb.DuckDBPyConnection, keys: Keys, raws: Sequence[str], may_keep: Sequence[PersonalData]
) -> None:
    """Fill the table `parsed` from `received`: a typed row per text, with `runs`, `scenarios`, `flaw` and its `_row` there.

    `raws`: the texts by `_row`. `may_keep`: what may be kept of each.
    """
    rows = [row for (row,) in con.execute("select _row from received").fetchall()]
    spellers = {personal_data: Speller(personal_data.keeps) for personal_data in dict.fromkeys(may_keep)}
    spellings = [spellers[may_keep[row]].spell(raws[row]) for row in rows]
    for speller in spellers.values():
        keys.learn(speller.of_rows.names, speller.of_runs.names)
    # In two steps: one statement for both takes twice the time.
    texts, first_ids = zip(*spellings, strict=True) if spellings else ((), ())
    con.execute(_READ, {"rows": rows, "texts": texts, "first_ids": first_ids, "structure": _structure(keys)})
    con.execute(_parse_sql(keys))


def _structure(keys: Keys) -> str:
    """What to read from each text, in the form of DuckDB's `from_json`."""
    runs = RUN_FIELDS | dict.fromkeys(keys.new_run_columns, "varchar")
    rows = ", ".join(
        f'{json_text(key)}: "VARCHAR"' for key in dict.fromkeys((*keys.row, *_READ_FOR_THEM, FLAW))
    )
    run = ", ".join(f'{json_text(key)}: "{kind}"' for key, kind in runs.items())
    scenario = ", ".join(f'"{key}": "{kind}"' for key, kind in SCENARIO_FIELDS.items())
    return f'{{{rows}, "runs": [{{{run}}}], "scenarios": [{{{scenario}}}]}}'


def _parse_sql(keys: Keys) -> str:
    typed = ",\n".join(
        f"{_DERIVED.get(name) or cast(_given(name), kind)} as {name}" for name, kind in RESULTS.items()
    )
    extra = "".join(
        f",\n text.{quoted(key)} as {quoted(column)}" for key, column in keys.new_row_columns.items()
    )
    return f"""
        create or replace temp table parsed as
        with typed as not materialized (
            select _row, _listed, _first_id, _digest, {typed}{extra}, text.runs as runs, text.scenarios as scenarios, text
            from texts
        )
        select * exclude (text, _first_id), runs is not null as _runs_known, {_flaw()} as flaw from typed
    """


def _given(name: str) -> str:
    """SQL for the text of a field; where a number, a flag or a time belongs, an empty text is NULL."""
    return f"text.{name}" if RESULTS[name] == "varchar" else f"nullif(trim(text.{name}), '')"


def cast(text: str, kind: str) -> str:
    """SQL that gives a text its type, or NULL where it is of another."""
    if kind == "varchar":
        return text
    if kind == "bigint":
        # A cast alone would round 10.5 to a whole number.
        return f"case when try_cast({text} as double) = try_cast({text} as bigint) then try_cast({text} as bigint) end"
    if kind == "double":
        return f"case when isfinite(try_cast({text} as double)) then try_cast({text} as double) end"
    return f"try_cast({text} as {kind})"


def believable(time: str) -> str:
    """SQL: whether a time lies in clock.YEARS."""
    first, end = (f"timestamptz '{year}-01-01 00:00:00+00'" for year in (clock.YEARS.start, clock.YEARS.stop))
    return f"({time} >= {first} and {time} < {end})"


def _flaw() -> str:
    """Why a row cannot be stored: the first reason that holds, else NULL."""
    reasons = [f"when text.{FLAW} is not null then text.{FLAW}"]
    reasons += [
        f"when {_given(name)} is not null and {name} is null then '{name} is not {_TYPE_WORDS[kind]}: ' || left(text.{name}, 80)"
        for name, kind in RESULTS.items()
        if kind in _TYPE_WORDS
    ]
    reasons += [f"when {name} is null then '{name} is missing'" for name in ("id", "created_at")]
    reasons += [
        f"when not {believable(name)} then '{name} is outside {clock.YEARS[0]} to {clock.YEARS[-1]}: ' || left(text.{name}, 80)"
        for name, kind in RESULTS.items()
        if kind == "timestamptz"
    ]
    reasons += [
        f"when abs({name}) > {MAX_COUNT} then '{name} is not a believable count: ' || left(text.{name}, 80)"
        for name in RESULTS
        if name.endswith("_count")
    ]
    reasons.append(
        "when id is distinct from _listed or id is distinct from _first_id then 'its id can be read in two ways'"
    )
    return f"case {' '.join(reasons)} end"


def runs_of(records: str, keys: Keys) -> str:
    """The rows of `runs` in `records` (what follows `from`), each column under its name."""
    more = "".join(f", run.{quoted(key)} as {quoted(name)}" for key, name in keys.new_run_columns.items())
    return (
        f"select * replace ({BELIEVABLE_SECONDS}) from ("
        "select run.id, result_id, run.status, run.success, run.scenario, run.scenario_name,"
        f" {SECONDS}, run.error_message {more}"
        f" from (select parsed.id as result_id, unnest(runs) as run from {records}))"
    )


def scenarios_of(records: str) -> str:
    return (
        "select distinct result_id, scenario.id as scenario_id, scenario.name as scenario_name"
        f" from (select parsed.id as result_id, unnest(scenarios) as scenario from {records})"
    )


def json_text(key: str) -> str:
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
