"""What receivers of news have been told: the table `_told`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cekura_sync.tables import SCHEMA, TOLD


def replacing(rows: Sequence[Mapping[str, Any]], mark: str) -> Iterator[tuple[str, list[Any]]]:
    """Statements with their values that make these rows all that the table holds. `mark` stands for a value."""
    yield f"delete from {SCHEMA}._told", []
    marks = ", ".join([mark] * len(TOLD))
    for row in rows:
        yield (
            f"insert into {SCHEMA}._told ({', '.join(TOLD)}) values ({marks})",
            [row.get(column) for column in TOLD],
        )
