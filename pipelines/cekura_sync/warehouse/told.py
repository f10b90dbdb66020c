"""What receivers of news have been told: the table `_told`, and beside a file who has heard all that is in it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cekura_sync import clock
from cekura_sync.tables import SCHEMA, TOLD
from cekura_sync.warehouse.disk import Fingerprint, write_json
from cekura_sync.warehouse.layout import Layout, read_json


def replacing(rows: Sequence[Mapping[str, Any]], mark: str) -> Iterator[tuple[str, list[Any]]]:
    """Statements with their values that make these rows all that the table holds. `mark` stands for a value."""
    yield f"delete from {SCHEMA}._told", []
    marks = ", ".join([mark] * len(TOLD))
    for row in rows:
        yield (
            f"insert into {SCHEMA}._told ({', '.join(TOLD)}) values ({marks})",
            [row.get(column) for column in TOLD],
        )


def have_heard(files: Layout, receivers: Collection[str], *, within: timedelta) -> bool:
    """Whether all of them have heard, so recently, everything that was new in the file that is published now."""
    record = read_json(files.news)
    try:
        age = clock.now() - datetime.fromisoformat(record["at"])
        have_all = {*receivers} <= {*record["receivers"]}
        return timedelta() <= age < within and have_all and record["published"] == _published(files)
    except (KeyError, TypeError, ValueError):  # there is none, or it is damaged
        return False


def record_heard(files: Layout, receivers: Collection[str]) -> None:
    """Replace the record. Without receivers there is none."""
    files.news.unlink(missing_ok=True)
    if receivers:
        heard = {
            "at": clock.now().isoformat(),
            "receivers": sorted(receivers),
            "published": _published(files),
        }
        write_json(files.news, heard)


def _published(files: Layout) -> list[int]:
    """Tells the published file from those that other commands put in its place. Empty when there is none."""
    return [*(Fingerprint.of(files.published) or ())]
