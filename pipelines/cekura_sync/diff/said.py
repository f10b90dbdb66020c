"""Where the warehouse may hold what was said in a call, or who was on the line."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from cekura_sync.api.personal import WHITESPACE, PersonalData
from cekura_sync.api.times import microseconds
from cekura_sync.database import literal, quoted

# Which columns stand for fields of the API that are in none of its documents.
MORE_COLUMNS = "select table_name, api_name, column_name from {schema}._fields order by table_name, api_name"
# What may stand before an object or array: in a text of a text also quotes, and whitespace as \n, \r, \t or \ufeff.
_BEFORE = literal(f'{WHITESPACE}"\\nrtufe')


class Said(NamedTuple):
    table: str
    name: str
    condition: str  # a predicate over the rows where it may hold such a thing

    @property
    def column(self) -> str:
        return quoted(self.name)

    @property
    def result(self) -> str:
        """The column that says to which result a row belongs."""
        return "id" if self.table == "results" else "result_id"


def columns(more_columns: Iterable[tuple[str, str, str]]) -> Iterator[Said]:
    """Of fields that are in no document: those whose name says so, and in details whatever is nested."""
    for table, name, column in more_columns:
        if not PersonalData().keeps(name):
            yield Said(table, column, f"{quoted(column)} is not null")
        elif table == "run_details":
            # Only a sync with transcripts stores such a value.
            begins = f"left(ltrim({quoted(column)}, {_BEFORE}), 1)"
            yield Said(table, column, f"{begins} in ('{{', '[')")


def as_it_may_be_kept(raw: str, personal_data: PersonalData) -> str:
    """The text without what may not be kept of a result as old as the text says it is."""
    return personal_data.of_time(microseconds(own_field(raw, "created_at"))).allowed_text(raw)


def own_field(raw: str, name: str) -> object:
    """A field of the row itself, and not of anything in it. Of what is no JSON: the first of that name, or the id that it begins with."""
    row = _as_object(raw)
    if row is None:
        found = re.search(rf'"{name}"\s*:\s*(?:\{{\s*"id"\s*:\s*)?(?:"([^"]*)"|(-?\d+))', raw)
        return found and (found[1] or found[2])
    return row.get(name)


def own_id(raw: str, name: str) -> object:
    """The same where the field is an id, or an object that has one."""
    found = own_field(raw, name)
    return found.get("id") if isinstance(found, dict) else found


def with_own_fields_first(raw: str, names: Sequence[str]) -> str:
    """The same row, so that its text may be cut without losing these fields. What is no JSON stays as it is."""
    row = _as_object(raw)
    if not row:
        return raw
    try:
        return json.dumps({name: row[name] for name in names if name in row} | row, separators=(",", ":"))
    except RecursionError:
        return raw


def _as_object(raw: str) -> dict[str, Any] | None:
    """The row; an empty one where it is JSON, but no object; None where it is no JSON."""
    try:
        row = json.loads(raw, strict=False)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else {}
