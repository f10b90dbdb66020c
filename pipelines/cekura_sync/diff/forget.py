"""Personal data that the warehouse holds and this sync was not asked to keep, and the statements that remove it.

An older version stored it without being asked, or an earlier sync was asked and this one is not.
"""

from collections.abc import Iterator

import duckdb

from cekura_sync.api.personal import NEVER, PROFILE, SPOKEN, PersonalData
from cekura_sync.database import literal, quoted
from cekura_sync.diff.base import Lookup
from cekura_sync.diff.said import MORE_COLUMNS, Said, as_it_may_be_kept, columns
from cekura_sync.tables import SCHEMA, TABLES_WITH_MORE

# Rows of details that were read before `with_profiles` was noted may hold profiles.
_READ_WITH_PERSONAL_DATA = "(with_transcripts or coalesce(with_profiles, true))"
# What was said stays until the result is read again without transcripts.
_READ_WITH_TRANSCRIPTS = f"select result_id from {SCHEMA}.details_read where with_transcripts"
# The tables of the list, and which of their columns says to which result a row belongs.
_LISTED = {"results": "id", "runs": "result_id"}
_MORE_COLUMNS = MORE_COLUMNS.format(schema=f"base.{SCHEMA}")
# The first version kept all of a provider's payload; the digests of its documents begin so.
_FIRST_VERSION = "not coalesce(with_transcripts, false) and _digest like '1:%'"
# Beside a metric, an outcome or a reason it kept whatever else stood there.
_MAY_BE_PERSONAL = " or ".join(f"lower(more) like '%{word}%'" for word in (*SPOKEN, PROFILE, NEVER))


def statements(con: duckdb.DuckDBPyConnection, personal_data: PersonalData, lookup: Lookup) -> Iterator[str]:
    """Statements for the warehouse whose base is attached to `con`; none where there is nothing to remove."""
    for table, column, condition in _columns_to_empty(con, personal_data):
        if lookup.holds(table, column, condition):
            yield from _empty(table, quoted(column), condition)
    if lookup.holds("details_read", "_digest", _FIRST_VERSION):
        read_then = f"select result_id from {SCHEMA}.details_read where {_FIRST_VERSION}"
        yield f"update {SCHEMA}.run_details set metadata = null where result_id in ({read_then})"
        for table in TABLES_WITH_MORE:
            yield f"update {SCHEMA}.{table} set more = null where result_id in ({read_then}) and ({_MAY_BE_PERSONAL})"
        yield f"update {SCHEMA}.details_read set _digest = null where {_FIRST_VERSION}"
    if not personal_data.transcripts:
        yield from _what_was_said(con)
    if not personal_data.keeps(PROFILE) and lookup.holds("details_read", "with_profiles", "with_profiles"):
        # A later sync that wants them has to read the records again.
        yield f"update {SCHEMA}.details_read set with_profiles = false, _digest = null where with_profiles"
    yield from _of_deleted(con, lookup)
    if personal_data.since is not None:
        yield from _too_old(con, lookup, personal_data.since.isoformat())
    yield from _rejected(con, personal_data)


def left_of(con: duckdb.DuckDBPyConnection, personal_data: PersonalData, table: str) -> str:
    """A query for the rows of `results` or `runs` in the base, as these statements leave them.

    Rows that are written once more, because something else about them is new, must not bring back what was removed.
    """
    said = [(key, one) for key, one in _said(con) if one.table == table]
    since = personal_data.since
    too_old = "false" if since is None else f"created_at < timestamp with time zone '{since.isoformat()}'"
    gone = f"select id from base.{SCHEMA}.results where deleted_at is not null or {too_old} union select id from gone where not aged"
    kept = [
        f"case when {one.result} not in ({gone}) then {one.column} end as {one.column}"
        if personal_data.keeps(key)
        else f"null as {one.column}"
        for key, one in said
    ]
    replaced = f" replace ({', '.join(kept)})" if kept else ""
    return f"select *{replaced} from base.{SCHEMA}.{table}"


def _said(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, Said]]:
    for row in con.execute(_MORE_COLUMNS).fetchall():
        for one in columns([row]):
            yield row[1], one


def _columns_to_empty(
    con: duckdb.DuckDBPyConnection, personal_data: PersonalData
) -> Iterator[tuple[str, str, str]]:
    """Columns for fields that are not kept: table, column, and a predicate over its rows."""
    for table, key, name in con.execute(_MORE_COLUMNS).fetchall():
        if personal_data.keeps(key):
            continue
        asked_for = table == "run_details" and NEVER not in key.lower() and PROFILE not in key.lower()
        spared = f" and result_id not in ({_READ_WITH_TRANSCRIPTS})" if asked_for else ""
        yield table, name, f"{quoted(name)} is not null{spared}"


