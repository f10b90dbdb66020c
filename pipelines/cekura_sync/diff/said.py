"""Columns that may hold what was said in a call, or who was on the line."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cekura_sync.api.personal import PersonalData
from cekura_sync.database import quoted

# Which columns stand for fields of the API that are in none of its documents.
MORE_COLUMNS = "select table_name, api_name, column_name from {schema}._fields order by table_name, api_name"


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
            yield Said(table, column, f"({quoted(column)} like '{{%' or {quoted(column)} like '[%')")
