"""How fast a reading is, and how long the rest of it takes."""

import time


class Pace:
    """Counts from its creation."""

    def __init__(self, earlier: int = 0) -> None:
        """`earlier`: rows that an interrupted sync has read."""
        self._began = time.monotonic()
        self._earlier = earlier

    def rows_a_second(self, rows: int) -> float:
        return (rows - self._earlier) / max(time.monotonic() - self._began, 0.001)

    def seconds_left(self, rows: int, expected: int | None) -> float | None:
        """None if the expected number or the pace is unknown, or everything has been read."""
        rate = self.rows_a_second(rows)
        return (expected - rows) / rate if expected and expected > rows and rate > 0 else None


def roughly(seconds: float) -> str:
    """For people, as in `40 minutes`."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 1):.0f} seconds"
