"""The team's changes to its agents: read from a file as people and spreadsheets write it, kept as a table."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb

from cekura_sync import clock
from cekura_sync.database import has_table
from cekura_sync.errors import SettingsError

MAX_BYTES = 10_000_000  # a larger file is not a list of changes
MAX_NOTE = 1000  # characters
MAX_FLAWS = 20  # bad lines that are named one by one
_BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Change(NamedTuple):
    line: int
    agent_id: int | None  # None: it concerns every agent
    changed_at: int  # microseconds since 1970
    note: str | None


@dataclass(frozen=True)
class TeamChanges:
    """The changes in a file, and a sentence for each line that is left out."""

    changes: list[Change]
    flaws: list[str]


def read(path: Path) -> TeamChanges:
    """The file's changes without its bad lines. Raises SettingsError where the file is not a list of changes."""
    text = _decode(_content(path)).replace("\0", "")  # which engines treat differently
    header, _, _ = text.lstrip().partition("\n")
    delimiter = max(",;\t", key=header.count)
    columns: list[str] = []
    changes, flaws = [], []
    for line, cells in _numbered([*io.StringIO(text, newline="")], delimiter):
        try:
            if isinstance(cells, csv.Error):
                raise ValueError(str(cells))
            if not columns:
                columns = _columns(cells, path)
            else:
                changes.append(_change(line, columns, cells))
        except ValueError as error:
            flaws.append(f"{path}, line {line}: {error}; the line is left out.")
    if not columns:
        raise _no_header(path)
    return TeamChanges(changes, _the_first(flaws, path))


def differ(con: duckdb.DuckDBPyConnection, team_changes: TeamChanges) -> bool:
    """Whether the base attached to `con` holds other changes than these."""
    if not has_table(con, "changes", "base"):
        return bool(team_changes.changes)
    stored = con.execute(
        "select line, agent_id, epoch_us(changed_at), note from base.cekura.changes order by line"
    )
    return stored.fetchall() != team_changes.changes


def store(con: duckdb.DuckDBPyConnection, team_changes: TeamChanges) -> None:
    """Replace what the warehouse that `con` writes holds."""
    con.execute("delete from cekura.changes")
    if team_changes.changes:
        columns = [list(column) for column in zip(*team_changes.changes, strict=True)]
        con.execute(
            "insert into cekura.changes select line, agent_id, make_timestamptz(moment), note from ("
            "select unnest($1::bigint[]) as line, unnest($2::bigint[]) as agent_id,"
            " unnest($3::bigint[]) as moment, unnest($4::varchar[]) as note)",
            columns,
        )


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"The file of changes {path} cannot be read ({reason}): correct --changes or CEKURA_CHANGES."
        ) from None
    if len(content) > MAX_BYTES:
        raise SettingsError(f"{path} is larger than {MAX_BYTES // 10**6} MB: is it the file of changes?")
    return content


def _decode(content: bytes) -> str:
    """By its byte order mark, else as UTF-8, else as a spreadsheet of western Windows saves it."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _numbered(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Each row that is not blank, or why it cannot be read, with the number of its first line.

    Of what cannot be read only the first line is left out: an open quotation mark takes no other line along.
    """
    first = 0
    while (begin := first) < len(lines):
        ahead = (lines[number] for number in range(begin, len(lines)))
        rows = csv.reader(ahead, delimiter=delimiter, skipinitialspace=True, strict=True)
        try:
            for row in rows:
                cells = [cell.strip() for cell in row]
                if any(cells):
                    yield first + 1, cells
                first = begin + rows.line_num
        except csv.Error as error:
            yield first + 1, error
            first += 1


def _the_first(flaws: list[str], path: Path) -> list[str]:
    more = len(flaws) - MAX_FLAWS
    return [*flaws[:MAX_FLAWS], *([f"{path}: {more:,} more lines are left out."] if more > 0 else [])]


def _columns(cells: list[str], path: Path) -> list[str]:
    columns = [cell.lower() for cell in cells]
    if not {"agent_id", "at"} <= set(columns) or len(set(columns) - {""}) < len([c for c in columns if c]):
        raise _no_header(path, f"begins with the line {_shown(', '.join(columns))}")
    return columns


def _no_header(path: Path, found: str = "is empty") -> SettingsError:
    return SettingsError(
        f"{path} {found}: write the names of its columns on the first line: agent_id,at,note."
    )


def _change(line: int, columns: list[str], cells: list[str]) -> Change:
    """Raises ValueError with what is wrong."""
    if any(cells[len(columns) :]):
        raise ValueError("it has more cells than the first line; put a note with commas into double quotes")
    row = dict(zip(columns, cells, strict=False))
    note = row.get("note") or None
    return Change(
        line, _agent_id(row.get("agent_id", "")), _moment(row.get("at", "")), note and note[:MAX_NOTE]
    )


def _agent_id(text: str) -> int | None:
    if text and not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(f"agent_id {_shown(text)} is not a whole number; leave it empty for every agent")
    return int(text) if text else None


def _moment(text: str) -> int:
    """A time without a zone is UTC, a date its midnight."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        moment = _EPOCH
    if moment.year not in clock.YEARS:
        raise ValueError(
            f"at {_shown(text)} is not a time such as 2026-03-10, 2026-03-10 14:30 or 2026-03-10T14:30:00+01:00"
        )
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _shown(text: str) -> str:
    return f"'{text[:40]}'"
