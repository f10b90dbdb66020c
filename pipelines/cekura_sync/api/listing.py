"""Reads one listing to its end, or to a horizon, and proves that nothing between was missed."""

from collections.abc import Callable, Iterator
from enum import Enum, auto
from itertools import groupby

from cekura_sync.api.ahead import Ahead, FetchPage
from cekura_sync.api.decode_rows import Page, Row
from cekura_sync.api.ends import Ends
from cekura_sync.api.paging import OVERLAP, Chain, Disorder, Window, next_window
from cekura_sync.api.passes import Pass
from cekura_sync.errors import ListingUnverified, UnbelievableAnswer

BARREN_WINDOWS = 8  # so many in a row without a new id are a loop; single ones happen while rows arrive
DISPLACED = 2  # times that the end of an earlier reading may have moved while the top was read
PASS_SIZES = (1.0, 0.8, 0.9, 0.7)  # of a page, one for each try at two equal passes


def first_page(page: Page | None) -> Page:
    """The answer to the first window, where it can be one. Raises UnbelievableAnswer, ListingUnverified."""
    if page is None:
        raise UnbelievableAnswer("The API has no results listing (404): check --api-url and --api-version.")
    if not page.rows and (page.count or page.has_next):
        raise ListingUnverified(
            f"The first page is empty, yet the API speaks of {page.count or 'more'} results: nothing was changed, try again later."
        )
    return page


class Earlier(Enum):
    """What is still asked of an earlier reading that this one goes on with."""

    TO_BE_MET = auto()  # the top of the listing has to reach a row of its chain
    TO_BE_IN_PLACE = auto()  # its end has to stand where the top says
    SETTLED = auto()  # nothing, or there is none


