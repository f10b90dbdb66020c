"""Which window of a page-numbered listing to ask for next, and what an answer proves. Pure: no HTTP, no clock.

A listing by page number loses rows when something is deleted while it is read: what followed moves up, past the page
boundary. So each window overlaps the rows already read (the *chain*), by varying `page_size`.

Why that proves something. Call a result *quiet* if it is listed and unchanged for as long as we read. Two quiet results of
different times never change places, whatever comes, goes or moves around them; only results of the same time may stand in
another sequence in each answer. We keep one claim true: **every quiet result newer than the chain's floor has been read.**

- The first window keeps it: it begins at the top of the listing, and its oldest time becomes the floor.
- A later window keeps it if it holds a *link*: a row of the chain that is newer than the floor and still has the
  `created_at` that it was read with. A quiet result at or below the floor, and newer than the window's own oldest row,
  stands below the link and above the window's end: so it is in the window. Then the window's oldest time is the new floor.
- A row at the floor is not a link: others of its time may stand above it in this answer, and were cut off in the one before.
- A row that has got another `created_at` is not a link: it may have moved down, past results that nobody has read.
- A window that begins at the top needs no link. Nor does one whose rows are all newer than the first row that we read:
  none of them was there when we began.
"""

from collections.abc import Sequence
from typing import NamedTuple

from cekura_sync.api.decode_rows import Row

OVERLAP = 2  # rows that a window repeats: the oldest one read, and a newer one to be the link


class Disorder(Exception):
    """The listing is not newest first, or ignores `page_size`: windows prove nothing here."""


class Window(NamedTuple):
    page: int
    size: int

    @property
    def start(self) -> int:
        return (self.page - 1) * self.size

    @property
    def end(self) -> int:
        return self.page * self.size


def next_window(read: int, cap: int, overlap: int = OVERLAP, avoid: Window | None = None) -> Window | None:
    """The window of at most `cap` rows that repeats the last `overlap` of the first `read` rows and reaches furthest.

    None where no window crosses such a point, as at 60 rows with a cap of 5. Never the first window again, nor the one to
    `avoid`: an answer that was given twice to one question proves nothing.
    """
    if not read:
        return Window(1, cap)
    sizes = range(min(cap, read - overlap), OVERLAP, -1)
    windows = [window for size in sizes if (window := Window((read - overlap) // size + 1, size)) != avoid]
    furthest = max(windows, key=lambda window: window.end, default=Window(1, cap - 1))
    return furthest if furthest.end > read else None


class Chain:
    """The rows read so far, each id once: from the newest row of the first window downwards, and what has come above it since."""

    def __init__(self) -> None:
        # 0 is the first window's newest row; what came in above it since has positions below 0.
        self._position: dict[int | str, int] = {}
        self._created: dict[int | str, int | None] = {}
        self._came_since = 0  # rows
        self._top: int | None = None  # the newest time of the first window
        self._shift = 0  # the offset in the listing of the chain's position 0, when a window last joined
        self.floor: int | None = None  # the oldest time read, in microseconds since 1970
        self.overlap = OVERLAP  # rows that the next window must repeat to hold a link: more if many end the chain with one time

    def __len__(self) -> int:
        return len(self._position)

    @property
    def _last(self) -> int:
        return len(self._position) - self._came_since - 1

    def join(self, window: Window, rows: Sequence[Row]) -> list[Row] | None:
        """Add a window's rows; returns the new ones, or None when something may lie between window and chain.

        Raises Disorder when the rows are not newest first.
        """
        _check_order(rows)
        if window.start and not self._is_linked(rows):
            return None
        return self.add(rows)

    def _is_linked(self, rows: Sequence[Row]) -> bool:
        if any(self._is_link(row) for row in rows):
            return True
        return len(rows) > 0 and all(self._is_above(row) for row in rows)

    def _is_link(self, row: Row) -> bool:
        """A row whose time cannot be read is never one: nobody knows where it belongs."""
        if row.created is None or self.floor is None:
            return False
        return row.created > self.floor and self._created.get(row.key) == row.created

    def _is_above(self, row: Row) -> bool:
        return row.created is not None and self._top is not None and row.created > self._top

    def add(self, rows: Sequence[Row]) -> list[Row]:
        """Add rows wherever they stand; returns the new ones."""
        new = list({row.key: row for row in rows if row.key not in self._position}.values())
        above = [row for row in new if self._is_above(row)]
        self._came_since += len(above)
        for position, row in enumerate(above, -self._came_since):
            self._position[row.key] = position
        for row in new:
            self._position.setdefault(row.key, len(self._position) - self._came_since)
        self._created.update((row.key, row.created) for row in rows)
        self._lower_floor(rows)
        return new

    def _lower_floor(self, rows: Sequence[Row]) -> None:
        times = [row.created for row in rows if row.created is not None]
        if not times:
            return
        self._top = max(times) if self._top is None else self._top
        floor = self.floor = min(times) if self.floor is None else min(*times, self.floor)
        if min(times) > floor:
            return  # this window ends above the chain's end
        links = [index for index, row in enumerate(rows) if row.created is not None and row.created > floor]
        self.overlap = max(OVERLAP, len(rows) - links[-1] if links else self.overlap + len(rows))

    # Where things stand in the listing. For planning, and to see which window was answered; it proves no completeness.

    def offset_after(self, window: Window, rows: Sequence[Row]) -> int:
        """Where the chain ends in the listing, as this window, just joined, shows it."""
        self._shift = window.start - self._position[rows[0].key]
        # Those of one time may have changed places, so a window that ends with the floor ends where the chain does.
        below = self._last - self._position[rows[-1].key] if rows[-1].created != self.floor else 0
        return window.start + len(rows) + below

    def distance(self, window: Window, rows: Sequence[Row]) -> int:
        """By how many rows this window, just joined, is off the place where the chain would have it."""
        return abs(window.start - self._position[rows[0].key] - self._shift)


def _check_order(rows: Sequence[Row]) -> None:
    times = [row.created for row in rows if row.created is not None]
    if times != sorted(times, reverse=True):
        raise Disorder
