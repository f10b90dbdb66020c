"""Erasing results, or only what was said in them, for good: the rows go, and their ids stay so that no sync brings them back."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import NamedTuple

from cekura_sync.api.personal import PersonalData
from cekura_sync.database import quoted
from cekura_sync.tables import SCHEMA, TABLES


class Selection(NamedTuple):
    """Which results: by id, of an agent, or created before a time."""

    result_id: int | None = None
    agent_id: int | None = None
    before: datetime | None = None
    transcripts_only: bool = False

    def query(self, schema: str = SCHEMA) -> str:
        """For the ids. A result that the warehouse does not hold is kept away as well."""
        if self.result_id is not None:
            return f"select {int(self.result_id)} as id"
        if self.agent_id is not None:
            return f"select id from {schema}.results where agent = {int(self.agent_id)}"
        assert self.before is not None  # noqa: S101 - one of the three is given
        return f"select id from {schema}.results where created_at < timestamp with time zone '{self.before.isoformat()}'"


# Which columns of run details stand for fields of the API that are in none of its documents.
MORE_COLUMNS = "select api_name, column_name from {schema}._fields where table_name = 'run_details'"


def statements(
    ids: Collection[int],
    selection: Selection,
    present: Collection[str],
    more_columns: Collection[tuple[str, str]],
) -> Iterator[str]:
    """`present`: the tables that there are; `more_columns`: the rows of MORE_COLUMNS."""
    listed = ", ".join(str(id_) for id_ in sorted(ids)) or "null"
    if selection.transcripts_only:
        if "transcript_turns" in present:
            yield f"delete from {SCHEMA}.transcript_turns where result_id in ({listed})"
        if "run_details" in present:
            said = [column for name, column in more_columns if not PersonalData().keeps(name)]
            emptied = ", ".join(f"{quoted(column)} = null" for column in ("metadata", *said))
            yield f"update {SCHEMA}.run_details set {emptied} where result_id in ({listed})"
    else:
        for name, table in TABLES.items():
            column = {"results": "id", "rejected_rows": "id"}.get(name, table.parent)
            if column is not None and name in present:
                yield f"delete from {SCHEMA}.{name} where {column} in ({listed})"


def remember(ids: Collection[int], selection: Selection) -> Iterator[str]:
    """The list of what stays away."""
    flag = str(selection.transcripts_only).lower()
    for id_ in sorted(ids):
        yield f"insert into {SCHEMA}._erased (id, erased_at, transcripts_only) values ({int(id_)}, current_timestamp, {flag})"
