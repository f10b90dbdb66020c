"""Gap-free reading, against a listing that moves while it is read.

The listing here is the definition itself: rows in order, cut into pages by number, changed between two requests.
"""

import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cekura_sync.api.decode_rows import Page, Row
from cekura_sync.api.listing import Listing
from cekura_sync.api.paging import Window, next_window, window_after
from cekura_sync.errors import ListingUnverified


def row(number: int) -> Row:
    return Row(key=number, created=number * 1000, raw=f'{{"id": {number}}}')


class MovingListing:
    """Rows newest first behind page numbers; `between` changes them after each request."""

    def __init__(
        self, rows: Iterable[Row], *, cap: int = 10, between: Callable[["MovingListing"], None] | None = None
    ):
        self.rows = sorted(rows, key=lambda row: -(row.created or 0))
        self.cap = cap
        self.between = between
        self.asked: list[Window] = []

    def __call__(self, window: Window) -> "Future[Page | None]":
        self.asked.append(window)
        size = min(window.size, self.cap)
        rows = self.rows[(window.page - 1) * size : window.page * size]
        answer: Future[Page | None] = Future()
        has_next = window.page * size < len(self.rows)
        answer.set_result(Page(rows, len(self.rows), has_next) if rows or window.page == 1 else None)
        if self.between:
            self.between(self)
        return answer


def read(
    fetch: MovingListing, *, horizon: int | None = None, page_size: int = 10, concurrency: int = 4
) -> Listing:
    """Read it all; the ids that were given, in order, are left in `listing.given`."""
    listing = Listing(fetch, page_size=page_size, concurrency=concurrency, horizon=horizon)
    given_ids: list[int | str] = []
    listing.on_restart(given_ids.clear)
    for rows in listing:
        given_ids.extend(row.key for row in rows)
    listing.given = given_ids  # type: ignore[attr-defined]
    return listing


@given(
    size=st.integers(0, 120),
    cap=st.integers(2, 12),
    concurrency=st.integers(1, 8),
    moves=st.lists(
        st.tuples(
            st.sampled_from(["delete", "delete many", "insert", "insert many", "late", "nothing"]),
            st.integers(0, 200),
        ),
        max_size=40,
    ),
)
@settings(max_examples=600, deadline=None, derandomize=True)
def test_every_row_that_was_there_all_the_time_is_read_once_whatever_moves(
    size: int, cap: int, concurrency: int, moves: list[tuple[str, int]]
) -> None:
    todo = iter(moves)
    numbers = itertools.count(1000)

    def move(listing: MovingListing) -> None:
        kind, place = next(todo, ("nothing", 0))
        rows = listing.rows
        if kind.startswith("delete") and rows:
            start = place % len(rows)
            del rows[start : start + (place % 30 if "many" in kind else 1)]
        elif kind.startswith("insert"):
            for _ in range(place % 30 if "many" in kind else 1):
                rows.insert(0, row(next(numbers)))
        elif kind == "late" and len(rows) > 1:
            above, below = rows[place % (len(rows) - 1) :][:2]
            between = ((above.created or 0) + (below.created or 0)) // 2
            if between not in (above.created, below.created):
                rows.insert(rows.index(below), Row(key=next(numbers), created=between, raw="{}"))

    fetch = MovingListing([row(number) for number in range(size)], cap=cap, between=move)

    try:
        listing = read(fetch, page_size=cap, concurrency=concurrency)
    except ListingUnverified:
        return  # refusing is honest; the tests below hold it to reading what can be read

    survivors = [kept.key for kept in fetch.rows if isinstance(kept.key, int) and kept.key < 1000]
    assert listing.complete
    assert set(survivors) <= set(listing.given)  # type: ignore[attr-defined]
    assert len(listing.given) == len(set(listing.given))  # type: ignore[attr-defined]


