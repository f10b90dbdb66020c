"""Personal data that the warehouse holds and this sync was not asked to keep, and the statements that remove it.

An older version stored it without being asked, or an earlier sync was asked and this one is not.
"""

from collections.abc import Iterator

import duckdb

from cekura_sync.api.personal import NEVER, PROFILE, SPOKEN, PersonalData
from cekura_sync.database import literal, quoted
from cekura_sync.diff.base import Lookup
from cekura_sync.tables import SCHEMA, TABLES_WITH_MORE

# What was said stays until the result is read again without transcripts.
_READ_WITH_TRANSCRIPTS = f"select result_id from {SCHEMA}.details_read where with_transcripts"
# The first version kept all of a provider's payload; the digests of its documents begin so.
_FIRST_VERSION = "not coalesce(with_transcripts, false) and _digest like '1:%'"
# Beside a metric, an outcome or a reason it kept whatever else stood there.
_MAY_BE_PERSONAL = " or ".join(f"lower(more) like '%{word}%'" for word in (*SPOKEN, PROFILE, NEVER))


def statements(con: duckdb.DuckDBPyConnection, personal_data: PersonalData, lookup: Lookup) -> Iterator[str]:
    """Statements for the warehouse whose base is attached to `con`; none where there is nothing to remove."""
    for table, column, condition in _columns_to_empty(con, personal_data):
        if lookup.holds(table, column, condition):
            yield f"update {SCHEMA}.{table} set {quoted(column)} = null where {condition}"
    if lookup.holds("details_read", "_digest", _FIRST_VERSION):
        read_then = f"select result_id from {SCHEMA}.details_read where {_FIRST_VERSION}"
        yield f"update {SCHEMA}.run_details set metadata = null where result_id in ({read_then})"
        for table in TABLES_WITH_MORE:
            yield f"update {SCHEMA}.{table} set more = null where result_id in ({read_then}) and ({_MAY_BE_PERSONAL})"
        yield f"update {SCHEMA}.details_read set _digest = null where {_FIRST_VERSION}"
    if not personal_data.transcripts:
        yield from _what_was_said(con)
    yield from _of_deleted(con, lookup)
    if personal_data.since is not None:
        yield from _too_old(con, lookup, personal_data.since.isoformat())
    yield from _rejected(con, personal_data)


def _columns_to_empty(
    con: duckdb.DuckDBPyConnection, personal_data: PersonalData
) -> Iterator[tuple[str, str, str]]:
    """Columns for fields that are not kept: table, column, and a predicate over its rows."""
    query = f"select table_name, api_name, column_name from base.{SCHEMA}._fields order by all"
    for table, key, name in con.execute(query).fetchall():
        if personal_data.keeps(key):
            continue
        asked_for = table == "run_details" and NEVER not in key.lower() and PROFILE not in key.lower()
        spared = f" and result_id not in ({_READ_WITH_TRANSCRIPTS})" if asked_for else ""
        yield table, name, f"{quoted(name)} is not null{spared}"


def _what_was_said(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Of results that were read with transcripts once, and now without."""
    known = "select result_id from known_details_read where with_transcripts"
    query = f"select result_id from replaced where result_id in ({known}) order by all"
    if ids := ", ".join(str(id_) for (id_,) in con.execute(query).fetchall()):
        for table in ("transcript_turns", "run_details"):
            yield f"delete from {SCHEMA}.{table} where result_id in ({ids})"


def _of_deleted(con: duckdb.DuckDBPyConnection, lookup: Lookup) -> Iterator[str]:
    """Transcripts and test profile data of results that were deleted at the vendor, now or before."""
    now = [id_ for (id_,) in con.execute("select id from gone where not aged order by all").fetchall()]
    listed = ", ".join(map(str, now)) or "null"
    deleted = f"select id from {SCHEMA}.results where deleted_at is not null or id in ({listed})"
    if lookup.holds("transcript_turns", "result_id", f"result_id in ({deleted})"):
        yield f"delete from {SCHEMA}.transcript_turns where result_id in ({deleted})"
    if not lookup.is_complete and not now:
        return  # asking for them takes its time, and those of earlier syncs are emptied already
    yield from _fields_of(con, lookup, deleted)


def _fields_of(con: duckdb.DuckDBPyConnection, lookup: Lookup, ids: str) -> Iterator[str]:
    """All fields of these results that may be personal, in the list and in the details. `ids`: a query."""
    fields = f"select table_name, api_name, column_name from base.{SCHEMA}._fields order by all"
    for table, key, name in con.execute(fields).fetchall():
        condition = f"{quoted(name)} is not null and {'id' if table == 'results' else 'result_id'} in ({ids})"
        if not PersonalData().keeps(key) and lookup.holds(table, name, condition):
            yield f"update {SCHEMA}.{table} set {quoted(name)} = null where {condition}"


def _too_old(con: duckdb.DuckDBPyConnection, lookup: Lookup, since: str) -> Iterator[str]:
    """Of results that were created before `since`; their details count as read without transcripts from then on."""
    old = f"select id from {SCHEMA}.results where created_at < timestamp with time zone '{since}'"
    of_old = f"result_id in ({old})"
    if lookup.holds("transcript_turns", "result_id", of_old):
        yield f"delete from {SCHEMA}.transcript_turns where {of_old}"
    with_them = f"with_transcripts and {of_old}"
    yield from _fields_of(con, lookup, old)
    if lookup.holds("details_read", "with_transcripts", with_them):
        read_so = f"select result_id from {SCHEMA}.details_read where with_transcripts and {of_old}"
        yield f"update {SCHEMA}.run_details set metadata = null where result_id in ({read_so})"
        # Without a digest the same record is new where a longer time has it read again.
        yield f"update {SCHEMA}.details_read set with_transcripts = false, _digest = null where {with_them}"


def _rejected(con: duckdb.DuckDBPyConnection, personal_data: PersonalData) -> Iterator[str]:
    query = f"""
        select _digest, raw, coalesce(
            seen_at < $1 or id in (select id from base.{SCHEMA}.results where created_at < $1), false)
        from base.{SCHEMA}.rejected_rows where raw is not null order by all
    """
    for digest, raw, too_old in con.execute(query, [personal_data.since]).fetchall():
        kept = (PersonalData() if too_old else personal_data).without_the_rest(raw)
        if kept != raw:
            yield f"update {SCHEMA}.rejected_rows set raw = {literal(kept)} where _digest = {literal(digest)}"
