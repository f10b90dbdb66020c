"""Which window of a page-numbered listing to ask for next, and whether it joins what was read. Pure: no HTTP, no clock.

A listing by page number loses rows when something is deleted while it is read: what followed slides up, past the page
boundary. So each window overlaps the rows already read (the *chain*) by at least one row, by varying `page_size`. Where a
window holds a row of the chain, nothing can have slipped through between the two.
"""

from collections.abc import Sequence
from typing import NamedTuple

from cekura_sync.answers import Row


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
    """The rows read so far, in listing order, each id once."""

    def __init__(self) -> None:
        self._position: dict[int | str, int] = {}
        self.floor: tuple[int, int] | None = None  # (created, id) of the oldest row read

    def __len__(self) -> int:
        return len(self._position)

    def join(self, window: Window, rows: Sequence[Row]) -> list[Row] | None:
        """Add a window's rows; returns the new ones, or None when something may lie between window and chain.

        The first page always joins: nothing lies above it. Raises Disorder when the rows are not strictly newest first.
        """
        _check_order(rows)
        if window.start and not any(row.key in self._position for row in rows):
            return None
        return self.add(rows)

    def add(self, rows: Sequence[Row]) -> list[Row]:
        """Add rows wherever they stand; returns the new ones."""
        new = []
        for row in rows:
            if row.key not in self._position:
                self._position[row.key] = len(self._position)
                new.append(row)
                if row.created is not None and isinstance(row.key, int):
                    self.floor = min(self.floor or (row.created, row.key), (row.created, row.key))
        return new

    def offset_after(self, window: Window, rows: Sequence[Row]) -> int:
        """Where the chain ends in the listing, as this window, just joined, shows it."""
        behind = len(self._position) - 1 - self._position[rows[-1].key]
        return window.start + len(rows) + behind


def _check_order(rows: Sequence[Row]) -> None:
    above: tuple[int, int] | None = None
    for row in rows:
        if row.created is None or not isinstance(row.key, int):
            continue
        here = (row.created, row.key)
        # `scenarios=` repeats a row right after itself.
        if above is not None and here != above and here > above:
            raise Disorder
        above = here