def test_one_delete_on_each_page_is_read_through_and_not_refused() -> None:
    def delete_the_newest(listing: MovingListing) -> None:
        listing.rows.pop(0)

    fetch = MovingListing([row(number) for number in range(200)], between=delete_the_newest)

    listing = read(fetch)

    assert {kept.key for kept in fetch.rows} <= set(listing.given)  # type: ignore[attr-defined]


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("behind", [1, 2, 5])
@pytest.mark.parametrize("arrivals", [9, 10, 20, 35, 100])
def test_more_arrivals_at_once_than_a_page_holds_are_read_through(
    arrivals: int, behind: int, concurrency: int
) -> None:
    def insert_many_once(listing: MovingListing) -> None:
        if len(listing.asked) == behind:
            listing.rows[:0] = [row(2000 - place) for place in range(arrivals)]

    listing = MovingListing(map(row, range(100)), between=insert_many_once)

    reading = read(listing, concurrency=concurrency)

    assert reading.complete
    assert {*range(100)} <= {*reading.given}  # type: ignore[attr-defined]
    assert len(listing.asked) < 80


def test_more_deletes_at_once_than_a_page_holds_make_it_step_back() -> None:
    def delete_many_once(listing: MovingListing) -> None:
        if len(listing.asked) == 6:
            del listing.rows[5:40]

    fetch = MovingListing([row(number) for number in range(200)], between=delete_many_once)

    listing = read(fetch, concurrency=1)

    assert {kept.key for kept in fetch.rows} <= set(listing.given)  # type: ignore[attr-defined]
    assert any(later.start < earlier.start for earlier, later in pairwise(fetch.asked))


@pytest.mark.parametrize(("rows", "limit"), [(20_000, 1.12), (200_000, 1.12)])
def test_reading_without_gaps_costs_at_most_twelve_percent_more_requests(rows: int, limit: float) -> None:
    read_so_far, windows = 200, 1
    while read_so_far < rows:
        window = next_window(read_so_far, 200)
        assert window.start < read_so_far < window.end
        assert window.size <= 200
        read_so_far, windows = window.end, windows + 1
    assert windows <= limit * rows / 200


@given(st.integers(1, 100_000), st.integers(1, 300))
def test_the_window_after_the_end_begins_exactly_there(read_rows: int, cap: int) -> None:
    window = window_after(read_rows, cap)

    assert window.start == read_rows
    assert 1 <= window.size <= cap


def test_a_quick_reading_stops_at_the_first_window_that_passes_the_horizon() -> None:
    fetch = MovingListing([row(number) for number in range(500)])

    listing = read(fetch, horizon=470_000)

    assert not listing.complete
    assert set(range(470, 500)) <= set(listing.given)  # type: ignore[attr-defined]
    assert len(fetch.asked) <= 8  # of 55; a few windows are asked for ahead


def test_one_page_that_passes_the_horizon_is_one_request() -> None:
    fetch = MovingListing([row(number) for number in range(500)])

    read(fetch, horizon=495_000)

    assert fetch.asked == [Window(1, 10)]


def test_an_order_that_proves_nothing_is_read_twice_and_taken_when_both_readings_agree() -> None:
    fetch = MovingListing([row(number) for number in range(95)])
    fetch.rows.reverse()

    listing = read(fetch)

    assert listing.full
    assert listing.complete
    assert sorted(listing.given) == list(range(95))  # type: ignore[attr-defined]


def test_an_order_that_changes_each_time_is_refused() -> None:
    def turn(listing: MovingListing) -> None:
        listing.rows.append(listing.rows.pop(0))

    with pytest.raises(ListingUnverified):
        read(MovingListing([row(number) for number in range(95)], between=turn))


def test_a_listing_that_cycles_is_refused_as_a_loop() -> None:
    class Cycling(MovingListing):
        def __call__(self, window: Window) -> "Future[Page | None]":
            answer: Future[Page | None] = Future()
            start = window.start % 40
            answer.set_result(Page(self.rows[start : start + window.size], None, has_next=True))
            return answer

    with pytest.raises(ListingUnverified, match="repeats itself"):
        read(Cycling([row(number) for number in range(60)]))


@pytest.mark.parametrize("cap", [2, 3, 5, 6, 7, 10])
def test_small_pages_are_read_to_the_end_even_where_no_two_windows_can_overlap(cap: int) -> None:
    fetch = MovingListing([row(number) for number in range(3000 if cap == 10 else 430)], cap=cap)

    listing = read(fetch, page_size=cap)

    assert listing.complete
    assert listing.given == [kept.key for kept in fetch.rows]  # type: ignore[attr-defined]
