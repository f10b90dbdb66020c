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

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cekura_sync.api.decode_rows import Row
from cekura_sync.api.places import Place, Places, number_of

OTHER_OVERLAPS = 5
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
    # With one window to avoid, others repeat a few rows more.
    overlaps = (overlap,) if avoid is None else range(overlap, overlap + OTHER_OVERLAPS)
    windows = [
        window
        for repeated in overlaps
        for size in range(min(cap, read - repeated), OVERLAP, -1)
        if (window := Window((read - repeated) // size + 1, size)) != avoid
    ]
    furthest = max(windows, key=lambda window: window.end, default=Window(1, cap - 1))
    return furthest if furthest.end > read else None


class Saved(NamedTuple):
    """A chain apart from its rows."""

    floor: int | None
    top: int | None
    overlap: int
    came_since: int


class Chain:
    """The rows read so far, each id once: from the newest row of the first window downwards, and what has come above it since."""

    def __init__(self, places: Iterable[Place] = (), saved: Saved = Saved(None, None, OVERLAP, 0)) -> None:  # noqa: B008 - it cannot be changed
        """With `places` and `saved` the chain of an earlier reading, to be continued."""
        # 0 is the first window's newest row; what came in above it since has positions below 0.
        self._places = Places()
        self._unsaved: list[Place] = []
        for place in places:
            self._put(place)
            self._unsaved.clear()
        self.floor = saved.floor  # the oldest time read, in microseconds since 1970
        self._top = saved.top  # the newest time of the first window
        # Rows that the next window must repeat to hold a link: more if many end the chain with one time.
        self.overlap = saved.overlap
        self._came_since = saved.came_since  # rows
        self._began_at = -saved.came_since  # the position of its newest row
        self._shift = 0  # the offset in the listing of the chain's position 0, when a window last joined
        self._earlier_shift = 0  # the same, when the top met the earlier reading

    def __len__(self) -> int:
        return len(self._places)

    @property
    def _last(self) -> int:
        return len(self._places) - self._came_since - 1

    def save(self) -> tuple[list[Place], Saved]:
        """What has been added since the last call, and the chain as it is now."""
        unsaved, self._unsaved = self._unsaved, []
        return unsaved, Saved(self.floor, self._top, self.overlap, self._came_since)

    def join(self, window: Window, rows: Sequence[Row]) -> list[Row] | None:
        """Add a window's rows; returns the new ones, or None when something may lie between window and chain.

        Raises Disorder when the rows are not newest first.
        """
        _check_order(rows)
        if window.start and not self._is_linked(rows):
            return None
        return self.add(rows)

    def _is_linked(self, rows: Sequence[Row]) -> bool:
        return any(self._is_link(row) for row in rows) or self.is_above(rows)

    def is_above(self, rows: Sequence[Row]) -> bool:
        """Whether all of these rows are newer than the first row that was read."""
        return len(rows) > 0 and all(self._is_newer(row) for row in rows)

    def _is_link(self, row: Row) -> bool:
        """A row whose time cannot be read is never one: nobody knows where it belongs."""
        if row.created is None or self.floor is None:
            return False
        place = self._places.get(number_of(row.key))
        return row.created > self.floor and place is not None and place.created == row.created

    def _is_newer(self, row: Row) -> bool:
        return row.created is not None and self._top is not None and row.created > self._top

    def _position(self, row: Row) -> int:
        place = self._places.get(number_of(row.key))
        assert place is not None  # noqa: S101 - it has just been added, or found
        return place.position

    def add(self, rows: Sequence[Row]) -> list[Row]:
        """Add rows wherever they stand; returns the new ones."""
        known = {row.key: self._places.get(number_of(row.key)) for row in rows}
        new = {row.key: row for row in rows if known[row.key] is None}
        above = {key: row for key, row in new.items() if self._is_newer(row)}
        self._came_since += len(above)
        self._add(above.values(), first=-self._came_since)
        below = (row for key, row in new.items() if key not in above) if above else new.values()
        self._add(below, first=len(self) - self._came_since)
        for row in rows:
            place = known[row.key]
            if place is not None and place.created != row.created:
                self._put(place._replace(created=row.created))
        self._lower_floor(rows)
        return [*new.values()]

    def _add(self, rows: Iterable[Row], *, first: int) -> None:
        """Rows that are new, from the position `first` on."""
        places = [
            Place(number_of(row.key), position, row.created) for position, row in enumerate(rows, first)
        ]
        for place in places:
            self._places.add(place)
        self._unsaved += places

    def _put(self, place: Place) -> None:
        if self._places.get(place.key) is None:
            self._places.add(place)
        else:
            self._places.replace(place)
        self._unsaved.append(place)

    def _lower_floor(self, rows: Sequence[Row]) -> None:
        times = [row.created for row in rows if row.created is not None]
        if not times:
            return
        self._top = max(times) if self._top is None else self._top
        floor = self.floor = min(times) if self.floor is None else min(*times, self.floor)
        if min(times) > floor:
            return  # this window ends above the chain's end
        from_end = (
            n for n, row in enumerate(reversed(rows), 1) if row.created is not None and row.created > floor
        )
        self.overlap = max(OVERLAP, next(from_end, self.overlap + len(rows)))

    # A reading that goes on with an earlier one. What it does not read again must be where it was: rows that have changed
    # places in between, or another order, could hide an unread row among those that were read.

    def meets_earlier(self, window: Window, rows: Sequence[Row]) -> bool:
        """Whether this window, which begins at the top or follows one that does, has a link that the earlier reading read."""
        for offset, row in enumerate(rows, window.start):
            if self._is_link(row) and self._position(row) >= self._began_at:
                self._earlier_shift = offset - self._position(row)
                return True
        return False

    def is_in_place(self, window: Window, rows: Sequence[Row]) -> bool:
        """Whether this window holds a link, and begins with the row that stood there if nothing has moved since they met."""
        place = self._places.get(number_of(rows[0].key)) if rows else None
        in_place = place is not None and window.start - place.position == self._earlier_shift
        return in_place and any(self._is_link(row) for row in rows)

    # Where things stand in the listing. For planning, and to see which window was answered; it proves no completeness.

    def offset_after(self, window: Window, rows: Sequence[Row]) -> int:
        """Where the chain ends in the listing, as this window, just joined, shows it."""
        self._shift = window.start - self._position(rows[0])
        # Those of one time may have changed places, so a window that ends with the floor ends where the chain does.
        below = self._last - self._position(rows[-1]) if rows[-1].created != self.floor else 0
        return window.start + len(rows) + below

    def distance(self, window: Window, rows: Sequence[Row]) -> int:
        """By how many rows this window, just joined, is off the place where the chain would have it."""
        return abs(window.start - self._position(rows[0]) - self._shift)


def _check_order(rows: Sequence[Row]) -> None:
    times = [row.created for row in rows if row.created is not None]
    if times != sorted(times, reverse=True):
        raise Disorder
