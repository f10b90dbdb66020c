"""Which window of a page-numbered listing to ask for next, and whether it joins what was read. Pure: no HTTP, no clock.

A listing by page number loses rows when something is deleted while it is read: what followed slides up, past the page
boundary. So each window overlaps the rows already read (the *chain*) by at least one row, by varying `page_size`. Where a
window holds a row of the chain, nothing can have slipped through between the two.
"""

from collections.abc import Sequence
from typing import NamedTuple

from cekura_sync.api.decode_rows import Row


class Disorder(Exception):
    """The listing is not strictly newest first, or ignores `page_size`: windows prove nothing here."""


class Window(NamedTuple):
    page: int
    size: int

    @property
    def start(self) -> int:
        return (self.page - 1) * self.size

    @property
    def end(self) -> int:
        return self.page * self.size


def next_window(read: int, cap: int) -> Window | None:
    """The window of at most `cap` rows that overlaps the first `read` rows by one or more and reaches furthest.

    None where every size from 2 to `cap` divides `read`, as at 60 rows with a cap of 5: no window crosses such a point.
    """
    if not read:
        return Window(1, cap)
    windows = (Window((read - 1) // size + 1, size) for size in range(cap, 1, -1))
    furthest = max(windows, key=lambda window: window.end, default=None)
    return furthest if furthest is not None and furthest.end > read else None


def window_after(read: int, cap: int) -> Window:
    """A window that begins exactly where `read` rows end; it is empty if they are all there is."""
    size = next(size for size in range(min(cap, read), 0, -1) if read % size == 0)
    return Window(read // size + 1, size)


class Chain:
    """The rows read so far, each id once: from the newest row of the first window downwards, and what has come above it since."""

    def __init__(self) -> None:
        self._position: dict[
            int | str, int
        ] = {}  # 0 is the first window's newest row; what came since is below 0
        self._came_since = 0  # rows
        self._top: tuple[int, int] | None = None  # (created, id) of the first window's newest row
        self.floor: tuple[int, int] | None = None  # (created, id) of the oldest row read

    def __len__(self) -> int:
        return len(self._position)

    def join(self, window: Window, rows: Sequence[Row]) -> list[Row] | None:
        """Add a window's rows; returns the new ones, or None when something may lie between window and chain.

        The first page always joins: nothing lies above it. Raises Disorder when the rows are not strictly newest first.
        """
        _check_order(rows)
        if window.start and not self._touches(rows):
            return None
        return self.add(rows)

    def _touches(self, rows: Sequence[Row]) -> bool:
        """Whether a row is of the chain; or all stand above it, where nothing is missed that was there at the start."""
        if any(row.key in self._position for row in rows):
            return True
        return len(rows) > 0 and all(self._is_above(row) for row in rows)

    def _is_above(self, row: Row) -> bool:
        here = _order(row)
        return here is not None and self._top is not None and here > self._top

    def add(self, rows: Sequence[Row]) -> list[Row]:
        """Add rows wherever they stand; returns the new ones."""
        new = list({row.key: row for row in rows if row.key not in self._position}.values())
        above = [row for row in new if self._is_above(row)]
        self._came_since += len(above)
        for place, row in enumerate(above, -self._came_since):
            self._position[row.key] = place
        for row in new:
            self._position.setdefault(row.key, len(self._position) - self._came_since)
        ordered = [here for row in new if (here := _order(row))]
        self._top = self._top or max(ordered, default=None)
        self.floor = min([*ordered, self.floor] if self.floor else ordered, default=None)
        return new

    def offset_after(self, window: Window, rows: Sequence[Row]) -> int:
        """Where the chain ends in the listing, as this window, just joined, shows it."""
        last = len(self._position) - self._came_since - 1
        return window.start + len(rows) + last - self._position[rows[-1].key]


def _order(row: Row) -> tuple[int, int] | None:
    """What the listing is ordered by, newest first; None for a row without it."""
    return (row.created, row.key) if row.created is not None and isinstance(row.key, int) else None


def _check_order(rows: Sequence[Row]) -> None:
    above: tuple[int, int] | None = None
    for row in rows:
        here = _order(row)
        if here is None:
            continue
        # `scenarios=` repeats a row right after itself.
        if above is not None and here > above:
            raise Disorder
        above = here
