"""What SIGINT and SIGTERM do. Imports next to nothing, so that it can stand before the slow imports."""

import signal

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal asked us to stop."""


class StopSignals:
    """SIGINT and SIGTERM end the command, unless it is past the point where that would still change nothing."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._held = False
        self._came_late: int | None = None  # while held: for whoever goes on to something else

    def install(self) -> None:
        """Handle the signals from now on; until `heed` they wait."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS)
        for number in _NUMBERS:
            signal.signal(number, self._handle)

    def heed(self) -> None:
        """Raises Stopped for a signal that has waited, and from now on for any other."""
        self._held = False
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _NUMBERS)
        if self._came_late is not None:
            late, self._came_late = self._came_late, None
            self._handle(late, None)

    def hold(self) -> None:
        self._held = True

    def _handle(self, number: int, _frame: object) -> None:
        if self._held:
            self._came_late = number
            return
        # An exception alone may surface as DuckDB's own "Query interrupted": remember the number too.
        self.received = number
        raise Stopped


stop_signals = StopSignals()
