"""Tables: what a chart shows, in figures. A cell keeps the exact value beside its words."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from markupsafe import Markup

from cekura_sync.report import wording

Row = dict[str, Any]


class Cell(NamedTuple):
    text: str | Markup
    value: float | None = None
    numeric: bool = False


Column = tuple[str, Callable[[Row], Cell]]


@dataclass(frozen=True)
class Table:
    headings: list[str]
    rows: list[list[Cell]]


def table(columns: Iterable[Column], rows: Iterable[Row]) -> Table:
    columns = list(columns)
    return Table([heading for heading, _ in columns], [[cell(row) for _, cell in columns] for row in rows])


def agent(row: Row) -> Cell:
    return Cell(wording.isolated(wording.agent(row)))


def scenario(row: Row) -> Cell:
    return Cell(wording.isolated(wording.scenario(row)))


def metric(row: Row) -> Cell:
    return Cell(wording.isolated(wording.metric(row)))


def explanation(column: str) -> Callable[[Row], Cell]:
    return lambda row: Cell(wording.isolated(wording.said(row[column])))


def text(column: str) -> Callable[[Row], Cell]:
    return lambda row: Cell(row[column])


def standing(row: Row) -> Cell:
    unsaid = "no clear change" if row["verdict"] else "nothing to compare"
    return Cell(wording.STANDINGS.get(row["standing"], unsaid))


def run(row: Row) -> Cell:
    """The run by its ids, linked where its page is known."""
    ids = f"result {row['result_id']}, run {row['run_id']}"
    url = wording.run_url(row)
    return Cell(Markup('<a href="{}" rel="noreferrer">{}</a>').format(url, ids) if url else ids)


def rate(column: str) -> Callable[[Row], Cell]:
    return lambda row: Cell(wording.percent(row[column], 1), row[column], True)


def points(column: str) -> Callable[[Row], Cell]:
    return lambda row: Cell(wording.points(row[column]), row[column], True)


def number(column: str) -> Callable[[Row], Cell]:
    return lambda row: Cell(wording.count(row[column]), row[column], True)


def period(column: str) -> Callable[[Row], Cell]:
    return lambda row: Cell(row[column].isoformat())


def moment(column: str) -> Callable[[Row], Cell]:
    def cell(row: Row) -> Cell:
        at: datetime | None = row[column]
        return Cell(wording.NOTHING if at is None else f"{at:%Y-%m-%d %H:%M}")

    return cell
