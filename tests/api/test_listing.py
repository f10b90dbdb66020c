"""Gap-free reading, against a listing that moves while it is read."""

import itertools
import os
import random
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cekura_sync.api.decode_rows import Page
from cekura_sync.api.paging import Window, next_window
from cekura_sync.errors import ListingUnverified
from support.moving_listing import Habits, MovingListing, Reading, read, row

READINGS = int(os.environ.get("CEKURA_TEST_EXAMPLES", "0")) or 60  # of each family

# What servers and accounts have been seen to do, and how each may hide a row from a reader.
FAMILIES = {
    "rows come and go": set[str](),
    "many are deleted at once": {"deletions"},
    "the cap is lowered in the middle": {"cap"},
    "`next` lies": {"next", "deletions"},
    "equal times": {"ties"},
    "equal times on small pages": {"ties", "small"},
    "rows move": {"moves", "deletions"},
    "times that nobody can read": {"unreadable"},
    "ordered by updated_at": {"updated"},
    "old answers from a cache": {"cache"},
    "a cap that is lowered, and old answers": {"cap", "cache", "deletions"},
    "a cap that is lowered, and `next` lies": {"cap", "next", "ties", "deletions"},
    "several of these": {"several"},
}


class RandomReading:
    """One account, one server and one reader, all drawn from the seed."""

    def __init__(self, family: str, seed: int) -> None:
        self.random = random.Random(f"{family} {seed}")
        self.kinds = FAMILIES[family]
        if "several" in self.kinds:
            self.kinds = {
                kind
                for kind in ("deletions", "cap", "next", "ties", "moves", "unreadable", "updated")
                if self.random.random() < 0.4
            }
        self.numbers = itertools.count(1000)
        self.size = self.random.randint(0, 140)
        self.listing = MovingListing(
            [row(number, self._created(number)) for number in range(self.size)],
            self._habits(),
            between=self._change,
            seed=seed,
        )
        self._prepare()
        self.first = {entry.row.key for entry in self.listing.entries}
        self.busy = self.random.choice([0, 0.1, 0.3, 0.7])

    def run(self, interrupted: Iterable[int] = ()) -> Reading:
        page_size = 200 if self.size % 2 else self.listing.habits.cap
        concurrency = self.random.choice([1, 4, 8])
        return read(self.listing, page_size=page_size, concurrency=concurrency, interrupted=interrupted)

    def quiet(self) -> set[int | str]:
        """The rows that have been there all the time, where they were."""
        return self.first & {entry.row.key for entry in self.listing.entries} - self.listing.moved

    def _created(self, number: int) -> int:
        group = self.random.choice([1, 2, 3, 5, 30]) if "ties" in self.kinds else 1
        return 1000 + number // group * group * 1000

    def _habits(self) -> Habits:
        draw = self.random
        habits = Habits(
            cap=draw.randint(3, 5) if "small" in self.kinds else draw.randint(8, 14),
            count=draw.choice(["right", "zero", "half", "missing"]),
            cached="cache" in self.kinds,
        )
        if "cap" in self.kinds:
            habits.lowered_cap = (draw.randint(1, 20), draw.randint(3, habits.cap))
        if "next" in self.kinds:
            habits.next = draw.choice(["early", "always", "never"])
        if "ties" in self.kinds:
            habits.ties = draw.choice(["newest id first", "stable", "by window", "shuffled"])
        if "updated" in self.kinds:
            habits.order = "updated"
        return habits

    def _prepare(self) -> None:
        draw, listing = self.random, self.listing
        if listing.entries and "unreadable" in self.kinds:
            for _ in range(self.size // 6):
                listing.hide_time(draw.randrange(self.size))
        if listing.entries and "updated" in self.kinds:
            for _ in range(draw.choice([0, 3, 12, 30])):
                listing.touch(draw.randrange(self.size))
        listing.moved.clear()

    def _change(self, listing: MovingListing) -> None:
        draw = self.random
        if not listing.entries or draw.random() > self.busy:
            return
        changes = ["delete", "delete many", "insert", "insert many", "late"]
        changes += ["delete many"] * 4 * ("deletions" in self.kinds)
        changes += ["move"] * 5 * ("moves" in self.kinds) + ["touch"] * 5 * ("updated" in self.kinds)
        change, place, many = draw.choice(changes), draw.randrange(len(listing.entries)), draw.randint(2, 30)
        if change.startswith("delete"):
            listing.delete(place, many if "many" in change else 1)
        elif change.startswith("insert"):
            listing.insert(*[row(next(self.numbers)) for _ in range(many if "many" in change else 1)])
        elif change == "late":
            listing.insert(row(next(self.numbers), draw.randint(1, 1000 * self.size + 1000)))
        elif change == "move":
            listing.move(place, draw.randint(1, 1000 * self.size + 1000))
        else:
            listing.touch(place)


@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_row_that_was_there_all_the_time_is_read_once_whatever_happens(
    family: str, interrupted: bool
) -> None:
    refused = 0
    for seed in range(READINGS):
        one = RandomReading(family, seed)
        try:
            reading = one.run([1 + seed % 9, 1 + seed % 4] if interrupted else ())
        except ListingUnverified:
            refused += 1  # honest; the tests below hold it to reading what can be read
            continue
        assert not one.quiet() - {*reading.given}, (seed, one.listing.habits)
        assert len(reading.given) == len({*reading.given}), seed
        assert reading.complete, seed
    if family in ("rows come and go", "many are deleted at once", "`next` lies", "rows move"):
        assert refused <= 0.125 * READINGS, f"{refused} of {READINGS} readings were refused"


@pytest.mark.parametrize("seed", [704, 1342, 1674, 3454, 4014, 5175, 5654])
def test_passes_that_agree_without_one_of_two_rows_with_one_time_are_not_believed(seed: int) -> None:
    """In each of them a page ends between the two: it shows one, and so does the next page."""
    one = RandomReading("equal times on small pages", seed)

    with pytest.raises(ListingUnverified):
        one.run()


def keys(listing: MovingListing) -> list[int | str]:
    return [row.key for row in listing.listed()]


# -- a reading that goes on with an earlier one -------------------------------------------------------------------------


WHOLE = 74  # windows that 400 rows take


def interrupted(
    rows: int, pages: int, change: Callable[[MovingListing], None]
) -> tuple[MovingListing, Reading]:
    """Of the listing after `change`, which happens when so many pages have been read."""
    listing = MovingListing(map(row, range(rows)))
    listing.between = lambda listing: change(listing) if len(listing.asked) == pages else None
    return listing, read(listing, concurrency=1, interrupted=[pages])


def test_of_an_earlier_reading_nothing_is_read_again_but_the_top_and_the_end() -> None:
    listing, reading = interrupted(400, 40, lambda _: None)

    assert {*keys(listing)} == {*reading.given}
    assert listing.asked[40].page == 1
    assert listing.asked[41].end > listing.asked[39].end
    assert len(listing.asked) < WHOLE + 4


@pytest.mark.parametrize("arrivals", [1, 9, 10, 30])
def test_what_has_come_since_is_read_until_it_meets_the_earlier_reading(arrivals: int) -> None:
    listing, reading = interrupted(
        400, 40, lambda listing: listing.insert(*(row(1000 + n) for n in reversed(range(arrivals))))
    )

    assert {*keys(listing)} == {*reading.given}
    assert len(listing.asked) < WHOLE + 4 + arrivals // 7


def move_an_unread_row_up(listing: MovingListing) -> None:
    """Where nobody would look again. What it shows stays as it is: it has not changed, the order has."""
    next(entry for entry in listing.entries if entry.row.key == 20).created = 250 * 1000


def delete_one_that_was_read_in_the_middle(listing: MovingListing) -> None:
    listing.delete(150)


@pytest.mark.parametrize("change", [move_an_unread_row_up, delete_one_that_was_read_in_the_middle])
def test_everything_is_read_anew_where_the_earlier_reading_is_not_in_its_place(
    change: Callable[[MovingListing], None],
) -> None:
    listing, reading = interrupted(400, 40, change)

    assert {*keys(listing)} == {*reading.given}
    assert len(listing.asked) > WHOLE + 20


def test_the_top_may_be_deleted_as_long_as_the_rest_is_in_its_place() -> None:
    listing, reading = interrupted(400, 40, lambda listing: listing.delete(0, 200))

    assert {*keys(listing)} <= {*reading.given}
    assert len(listing.asked) <= WHOLE + 4


def test_rows_that_come_in_while_the_top_is_met_do_not_end_the_earlier_reading() -> None:
    numbers = itertools.count(1000)

    def arrive(listing: MovingListing) -> None:
        if len(listing.asked) in (41, 43):
            listing.insert(row(next(numbers)))

    listing = MovingListing(map(row, range(400)), between=arrive)

    reading = read(listing, concurrency=1, interrupted=[40])

    assert {*range(400)} <= {*reading.given}
    assert len(listing.asked) < WHOLE + 8


def test_an_earlier_reading_of_a_listing_that_is_empty_now_counts_no_longer() -> None:
    _, reading = interrupted(100, 5, lambda listing: listing.delete(0, 100))

    assert (reading.given, reading.complete) == ([], True)


# -- what a reading must not refuse, and what it must ---------------------------------------------------------------------


def test_one_delete_on_each_page_is_read_through_and_not_refused() -> None:
    listing = MovingListing(map(row, range(200)), between=lambda listing: listing.delete(0))

    reading = read(listing)

    assert {*keys(listing)} <= {*reading.given}


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("behind", [1, 2, 5])
@pytest.mark.parametrize("arrivals", [9, 10, 20, 35, 100])
def test_more_arrivals_at_once_than_a_page_holds_are_read_through(
    arrivals: int, behind: int, concurrency: int
) -> None:
    def insert_many_once(listing: MovingListing) -> None:
        if len(listing.asked) == behind:
            listing.insert(*(row(2000 + number) for number in range(arrivals)))

    listing = MovingListing(map(row, range(100)), between=insert_many_once)

    reading = read(listing, concurrency=concurrency)

    assert reading.complete
    assert {*range(100)} <= {*reading.given}
    assert len(listing.asked) < 80


def test_more_deletes_at_once_than_a_page_holds_make_it_step_back() -> None:
    def delete_many_once(listing: MovingListing) -> None:
        if len(listing.asked) == 6:
            listing.delete(5, 35)

    listing = MovingListing(map(row, range(200)), between=delete_many_once)

    reading = read(listing, concurrency=1)

    assert {*keys(listing)} <= {*reading.given}
    assert any(later.start < earlier.start for earlier, later in pairwise(listing.asked))


def test_a_row_that_moved_down_joins_no_window() -> None:
    def move_and_delete(listing: MovingListing) -> None:
        if len(listing.asked) == 5:
            listing.move(0, created=130_500)
            listing.delete(0, 38)

    listing = MovingListing(map(row, range(200)), between=move_and_delete)

    reading = read(listing, concurrency=1)

    assert {*keys(listing)} <= {*reading.given}


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_cap_that_is_lowered_in_the_middle_cuts_nothing_off(concurrency: int) -> None:
    listing = MovingListing(map(row, range(300)), Habits(cap=20, lowered_cap=(6, 10)))

    reading = read(listing, page_size=20, concurrency=concurrency)

    assert reading.given == keys(listing)


@pytest.mark.parametrize("group", [7, 8, 9])
def test_almost_a_page_of_rows_of_one_time_is_read(group: int) -> None:
    times = [min(number, 40) if number < 40 + group else number for number in range(70)]
    listing = MovingListing([row(number, 1000 + time) for number, time in enumerate(times)], Habits(cap=9))

    assert {*read(listing, page_size=200, concurrency=8).given} == {*range(70)}


def test_a_size_that_a_lowered_cap_cuts_is_no_second_question_to_a_cache() -> None:
    def delete_once(listing: MovingListing) -> None:
        if len(listing.asked) == 7:
            listing.delete(9)

    habits = Habits(cap=10, lowered_cap=(2, 4), cached=True, count="missing")
    listing = MovingListing(map(row, range(37)), habits, between=delete_once)

    reading = read(listing, page_size=200, concurrency=1)

    assert {*keys(listing)} <= {*reading.given}


def test_a_next_that_is_null_too_early_hides_nothing_even_when_rows_above_are_deleted_then() -> None:
    def delete_above(listing: MovingListing) -> None:
        if listing.asked[-1].end >= 96:
            listing.delete(10, 10)

    listing = MovingListing(map(row, range(100)), Habits(next="early"), between=delete_above)

    reading = read(listing, concurrency=1)

    assert {*keys(listing)} <= {*reading.given}


@pytest.mark.parametrize(
    ("rows", "cap", "lowered_to", "lowered_at", "deleted", "deleted_at"),
    [
        # A whole page ends where a page with room ends that is cut, and whose `next` is null.
        (70, 25, 23, 2, slice(1, 21), 3),
        (64, 23, 16, 4, slice(10, 38), 3),
        (31, 17, 12, 3, slice(7, 13), 2),
        # One page is asked for twice, in two sizes that are both cut to the same.
        (33, 14, 10, 3, slice(0, 9), 2),
        (26, 13, 8, 3, slice(5, 12), 2),
        (79, 27, 24, 3, slice(7, 35), 3),
    ],
)
def test_a_cut_page_shows_no_end_when_next_is_null_too_early_and_many_rows_above_are_deleted(
    rows: int, cap: int, lowered_to: int, lowered_at: int, deleted: slice, deleted_at: int
) -> None:
    def delete(listing: MovingListing) -> None:
        if len(listing.asked) == deleted_at:
            listing.delete(deleted.start, deleted.stop - deleted.start)

    habits = Habits(cap=cap, lowered_cap=(lowered_at, lowered_to), next="early", count="missing")
    listing = MovingListing(map(row, range(rows)), habits, between=delete)

    reading = read(listing, page_size=200, concurrency=1)

    assert {*keys(listing)} <= {*reading.given}


@pytest.mark.parametrize("ties", ["newest id first", "stable", "by window", "shuffled"])
def test_a_few_rows_of_the_same_time_are_read_in_whatever_sequence_they_come(ties: str) -> None:
    listing = MovingListing(
        (row(number, 1000 + number // 4) for number in range(200)), Habits(cap=20, ties=ties)
    )

    reading = read(listing, page_size=20)

    assert sorted(reading.given, key=int) == [*range(200)]
    assert len(listing.asked) < 40


@pytest.mark.parametrize("ties", ["by window", "shuffled"])
def test_more_rows_of_the_same_time_than_a_page_holds_are_refused_when_their_sequence_changes(
    ties: str,
) -> None:
    listing = MovingListing((row(number, 1000 + number // 30) for number in range(150)), Habits(ties=ties))

    with pytest.raises(ListingUnverified):
        read(listing)


@pytest.mark.parametrize("ties", ["newest id first", "stable"])
def test_more_rows_of_the_same_time_than_a_page_holds_are_read_when_their_sequence_stays(ties: str) -> None:
    listing = MovingListing((row(number, 1000 + number // 30) for number in range(150)), Habits(ties=ties))

    reading = read(listing)

    assert reading.complete
    assert reading.given == keys(listing)


def test_rows_of_one_time_in_another_sequence_on_each_page_are_refused_where_pages_have_one_size() -> None:
    habits = Habits(cap=20, ignores_page_size=True, ties="by window")
    listing = MovingListing((row(number, 1000) for number in range(70)), habits)

    with pytest.raises(ListingUnverified):
        read(listing, page_size=50)


@pytest.mark.parametrize("seed", range(20))
def test_times_that_nobody_can_read_are_no_order(seed: int) -> None:
    listing = MovingListing(map(row, range(45)), Habits(order="shuffled"), seed=seed)
    for place in range(45):
        listing.entries[place].row = row(place)._replace(created=None)

    with pytest.raises(ListingUnverified):
        read(listing, concurrency=1)


def test_reading_20_000_rows_without_gaps_costs_at_most_112_requests() -> None:
    listing = MovingListing(map(row, range(20_000)), Habits(cap=200))

    reading = read(listing, page_size=200, concurrency=8)

    assert reading.complete
    assert len(listing.asked) <= 112


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 100_000), st.integers(3, 300), st.integers(2, 50))
def test_a_window_repeats_what_it_has_to_and_reaches_further(read_rows: int, cap: int, overlap: int) -> None:
    window = next_window(read_rows, cap, overlap)

    assert window is None or window.start <= max(0, read_rows - overlap)
    assert window is None or window.end > read_rows
    assert window is None or window.size <= cap


def test_a_quick_reading_stops_at_the_first_window_that_passes_the_horizon() -> None:
    listing = MovingListing(map(row, range(500)))

    reading = read(listing, horizon=470_000)

    assert not reading.complete
    assert {*range(470, 500)} <= {*reading.given}
    assert len(listing.asked) <= 8  # of 55; a few windows are asked for ahead


def test_one_page_that_passes_the_horizon_is_one_request() -> None:
    listing = MovingListing(map(row, range(500)))

    read(listing, horizon=495_000)

    assert listing.asked == [Window(1, 10)]


@pytest.mark.parametrize(("rows", "requests"), [(0, 2), (1, 3), (7, 2), (49, 2), (50, 3)])
def test_a_listing_of_one_page_costs_two_requests_and_one_more_where_it_is_full(
    rows: int, requests: int
) -> None:
    listing = MovingListing(map(row, range(rows)), Habits(cap=50))

    reading = read(listing, page_size=50)

    assert reading.complete
    assert len(listing.asked) == requests


def test_an_order_that_proves_nothing_is_read_twice_in_different_windows() -> None:
    listing = MovingListing(map(row, range(95)), Habits(order="oldest first"))

    reading = read(listing)

    assert reading.listing.full
    assert reading.complete
    assert reading.given == [*range(95)]
    assert len({window.size for window in listing.asked}) > 1


def test_an_order_that_changes_each_time_is_refused() -> None:
    with pytest.raises(ListingUnverified):
        read(MovingListing(map(row, range(95)), Habits(order="shuffled")))


def test_a_listing_that_cycles_is_refused_as_a_loop() -> None:
    class Cycling(MovingListing):
        def __call__(self, window: Window) -> "Future[Page | None]":
            answer: Future[Page | None] = Future()
            start = window.start % 40
            answer.set_result(Page(self.listed()[start : start + window.size], None, has_next=True))
            return answer

    with pytest.raises(ListingUnverified, match="repeats itself"):
        read(Cycling(map(row, range(60))))


@pytest.mark.parametrize("cap", [2, 3, 5, 6, 7, 10])
def test_small_pages_are_read_to_the_end_even_where_no_two_windows_can_overlap(cap: int) -> None:
    listing = MovingListing(map(row, range(3000 if cap == 10 else 430)), Habits(cap=cap))

    reading = read(listing, page_size=cap)

    assert reading.complete
    assert reading.given == keys(listing)


@pytest.mark.parametrize("next_", ["early", "always", "never"])
def test_a_next_that_lies_costs_a_few_requests_and_no_row(next_: str) -> None:
    listing = MovingListing(map(row, range(200)), Habits(next=next_))

    reading = read(listing)

    assert reading.given == keys(listing)
    assert len(listing.asked) < 45