class Listing:
    """One reading of the listing; iterate over it for the rows, then ask what it proved."""

    def __init__(
        self,
        fetch: FetchPage,
        *,
        page_size: int,
        concurrency: int,
        horizon: int | None,
        chain: Chain | None = None,
    ) -> None:
        """`horizon`: microseconds since 1970; reading stops at the first window that ends before it. None: read all.

        `chain`: of an earlier reading, to be continued. The top is read again until it meets that chain, then what is below.
        """
        self._fetch = fetch
        self._asked = page_size
        self._ends = Ends(fetch, page_size)
        self._concurrency = concurrency
        self.horizon = horizon
        self._on_restart: Callable[[], None] = lambda: None
        self._accepted = 0
        self._barren = 0
        self.counts: list[int] = []  # the API's `count`, in each answer of this reading
        self.chain = chain or Chain()
        self._goes_on = chain is not None
        self._earlier = Earlier.TO_BE_MET if self._goes_on else Earlier.SETTLED
        self._displaced = 0  # times that its end was not where the top said
        self.can_be_continued = True  # by another reading, from its chain
        # Ids that stood in a page several times in a row, and how often more.
        self._repeats: dict[int | str, int] = {}
        self.complete = False  # the end of the listing was reached and proved
        self.pages = 0

    @property
    def full(self) -> bool:
        return self.horizon is None

    def on_restart(self, call: Callable[[], None]) -> None:
        """`call` is called when the rows given so far no longer count, and all will come again."""
        self._on_restart = call

    @property
    def expected_rows(self) -> int | None:
        """The API's `count`: a hint for the progress bar and for how much to ask for ahead, never proof of an end."""
        return self.counts[-1] if self.counts else None

    @property
    def shortfall(self) -> int | None:
        """By how much the API's `count` exceeds the rows that were listed; negative where it is less.

        None where the end was not reached, or the API does not count, or counts no longer what an earlier reading read.
        """
        if not (self.complete and self.counts) or self._goes_on:
            return None
        rows, least, most = len(self.chain) + sum(self._repeats.values()), min(self.counts), max(self.counts)
        return max(0, least - rows) or min(0, most - rows)

    def __iter__(self) -> Iterator[list[Row]]:
        try:
            yield from self._stitched()
        except Disorder:
            yield from self._two_equal_passes()

    # -- newest first: overlapping windows ------------------------------------------------------------------------

    def _stitched(self) -> Iterator[list[Row]]:
        """Window after window, each joined to the chain; windows are asked for ahead and joined in order."""
        ahead = Ahead(self._fetch)
        overlap = OVERLAP  # rows that a window repeats; more where many have one time
        step_back = 0
        goes_on = True  # so says the API's last answer
        while True:
            self._ask_ahead(ahead, overlap, careful=step_back > 0 or not goes_on)
            window, answer = ahead.next()
            page = self._believed(window, answer)
            if not self._fits_earlier(window, page.rows):
                ahead.plan_from(0)
                step_back = 0
                continue
            new = self.chain.join(window, page.rows)
            if new is None:
                # Rows were deleted above, so what joins the chain stands further up; or many rows end it with one time.
                overlap = max(overlap, min(self.chain.overlap, self._ends.cap // 2))
                step_back = max(2 * step_back, self._ends.cap // 2)
                ahead.plan_from(max(0, window.start + OVERLAP - step_back))
                continue
            self._count_page(page, new)
            if new:
                yield new
            if self._beyond_horizon(page.rows):
                break
            served = self._ends.served(self.chain, window, page)
            if self._ends.are_shown(served, page, new):
                self.complete = True
                break
            if self._barren >= BARREN_WINDOWS:
                raise Disorder  # as where almost a page of rows has one time
            read = self._read_up_to(served, page, rejoined=step_back > 0)
            step_back, goes_on = 0, page.has_next
            if window.page == 1 or read != window.end:
                ahead.plan_from(read)
        ahead.drop()

    def _ask_ahead(self, ahead: Ahead, overlap: int, *, careful: bool) -> None:
        """Ask for as many windows as may be under way, but for one at least."""
        while len(ahead) < self._in_flight(ahead.planned, careful=careful) or not len(ahead):
            # What ends the chain is known only before others are asked for ahead.
            repeated = overlap if len(ahead) else max(overlap, self.chain.overlap)
            window = next_window(ahead.planned, self._ends.cap, repeated, avoid=self._ends.probed)
            if window is not None:
                ahead.ask(window)
            elif len(ahead):
                return
            else:
                raise Disorder  # pages of so few rows cannot overlap here

    def _fits_earlier(self, window: Window, rows: list[Row]) -> bool:
        """Whether this answer fits what an earlier reading has read; if it does not, planning begins at the top again.

        First the top has to meet that reading. Then the next window must find the end of it where the top says: a listing
        whose rows have changed places in between, or are in another order, could hide rows where nobody looks again.
        """
        if self._earlier is Earlier.SETTLED:
            return True
        if self._earlier is Earlier.TO_BE_MET:
            if self.chain.meets_earlier(window, rows):
                self._earlier = Earlier.TO_BE_IN_PLACE
                return True
            if self.chain.is_above(rows):
                return True
            self._start_again()
            return False
        if self.chain.is_in_place(window, rows):
            self._earlier = Earlier.SETTLED
            return True
        self._displaced += 1  # or rows have just come in above
        self._earlier = Earlier.TO_BE_MET
        if self._displaced > DISPLACED:
            self._start_again()
        return False

    def _start_again(self) -> None:
        self._on_restart()
        self.chain, self.counts, self._repeats = Chain(), [], {}
        self._ends.forget()
        self._goes_on = False
        self._earlier = Earlier.SETTLED

    def _read_up_to(self, window: Window, page: Page, *, rejoined: bool) -> int:
        """Where in the listing to go on: where the chain ends, unless that is no longer there."""
        if not page.rows:
            return 0
        end, shown = self.chain.offset_after(window, page.rows), window.start + len(page.rows)
        return shown if rejoined or not page.has_next or self._earlier is Earlier.TO_BE_MET else end

    def _in_flight(self, planned: int, *, careful: bool) -> int:
        """How many windows may be under way: one at first, then as many as there is evidence of work."""
        if careful or not self._accepted:
            return 1
        count = self.expected_rows
        if count is not None and count >= len(self.chain) and planned >= count:
            return 0
        return self._concurrency if self.horizon is None else min(self._concurrency, self._accepted)

    def _believed(self, window: Window, page: Page | None) -> Page:
        """The answer, where it can be one to this window; a page that does not exist has no rows."""
        if window.page == 1:
            page = first_page(page)
        if page is None:
            return Page([], None, has_next=False)
        if len(page.rows) > window.size:
            raise Disorder  # page_size is ignored
        if page.count is not None:
            self.counts.append(page.count)
        return page

    def _count_page(self, page: Page, new: list[Row]) -> None:
        keys = [row.key for row in page.rows]
        if len({*keys}) < len(keys):  # `scenarios=` repeats a row right after itself
            for key, same in groupby(keys):
                self._repeats[key] = max(self._repeats.get(key, 0), len([*same]) - 1)
        self.pages += 1
        self._accepted += 1
        self._barren = 0 if new else self._barren + 1

    def _refuse_loops(self) -> None:
        if self._barren >= BARREN_WINDOWS:
            raise ListingUnverified(
                f"The listing repeats itself: {self._barren} pages in a row brought nothing new after {len(self.chain):,} results; nothing was changed, try again later."
            )

    def _beyond_horizon(self, rows: list[Row]) -> bool:
        """Two rows beyond it: one alone, last in its window, has no successor that would betray a wrong order."""
        if self.horizon is None:
            return False
        beyond = {row.key for row in rows if row.created is not None and row.created < self.horizon}
        return len(beyond) > 1 and rows[-1].key in beyond

    # -- any other order: the same listing twice ------------------------------------------------------------------

    def _two_equal_passes(self) -> Iterator[list[Row]]:
        """The whole listing until two passes in a row give the same ids in the same sequence, and none twice.

        Each pass asks for pages of another size than the one before was served: what a server gets wrong in the same way
        for the same question (an old answer from a cache, equal times sorted anew for each page) comes out differently for
        another one. A size that the server cuts to that of before would be the same question once more.
        """
        self.horizon = None
        self.can_be_continued = False
        before: list[int | str] | None = None
        doubled: set[int | str] = set()
        cap, served = self._asked, 0
        for share in PASS_SIZES:
            self._start_again()
            one = Pass(doubled)
            size = round(cap * share)
            for page in self._pages_of(max(1, size - (size == served))):
                one.take(page.rows)
                new = self.chain.add(page.rows)
                self._count_page(page, new)
                self._refuse_loops()
                if new:
                    yield new
            served = one.page_length()
            cap = min(cap, served or cap)
            if not one.repeated and one.sequence == before:
                self.complete = True
                return
            before = None if one.repeated else one.sequence
        raise ListingUnverified(
            f"The listing has no dependable order and {len(PASS_SIZES)} readings of it differed: nothing was changed, try again when fewer calls are running."
        )

    def _pages_of(self, size: int) -> Iterator[Page]:
        """Page after page, to the first that is empty or not there."""
        ahead = Ahead(self._fetch)
        page_number, self._barren = 0, 0
        while True:
            while len(ahead) < self._concurrency:
                page_number += 1
                ahead.ask(Window(page_number, size))
            _, page = ahead.next()
            if page is None or not page.rows:
                ahead.drop()
                return
            if page.count is not None:
                self.counts.append(page.count)
            yield page
