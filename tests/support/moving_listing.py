"""A listing by page number that changes between two requests, and misbehaves as real ones have been seen to.

It is the definition itself: rows in an order, cut into pages, changed after each answer.
"""

import random
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field

from cekura_sync.api.decode_rows import Page, Row
from cekura_sync.api.listing import Listing
from cekura_sync.api.paging import Chain, Saved, Window
from cekura_sync.api.places import Place

Change = Callable[["MovingListing"], None]


def row(number: int, created: int | None = None) -> Row:
    """`created`: microseconds since 1970; by default later numbers are newer."""
    return Row(key=number, created=number * 1000 if created is None else created, raw=f'{{"id": {number}}}')


@dataclass
class Habits:
    """How a server answers, where it is not the best that one could wish for."""

    cap: int = 10
    lowered_cap: tuple[int, int] | None = None  # (from which request on, to what)
    count: str = "right"  # right, zero, half, missing
    next: str = "right"  # right, early (null a few rows before the end), always, never
    ties: str = "newest id first"  # or: stable, by window (another sequence for each window), shuffled
    order: str = "created"  # or: updated, oldest first, shuffled
    ignores_page_size: bool = False  # each page has `cap` rows
    cached: bool = False  # an address that was asked before gets its old answer


@dataclass
class Entry:
    row: Row
    created: int  # what the server knows, whatever the row shows
    touched: int = 0  # the higher, the later it was updated


@dataclass
class MovingListing:
    """Calls `between` after each request."""

    rows: Iterable[Row]
    habits: Habits = field(default_factory=Habits)
    between: Change | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        self.entries = [Entry(row, row.created or 0) for row in self.rows]
        self.asked: list[Window] = []
        self.moved: set[int | str] = set()  # rows that somebody changed or moved
        self._random = random.Random(self.seed)
        self._answers: dict[Window, Page | None] = {}

    def __call__(self, window: Window) -> "Future[Page | None]":
        self.asked.append(window)
        page = self._answer(window)
        if self.habits.cached:
            page = self._answers.setdefault(window, page)
        answer: Future[Page | None] = Future()
        answer.set_result(page)
        if self.between:
            self.between(self)
        return answer

    @property
    def cap(self) -> int:
        if self.habits.lowered_cap and len(self.asked) >= self.habits.lowered_cap[0]:
            return min(self.habits.cap, self.habits.lowered_cap[1])
        return self.habits.cap

    def listed(self, window: Window | None = None) -> list[Row]:
        """In the order that this window sees."""
        if self.habits.order == "shuffled":
            return [entry.row for entry in self._random.sample(self.entries, len(self.entries))]
        if self.habits.order == "updated":
            return [
                entry.row
                for entry in sorted(self.entries, key=lambda entry: (-entry.touched, -entry.created))
            ]
        if self.habits.order == "oldest first":
            return [entry.row for entry in sorted(self.entries, key=lambda entry: entry.created)]
        return [
            entry.row
            for entry in sorted(
                self.entries, key=lambda entry: (-entry.created, self._among_equals(entry, window))
            )
        ]

    def _among_equals(self, entry: Entry, window: Window | None) -> float:
        number = entry.row.key if isinstance(entry.row.key, int) else 0
        if self.habits.ties == "newest id first":
            return -number
        if self.habits.ties == "stable":
            return _mixed(number, 0)
        if self.habits.ties == "by window":
            return _mixed(number, 7 + 1000 * window.page + window.size if window else 0)
        return self._random.random()

    def _answer(self, window: Window) -> Page | None:
        size = self.cap if self.habits.ignores_page_size else min(window.size, self.cap)
        window = Window(window.page, size)
        listed, start, end = self.listed(window), (window.page - 1) * size, window.page * size
        rows = listed[start:end]
        if not rows and window.page > 1:
            return None
        left = len(listed) - end
        more = {"right": left > 0, "early": left > 4, "always": True, "never": False}[self.habits.next]
        count = {"right": len(listed), "zero": 0, "half": len(listed) // 2, "missing": None}[
            self.habits.count
        ]
        return Page(rows, count, more if listed else False)

    # What happens between two requests.

    def insert(self, *rows: Row) -> None:
        self.entries[:0] = [Entry(row, row.created or 0, touched=self._now()) for row in rows]

    def delete(self, start: int, number: int = 1) -> None:
        """Those at these places of the list."""
        gone = {row.key for row in self.listed()[start : start + number]}
        self.entries = [entry for entry in self.entries if entry.row.key not in gone]

    def move(self, place: int, created: int) -> None:
        """The row at this place gets another `created_at`."""
        entry = self._at(place)
        entry.row, entry.created = entry.row._replace(created=created), created
        self.moved.add(entry.row.key)

    def hide_time(self, place: int) -> None:
        """The row at this place shows a time that nobody can read."""
        entry = self._at(place)
        entry.row = entry.row._replace(created=None)

    def touch(self, place: int) -> None:
        """The row at this place is updated."""
        entry = self._at(place)
        entry.touched = self._now()
        self.moved.add(entry.row.key)

    def _at(self, place: int) -> Entry:
        key = self.listed()[place % len(self.entries)].key
        return next(entry for entry in self.entries if entry.row.key == key)

    def _now(self) -> int:
        return 1 + max((entry.touched for entry in self.entries), default=0)


def _mixed(number: int, salt: int) -> int:
    """A number that looks like chance, and is the same each time."""
    return (number + salt * 7919) * 2_654_435_761 % 2**32 * 40_503 % 65_537


@dataclass(frozen=True)
class Reading:
    listing: Listing
    given: list[int | str]  # the ids, in the order in which they were given

    @property
    def complete(self) -> bool:
        return self.listing.complete


def read(
    fetch: MovingListing,
    *,
    horizon: int | None = None,
    page_size: int = 10,
    concurrency: int = 4,
    interrupted: Iterable[int] = (),
) -> Reading:
    """`interrupted`: after so many pages the reader dies, and the next one goes on from what was saved."""
    given: list[int | str] = []
    places: list[Place] = []
    saved: Saved | None = None

    def restart() -> None:
        nonlocal saved
        given.clear()
        places.clear()
        saved = None

    for pages in (*interrupted, None):
        chain = None if saved is None else Chain(places, saved)
        listing = Listing(fetch, page_size=page_size, concurrency=concurrency, horizon=horizon, chain=chain)
        listing.on_restart(restart)
        for number, rows in enumerate(listing, 1):
            given.extend(row.key for row in rows)
            unsaved, saved = listing.chain.save()
            places.extend(unsaved)
            if number == pages:
                break
        if pages and not listing.can_be_continued:
            restart()
    return Reading(listing, given)
