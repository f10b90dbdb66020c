"""Limits of requests: how many at once, how many retries, and the times in the API's headers."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

from cekura_sync import clock
from cekura_sync.errors import CekuraSyncError, RateLimited


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


class Patience:
    """What one request has tried by itself: neither a 429 nor the pause after it is its fault."""

    def __init__(self) -> None:
        self.failures = 0
        self.seconds = 0.0

    @contextmanager
    def spent(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        except RateLimited:
            raise
        except CekuraSyncError:
            self.failures += 1
            self.seconds += time.monotonic() - began
            raise


def retry_after(value: str | None, ahead: timedelta | None = None) -> float | None:
    """Seconds to wait from a Retry-After header (seconds or an HTTP date); None when absent or unreadable.

    `ahead`: of our clock against the API's, whose date it is.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        past = clock_ahead(value)
        if past is None:
            return None
        seconds = ((ahead or timedelta()) - past).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def clock_ahead(http_date: str | None) -> timedelta | None:
    """By how much our clock is ahead of that moment; None if the text is not a date, or one beyond the calendar."""
    try:
        moment = parsedate_to_datetime(http_date or "")
        return clock.now() - moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
