"""How many requests may be under way, and when: fewer once the API says that it was too much, slowly more again."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Throttle:
    """At most `most` requests at a time. A 429 halves that and makes all of them wait; good answers raise it by and by."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._allowed = float(most)
        self._under_way = 0
        self._not_before = 0.0  # time.monotonic()
        self._changed = threading.Condition()

    @contextmanager
    def slot(self, sleep: Callable[[float], None], closing: Callable[[], bool]) -> Iterator[None]:
        """Wait for a place among those under way, then for the end of the pause that a 429 has asked for."""
        with self._changed:
            self._changed.wait_for(lambda: closing() or self._under_way < int(self._allowed))
            self._under_way += 1
        try:
            sleep(self._not_before - time.monotonic())
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify()

    def pause(self, seconds: float) -> None:
        """One 429 is meant for all of us. Those that come in during the pause it brought say nothing new."""
        now = time.monotonic()
        with self._changed:
            if now >= self._not_before:
                self._allowed = max(1.0, self._allowed / 2)
            self._not_before = max(self._not_before, now + seconds)

    def went_well(self) -> None:
        """One more at a time after as many good answers as there may be under way: what TCP does."""
        with self._changed:
            self._allowed = min(self._most, self._allowed + 1 / self._allowed)
            self._changed.notify()

    def release(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._changed.notify_all()
