"""Erasing results, or only what was said in them, for good: the rows go, and their ids stay so that no sync brings them back."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from cekura_sync.api.forms import identity
from cekura_sync.api.times import microseconds
from cekura_sync.database import literal
from cekura_sync.diff.base import ERASED, name_erased
from cekura_sync.diff.said import MORE_COLUMNS, columns, own_field, own_id
from cekura_sync.tables import SCHEMA, TABLES

if TYPE_CHECKING:
    import duckdb


class Selection(NamedTuple):
    """Which results: by id, of an agent, created before a time, or those that are here although they were erased."""

    result_id: int | None = None
    agent_id: int | None = None
    before: datetime | None = None
    transcripts_only: bool = False
    came_back: bool = False

    def query(self, schema: str = SCHEMA) -> str:
        """For the ids. A result that the warehouse does not hold is kept away as well."""
        if self.came_back:
            return CAME_BACK.format(schema=schema)
        if self.result_id is not None:
            return f"select {int(self.result_id)} as id"
        if self.agent_id is not None:
            return f"select id from {schema}.results where agent = {int(self.agent_id)}"
        assert self.before is not None  # noqa: S101 - one of them is given
        return f"select id from {schema}.results where created_at < timestamp with time zone '{self.before.isoformat()}'"


# Version 0.1.0 does not know the list of what stays away.
CAME_BACK = """
    select id from {schema}.results where id in (select id from {schema}._erased where not transcripts_only)
"""
KEPT_AWAY = "id = {id} and not transcripts_only"
ALLOW = f"delete from {SCHEMA}._erased where {KEPT_AWAY}"
# Rejected rows of results that the warehouse does not hold: only their text says which ones they are.
REJECTED = """
    select id, _digest, raw, seen_at from {schema}.rejected_rows
    where id is null or id not in (select id from {schema}.results)
"""
HELD = """
    select count(*) from (
        select id from {schema}.results where id in ({ids}) union select id from {schema}.rejected_rows where id in ({ids})
    ) as held
"""
# Columns in which an evaluation quotes what was said, and those of fields in no document.
_QUOTES = {
    "run_metrics": ("explanation", "more"),
    "result_metrics": ("explanation", "more"),
    "expected_outcomes": ("explanation", "more"),
    "failed_reasons": ("reason", "title", "description", "more"),
}


def came_back(con: "duckdb.DuckDBPyConnection") -> bool:
    """Whether the base attached to `con` holds what was erased."""
    name_erased(con)
    return bool(con.execute(f"select 1 from base.{SCHEMA}.results where {ERASED} limit 1").fetchall())


def is_kept_away(con: "duckdb.DuckDBPyConnection", result_id: int) -> bool:
    """By the base attached to `con`."""
    name_erased(con)
    return bool(con.execute(f"select 1 from erased where {KEPT_AWAY.format(id=result_id)}").fetchall())


class Meant(NamedTuple):
    """What a selection means in a base: the ids to keep away, how many results are there, and the statements that remove them."""

    ids: set[int]
    results: int
    statements: list[str]


def from_base(con: "duckdb.DuckDBPyConnection", selection: Selection) -> Meant:
    """In the base attached to `con`."""
    known = {id_ for (id_,) in con.execute(selection.query(f"base.{SCHEMA}")).fetchall()}
    rejected = con.execute(REJECTED.format(schema=f"base.{SCHEMA}")).fetchall()
    ids, digests = unknown(rejected, selection)
    present = con.execute("select table_name from duckdb_tables() where database_name = 'base'").fetchall()
    more = con.execute(MORE_COLUMNS.format(schema=f"base.{SCHEMA}")).fetchall()
    names = [name for (name,) in present]
    ((count,),) = con.execute(held(known | ids, f"base.{SCHEMA}")).fetchall()
    return Meant(
        known | ids,
        count + len(digests),
        [*statements(known | ids, selection, names, more), *without_id(digests)],
    )


def held(ids: Collection[int], schema: str = SCHEMA) -> str:
    """The query for how many of these results are there: an id may be mistyped, or erased before."""
    return HELD.format(schema=schema, ids=_listed(ids))


def _listed(ids: Collection[int]) -> str:
    return ", ".join(str(id_) for id_ in sorted(ids)) or "null"


def statements(
    ids: Collection[int],
    selection: Selection,
    present: Collection[str],
    more_columns: Collection[tuple[str, str, str]],
) -> Iterator[str]:
    """`present`: the tables that there are; `more_columns`: the rows of MORE_COLUMNS."""
    listed = _listed(ids)
    if selection.transcripts_only:
        if "transcript_turns" in present:
            yield f"delete from {SCHEMA}.transcript_turns where result_id in ({listed})"
        if "run_details" in present:
            yield f"update {SCHEMA}.run_details set metadata = null where result_id in ({listed})"
        for said in columns(more_columns):
            if said.table in present:
                yield f"update {SCHEMA}.{said.table} set {said.column} = null where {said.result} in ({listed}) and {said.condition}"
        for name, quotes in _QUOTES.items():
            if name in present:
                emptied = ", ".join(f"{column} = null" for column in quotes)
                yield f"update {SCHEMA}.{name} set {emptied} where result_id in ({listed})"
        yield f"update {SCHEMA}.rejected_rows set raw = null where id in ({listed})"
    else:
        for name, table in TABLES.items():
            column = {"results": "id", "rejected_rows": "id"}.get(name, table.parent)
            if column is not None and name in present:
                yield f"delete from {SCHEMA}.{name} where {column} in ({listed})"
        if "_told" in present:
            yield f"delete from {SCHEMA}._told where kind = 'stuck' and subject in ({', '.join(literal(str(id_)) for id_ in ids) or 'null'})"
            if selection.agent_id is not None:
                yield f"delete from {SCHEMA}._told where kind <> 'stuck' and subject || ' ' like '{int(selection.agent_id)} %'"


def unknown(rows: Iterable[Sequence[Any]], selection: Selection) -> tuple[set[int], set[str]]:
    """Of the rows of REJECTED those that the selection means: ids, and the digests of those without an id."""
    chosen = [(id_, digest) for id_, digest, raw, seen_at in rows if _is_meant(raw or "", seen_at, selection)]
    return {id_ for id_, _ in chosen if id_ is not None}, {digest for id_, digest in chosen if id_ is None}


def _is_meant(raw: str, seen_at: datetime, selection: Selection) -> bool:
    if selection.agent_id is not None:
        return identity(own_id(raw, "agent")) == selection.agent_id
    if selection.before is None:
        return False  # one result, and so one that is known by its id
    moment = microseconds(own_field(raw, "created_at"))
    return (moment if moment is not None else seen_at.timestamp() * 1e6) < selection.before.timestamp() * 1e6


def without_id(digests: Collection[str]) -> Iterator[str]:
    """Statements that remove rejected rows whose id nobody knows."""
    for digest in sorted(digests):
        yield f"delete from {SCHEMA}.rejected_rows where _digest = {literal(digest)}"


def remember(ids: Collection[int], selection: Selection) -> Iterator[str]:
    """The list of what stays away. Two statements, however many ids: outside of a transaction each one waits for the disk."""
    if selection.came_back or not ids:
        return  # it is there, or there is nothing
    flag = str(selection.transcripts_only).lower()
    rows = ", ".join(f"({int(id_)}, now(), {flag})" for id_ in sorted(ids))
    yield f"delete from {SCHEMA}._erased where id in ({_listed(ids)}) and transcripts_only = {flag}"
    yield f"insert into {SCHEMA}._erased (id, erased_at, transcripts_only) values {rows}"
