"""What a page means that has fewer rows than were asked for: the server has lowered its limit, or the listing ends."""

from cekura_sync.api.ahead import FetchPage
from cekura_sync.api.decode_rows import Page, Row
from cekura_sync.api.paging import OVERLAP, Chain, Disorder, Window

LOWERED_CAPS = 8  # pages that are cut more often than this are not cut by a cap


class Ends:
    """Of one reading of the listing, window after window in order. Raises Disorder."""

    def __init__(self, fetch: FetchPage, page_size: int) -> None:
        self._fetch = fetch
        self.cap = page_size  # rows that the server gives at most, as far as we have seen
        self._lowered = 0  # times that it has cut a page to fewer rows than before
        self._false_promises = 0  # pages that `next` spoke of, and that were not there
        self.forget()

    def forget(self) -> None:
        """The reading begins again."""
        # Of the last window that joined, if it had room: the last row's time, else its key; its page, and how many rows it had.
        self._stopped: tuple[int | str, int, int] | None = None
        # It may have shown the end; the same question again would prove nothing.
        self.probed: Window | None = None

    def served(self, chain: Chain, window: Window, page: Page) -> Window:
        """The window that was answered: a server may lower `page_size`, silently and at any time.

        Then the page is short although more rows follow, and it stands where pages of its own length would put it.
        """
        rows = page.rows
        if not rows or len(rows) == window.size:
            return window
        cut = Window(window.page, len(rows))
        if page.has_next and not self._keeps_the_promise(window):
            return window
        if not page.has_next and chain.distance(window, rows) <= chain.distance(cut, rows):
            return window
        self._lowered += 1
        self.cap = min(self.cap, len(rows))
        if self._lowered > LOWERED_CAPS or self.cap <= OVERLAP:
            raise Disorder
        return cut

    def _keeps_the_promise(self, window: Window) -> bool:
        """Whether `next`, which names a page after this window, is right: some servers promise more than there is."""
        if window.page == 1:
            return True
        kept = self._exists(Window(window.page + 1, window.size))
        self._false_promises = 0 if kept else self._false_promises + 1
        return kept

    def _exists(self, window: Window) -> bool:
        page = self._fetch(window).result()
        return page is not None and len(page.rows) > 0

    def are_shown(self, window: Window, page: Page, new: list[Row]) -> bool:
        """Whether this answer, which joined, proves that the listing ends: everything quiet below its link is in it.

        It had room for more rows and there were none; it brought nothing new; and it stops where another answer before it
        stopped that had room too. One answer alone would be wrong where a lowered cap meets a `next` that is null too early; so would the
        same page twice, cut to the same length. And one page that `next` names and nobody finds does not yet prove that
        `next` always promises too much.
        """
        if not page.rows:
            # Asked again in another way, because a cache would answer the same question in the same way.
            return window.page == 1 and not self._exists(Window(1, max(1, window.size - 1)))
        last = page.rows[-1]
        has_room = len(page.rows) < window.size and (not page.has_next or self._false_promises > 1)
        stopped = (last.created or last.key, window.page, len(page.rows)) if has_room else None
        before, self._stopped = self._stopped, stopped
        self.probed = window if has_room else None
        if stopped is None or new or before is None or stopped[0] != before[0]:
            return False
        # At the top, a cut page stands where a whole one would.
        return self._is_all(page.rows) if window.page == 1 else stopped != before

    def _is_all(self, rows: list[Row]) -> bool:
        """Whether nothing follows the last of these in an answer that holds it too, if one can."""
        if len(rows) <= OVERLAP:
            return not self._exists(Window(2, len(rows)))
        probe = Window(2, len(rows) - 1)
        page = self._fetch(probe).result()
        found = page.rows if page is not None else []
        return len(found) < probe.size and found[-1:] != [] and found[-1].key == rows[-1].key
