"""Raw result texts → one typed record each. DuckDB does the parsing; what cannot be taken gets a `flaw`.

Fields whose type the sources disagree on are read as text and cast, so that `10`, `"10"` and `10.0` are one number.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import duckdb

from cekura_sync.api.personal import PROFILE, PersonalData
from cekura_sync.database import quoted
from cekura_sync.tables import RESULTS, RUNS

RUN_FIELDS = {
    "id": "bigint",
    "status": "varchar",
    "success": "boolean",
    "scenario": "varchar",  # an id, a name or an object of both
    "scenario_name": "varchar",
    "duration": "varchar",
    "error_message": "varchar",
}
SCENARIO_FIELDS = {"id": "bigint", "name": "varchar"}
LISTS = ("runs", "scenarios")
OWN_COLUMNS = (
    "deleted_at",
    "aged_out_at",
    "first_seen_at",
    "synced_at",
    "result_id",
    "duration_seconds",
    # Those below are in no table; they would meet our names while rows are compared.
    "text",
    "flaw",
    "change",
    "scenarios_known",
    *LISTS,
    # PostgreSQL keeps these for itself.
    "cmax",
    "cmin",
    "ctid",
    "tableoid",
    "xmax",
    "xmin",
)
PARSER_VERSION = 2  # stands before each digest; another number has every row read and compared anew
MAX_FIELDS = 500  # columns a hostile answer could make us add
MAX_COUNT = 2**31  # beyond it, sums would leave 64 bits

_TYPE_WORDS = {
    "bigint": "a 64-bit integer",
    "double": "a finite number",
    "boolean": "true or false",
    "timestamptz": "a time",
}


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

    @property
    def reading(self) -> str:
        """Stands before each digest: a text from which other fields were taken has to be read again."""
        return f"{PARSER_VERSION}{'p' if self.personal_data.keeps(PROFILE) else ''}"

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
        query = "select table_name, api_name, column_name from base.cekura._fields where table_name in ('results', 'runs') order by all"
        for table, key, column in con.execute(query).fetchall():
            mine, typed = (keys.row, RESULTS) if table == "results" else (keys.run, RUNS)
            # A column that a later version of ours has a meaning for is no longer free for another key.
            if personal_data.keeps(key) and (key == column or column not in typed):
                mine[key] = column
        return keys

    def learn(self, con: duckdb.DuckDBPyConnection) -> None:
        """Find keys that we do not know yet in the table `raw_rows`; they become VARCHAR columns."""
        keeps = self.personal_data.keeps
        learn(self.row, RESULTS, con, "select distinct unnest(json_keys(raw)) from raw_rows", LISTS, keeps)
        learn(
            self.run,
            RUN_FIELDS,
            con,
            "select distinct unnest(json_keys(raw, '$.runs[*]').flatten()) from raw_rows",
            keeps=keeps,
        )


def learn(
    known: dict[str, str],
    typed: Iterable[str],
    con: duckdb.DuckDBPyConnection,
    query: str,
    ours: Iterable[str] = (),
    keeps: Callable[[str], bool] = lambda _: True,
) -> None:
    """A key that differs from a known one only by case has no place in a SQL table; nor has one without letters."""
    names = {name.lower() for name in (*known, *ours)}
    for (key,) in sorted(con.execute(query).fetchall()):
        if len(known) >= MAX_FIELDS:
            return
        if key.lower() not in names and key.isprintable() and key.strip() and keeps(key):
            known[key] = _free_column(key, {*known.values(), *typed})
            names.add(key.lower())


def _free_column(key: str, taken: set[str]) -> str:
    """The key in dlt's snake_case, moved aside where it would meet another column."""
    name = column_name(key)
    if name in OWN_COLUMNS or name.startswith("_"):
        name = f"api_{name.lstrip('_')}"
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def column_name(key: str) -> str:
    """As dlt's snake_case naming convention would have it."""
    words = re.sub(r"[^A-Za-z0-9_]", "_", key.strip())
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", words))
    name = re.sub(r"_+", "_", words.lower()).strip("_")[:60]
    return f"_{name}" if not name or name[0].isdigit() else name


