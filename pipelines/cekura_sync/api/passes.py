"""One reading of a listing without an order, to be compared with another one."""

from collections import Counter

from cekura_sync.api.decode_rows import Row


class Pass:
    """The ids of one pass, in the sequence in which they were listed, and how long its pages were."""

    def __init__(self) -> None:
        self.sequence: list[int | str] = []
        self._moved = False  # an id stood in two places
        self._doubled = False  # `scenarios=` repeats a row right after itself
        self._straddled = False  # the first row of a page was the last one of the page before
        self._lengths: Counter[int] = Counter()
        self._seen: set[int | str] = set()

    def take(self, rows: list[Row]) -> None:
        self._lengths[len(rows)] += 1
        for place, row in enumerate(rows):
            if self.sequence and row.key == self.sequence[-1]:
                self._doubled |= place > 0
                self._straddled |= place == 0
                continue
            self._moved |= row.key in self._seen
            self._seen.add(row.key)
            self.sequence.append(row.key)

    @property
    def repeated(self) -> bool:
        """Whether rows have moved meanwhile, or have no fixed place: of two with one time, a page's end may show one twice."""
        return self._moved or (self._straddled and not self._doubled)

    def page_length(self) -> int:
        """Of most pages: a single one may be longer, from a time before the server lowered its cap."""
        return max(self._lengths, key=lambda length: (self._lengths[length], length), default=0)
