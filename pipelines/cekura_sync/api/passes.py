"""One reading of a listing without an order, to be compared with another one."""

from collections import Counter

from cekura_sync.api.decode_rows import Row


class Pass:
    """The ids of one pass, in the sequence in which they were listed, and how long its pages were."""

    def __init__(self, doubled: set[int | str]) -> None:
        """`doubled`: ids that passes before this one saw twice within one page, because `scenarios=` doubles rows; it adds its own."""
        self.sequence: list[int | str] = []
        self._moved = False  # an id stood in two places
        self._doubled = doubled
        self._cut: set[int | str] = set()  # ids that ended one page and began the next
        self._lengths: Counter[int] = Counter()
        self._seen: set[int | str] = set()

    def take(self, rows: list[Row]) -> None:
        self._lengths[len(rows)] += 1
        for place, row in enumerate(rows):
            if self.sequence and row.key == self.sequence[-1]:
                (self._doubled if place else self._cut).add(row.key)
                continue
            self._moved |= row.key in self._seen
            self._seen.add(row.key)
            self.sequence.append(row.key)

    @property
    def repeated(self) -> bool:
        """Whether rows have moved meanwhile, or have no fixed place: of two with one time, two pages may show one, and none the other."""
        return self._moved or not self._cut <= self._doubled

    def page_length(self) -> int:
        """Of most pages: a single one may be longer, from a time before the server lowered its cap."""
        return max(self._lengths, key=lambda length: (self._lengths[length], length), default=0)