def receive(
    con: duckdb.DuckDBPyConnection,
    ids: Sequence[int | None],
    raws: Sequence[str],
    reading: str = str(PARSER_VERSION),
) -> None:
    """Fill the table `raw_rows`: each raw text with its digest, and its id where the envelope gave one."""
    con.execute(
        f"create or replace temp table raw_rows as select id, raw, '{reading}:' || md5(raw) as _digest"
        " from (select unnest($1::bigint[]) as id, unnest($2::varchar[]) as raw)",
        [list(ids), list(raws)],
    )


def parse(con: duckdb.DuckDBPyConnection, keys: Keys) -> None:
    """Fill the table `parsed` from `raw_rows`: a typed row per raw text, with `runs`, `scenarios`, `flaw` and its `_row` there."""
    keys.learn(con)
    con.execute(_parse_sql(keys), {"structure": _structure(keys)})


def _structure(keys: Keys) -> str:
    """What to read from each text, in the form of DuckDB's `from_json`."""
    runs = RUN_FIELDS | dict.fromkeys(keys.new_run_columns, "varchar")
    rows = ", ".join(f'{json_text(key)}: "VARCHAR"' for key in dict.fromkeys((*keys.row, *_READ_FOR_THEM)))
    run = ", ".join(f'{json_text(key)}: "{kind}"' for key, kind in runs.items())
    scenario = ", ".join(f'"{key}": "{kind}"' for key, kind in SCENARIO_FIELDS.items())
    return f'{{{rows}, "runs": [{{{run}}}], "scenarios": [{{{scenario}}}]}}'


def _parse_sql(keys: Keys) -> str:
    typed = ",\n".join(
        f"{_DERIVED.get(name) or cast(f'text.{name}', kind)} as {name}" for name, kind in RESULTS.items()
    )
    extra = "".join(
        f",\n text.{quoted(key)} as {quoted(column)}" for key, column in keys.new_row_columns.items()
    )
    return f"""
        create or replace temp table parsed as
        with texts as materialized (
            select rowid as _row, id as _listed, _digest, from_json(raw, $structure) as text from raw_rows
        ),
        typed as not materialized (
            select _row, _listed, _digest, {typed}{extra}, text.runs as runs, text.scenarios as scenarios, text
            from texts
        )
        select * exclude (text), runs is not null as _runs_known, {_flaw()} as flaw from typed
    """


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


def _flaw() -> str:
    """Why a row cannot be taken: the first reason that holds, else NULL."""
    reasons = [
        f"when text.{name} is not null and {name} is null then '{name} is not {_TYPE_WORDS[kind]}: ' || left(text.{name}, 80)"
        for name, kind in RESULTS.items()
        if kind in _TYPE_WORDS
    ]
    reasons += [f"when {name} is null then '{name} is missing'" for name in ("id", "created_at")]
    reasons += [
        f"when {name} < timestamptz '2000-01-01 00:00:00+00' or {name} > current_timestamp + interval 10 year then '{name} is outside 2000 to ten years from now: ' || left(text.{name}, 80)"
        for name, kind in RESULTS.items()
        if kind == "timestamptz"
    ]
    reasons += [
        f"when abs({name}) > {MAX_COUNT} then '{name} is not a believable count: ' || left(text.{name}, 80)"
        for name in RESULTS
        if name.endswith("_count")
    ]
    reasons.append("when id is distinct from _listed then 'its id can be read in two ways'")
    # No column of the API begins with an underscore, so none can stand for the parameter.
    reasons.append(
        "when len(list_filter(runs, lambda _run: _run.id is null)) > 0 then 'a run has no usable id'"
    )
    return f"case {' '.join(reasons)} end"


def json_text(key: str) -> str:
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