def _empty(table: str, column: str, condition: str) -> Iterator[str]:
    """What the list said of a result loses its digest with the result: the same row is new to a later sync that may keep it again."""
    if table in _LISTED:
        emptied = f"select {_LISTED[table]} from {SCHEMA}.{table} where {condition}"
        yield f"update {SCHEMA}.results set _digest = null where id in ({emptied})"
    yield f"update {SCHEMA}.{table} set {column} = null where {condition}"


def _what_was_said(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Of results that were read with transcripts once, and now without."""
    known = "select result_id from known_details_read where with_transcripts"
    query = f"select result_id from replaced where result_id in ({known}) order by all"
    if ids := ", ".join(str(id_) for (id_,) in con.execute(query).fetchall()):
        for table in ("transcript_turns", "run_details"):
            yield f"delete from {SCHEMA}.{table} where result_id in ({ids})"


def _of_deleted(con: duckdb.DuckDBPyConnection, lookup: Lookup) -> Iterator[str]:
    """Of results that were deleted at the vendor, now or before."""
    now = [id_ for (id_,) in con.execute("select id from gone where not aged order by all").fetchall()]
    listed = ", ".join(map(str, now)) or "null"
    deleted = f"select id from {SCHEMA}.results where deleted_at is not null or id in ({listed})"
    if lookup.is_complete or now:  # else those of earlier syncs are empty already, and asking takes its time
        yield from _all_of(con, lookup, deleted)


def _too_old(con: duckdb.DuckDBPyConnection, lookup: Lookup, since: str) -> Iterator[str]:
    """Of results that were created before `since`."""
    old = f"select id from {SCHEMA}.results where created_at < timestamp with time zone '{since}'"
    yield from _all_of(con, lookup, old)


def _all_of(con: duckdb.DuckDBPyConnection, lookup: Lookup, ids: str) -> Iterator[str]:
    """All that may be personal of these results, in the list and in the details. `ids`: a query."""
    of_them = f"result_id in ({ids})"
    if lookup.holds("transcript_turns", "result_id", of_them):
        yield f"delete from {SCHEMA}.transcript_turns where {of_them}"
    fields = [*columns(con.execute(_MORE_COLUMNS).fetchall())]
    for said in fields:
        condition = f"{said.condition} and {said.result} in ({ids})"
        if said.table in _LISTED and lookup.holds(said.table, said.name, condition):
            yield from _empty(said.table, said.column, condition)
    read_so = f"{_READ_WITH_PERSONAL_DATA} and {of_them}"
    # An older version has no such column. A file gets it after these statements, and its next sync asks again.
    is_noted = lookup.holds("details_read", "with_profiles", "true")
    asked = read_so if is_noted else "false" if lookup.is_complete else of_them
    if lookup.holds("details_read", "result_id", asked):
        with_it = f"result_id in (select result_id from {SCHEMA}.details_read where {read_so})"
        spoken = f"result_id in ({_READ_WITH_TRANSCRIPTS}) and {of_them}"
        yield f"update {SCHEMA}.run_details set metadata = null where {spoken}"
        for said in fields:
            if said.table == "run_details":
                yield f"update {SCHEMA}.run_details set {said.column} = null where {said.condition} and {with_it}"
        for table in TABLES_WITH_MORE:
            yield f"update {SCHEMA}.{table} set more = null where {with_it} and ({_MAY_BE_PERSONAL})"
        yield f"update {SCHEMA}.details_read set with_transcripts = false, with_profiles = false, _digest = null where {read_so}"


def _rejected(con: duckdb.DuckDBPyConnection, personal_data: PersonalData) -> Iterator[str]:
    query = f"""
        select _digest, raw, coalesce(
            seen_at < $1 or id in (select id from base.{SCHEMA}.results where created_at < $1), false)
        from base.{SCHEMA}.rejected_rows where raw is not null order by all
    """
    for digest, raw, too_old in con.execute(query, [personal_data.since]).fetchall():
        kept = as_it_may_be_kept(raw, PersonalData() if too_old else personal_data)
        if kept != raw:
            yield f"update {SCHEMA}.rejected_rows set raw = {literal(kept)} where _digest = {literal(digest)}"
