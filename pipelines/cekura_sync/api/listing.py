"""Reads one listing to its end, or to a horizon, and proves that nothing between was missed."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from cekura_sync.api.decode_rows import Page, Row
from cekura_sync.api.paging import Chain, Disorder, Window, next_window, window_after
from cekura_sync.errors import ListingUnverified, UnbelievableAnswer

BARREN_WINDOWS = 4  # so many in a row without a new id are a loop; single ones happen while rows arrive
PASSES = 4  # tries at two equal passes where the order proves nothing


class PendingPage(Protocol):
    """A window asked for."""

    def result(self) -> Page | None: ...

    def cancel(self) -> object: ...


class FetchPage(Protocol):
    def __call__(self, window: Window, /) -> PendingPage:
        """Ask for a window; the answer is None where the API says that there is no such page."""


class Listing:
    """One reading of the listing; iterate over it for the rows, then ask what it proved."""

    def __init__(
        self,
        fetch: FetchPage,
        *,
        page_size: int,
        concurrency: int,
        horizon: int | None,
    ) -> None:
        """`horizon`: microseconds since 1970; reading stops at the first window that ends before it. None: read all."""
        self._fetch = fetch
        self._asked = self._cap = page_size
        self._concurrency = concurrency
        self._horizon = horizon
        self._on_restart: Callable[[], None] = lambda: None
        self._count: int | None = None
        self._next_link_unreliable = False
        self._accepted = 0
        self._barren = 0
        self.chain = Chain()
        self.complete = False  # the end of the listing was reached and proved
        self.pages = 0

    @property
    def full(self) -> bool:
        return self._horizon is None

    def on_restart(self, void: Callable[[], None]) -> None:
        """`void` is called when the rows given so far no longer count, and all will come again."""
        self._on_restart = void

    @property
    def expected_rows(self) -> int | None:
        """The API's `count`: a hint for the progress bar, never proof."""
        return self._count

    def __iter__(self) -> Iterator[list[Row]]:
        try:
            yield from self._stitched()
        except Disorder:
            yield from self._two_equal_passes()

    # -- newest first: overlapping windows ------------------------------------------------------------------------

    def _stitched(self) -> Iterator[list[Row]]:
        """Window after window, each joined to the chain; windows are asked for ahead and joined in order."""
        ahead: deque[tuple[Window, PendingPage]] = deque()
        planned = 0  # rows read once every window asked for has joined
        step_back = 0
        while True:
            while len(ahead) < self._in_flight(planned, careful=step_back > 0) or not ahead:
                following = next_window(planned, self._cap)
                if following is None:
                    break
                ahead.append((following, self._fetch(following)))
                planned = following.end
            if not ahead:
                raise Disorder  # pages of so few rows cannot overlap here
            window, answer = ahead.popleft()
            page = answer.result()
            rows = self._rows_of(window, page)
            new = self.chain.join(window, rows)
            if new is None:
                # Rows were deleted above: what joins the chain now stands further up.
                step_back = max(2 * step_back, self._cap // 2)
                planned = max(0, window.start + 1 - step_back)
                _drop(ahead)
                continue
            step_back = 0
            self._note_progress(new)
            if new:
                yield new
            if not rows:
                self.complete = True
                return
            read = self.chain.offset_after(window, rows)
            if self._beyond_horizon(rows):
                _drop(ahead)
                return
            if page is not None and self._looks_like_the_end(window, page):
                _drop(ahead)
                if self._is_the_end(read):
                    self.complete = True
                    return
                if window.page == 1 or (len(rows) > 1 and not new):
                    # Short, and yet not the end: lowered silently, in the middle or by a server that names no next.
                    self._cap = min(self._cap, len(rows))
                planned = read
            elif window.page == 1 or read != window.end:
                _drop(ahead)
                planned = read

    def _in_flight(self, planned: int, *, careful: bool) -> int:
        """How many windows may be under way: one at first, then as many as there is evidence of work."""
        if careful or not self._accepted:
            return 1
        if self._count is not None and self._count > len(self.chain) and planned >= self._count:
            return 0
        return self._concurrency if self._horizon is None else min(self._concurrency, self._accepted)

    def _rows_of(self, window: Window, page: Page | None) -> list[Row]:
        if page is None and window.page == 1:
            raise UnbelievableAnswer(
                "The API has no results listing (404): check --api-url and --api-version."
            )
        if page is None:
            return []
        if len(page.rows) > window.size:
            raise Disorder  # page_size is ignored
        self._count = page.count
        if window.page == 1 and not page.rows and (page.count or page.has_next):
            raise ListingUnverified(
                f"The first page is empty, yet the API speaks of {page.count or 'more'} results: nothing was changed, try again later."
            )
        if window.page == 1 and page.rows and page.has_next:
            self._cap = min(self._cap, len(page.rows))  # the server lowers page_size silently
            if self._cap < 2:
                raise Disorder  # windows of one row cannot overlap
        return page.rows

    def _note_progress(self, new: list[Row]) -> None:
        self.pages += 1
        self._accepted += 1
        self._barren = 0 if new else self._barren + 1
        if self._barren >= BARREN_WINDOWS:
            raise ListingUnverified(
                f"The listing repeats itself: {self._barren} pages in a row brought nothing new after {len(self.chain):,} results; nothing was changed, try again later."
            )

    def _beyond_horizon(self, rows: list[Row]) -> bool:
        """Two rows beyond it: one alone, last in its window, has no successor that would betray a wrong order."""
        if self._horizon is None:
            return False
        beyond = {row.key for row in rows if row.created is not None and row.created < self._horizon}
        return len(beyond) > 1 and rows[-1].key in beyond

    def _looks_like_the_end(self, window: Window, page: Page) -> bool:
        return len(page.rows) < min(window.size, self._cap) or not (
            page.has_next or self._next_link_unreliable
        )

    def _is_the_end(self, read: int) -> bool:
        """The end is real only when nothing follows it."""
        window = window_after(read, self._cap)
        page = self._fetch(window).result()
        if page is None or not page.rows:
            return True
        if len(page.rows) > window.size:
            raise Disorder
        self._next_link_unreliable = True
        return False

    # -- any other order: the same listing twice ------------------------------------------------------------------

    def _two_equal_passes(self) -> Iterator[list[Row]]:
        """The whole listing until two passes in a row give the same ids in the same sequence."""
        self._horizon = None
        before: list[int | str] | None = None
        for _ in range(PASSES):
            self._on_restart()
            self.chain = Chain()
            sequence: list[int | str] = []
            for rows in self._one_pass():
                sequence.extend(row.key for row in rows)
                yield rows
            if sequence == before:
                self.complete = True
                return
            before = sequence
        raise ListingUnverified(
            f"The listing has no dependable order and {PASSES} readings of it differed: nothing was changed, try again when fewer calls are running."
        )

    def _one_pass(self) -> Iterator[list[Row]]:
        ahead: deque[PendingPage] = deque()
        page_number, self._barren = 0, 0
        while True:
            while len(ahead) < self._concurrency:
                page_number += 1
                ahead.append(self._fetch(Window(page_number, self._asked)))
            page = ahead.popleft().result()
            if page is None or not page.rows:
                for answer in ahead:
                    answer.cancel()
                return
            new = self.chain.add(page.rows)
            self._note_progress(new)
            if new:
                yield new


def _drop(ahead: deque[tuple[Window, PendingPage]]) -> None:
    while ahead:
        ahead.pop()[1].cancel()
