"""What SIGINT and SIGTERM do. Imports almost nothing, so that the handlers are in place before the slow imports."""

import signal

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal asked us to stop."""


class StopSignals:
    """SIGINT and SIGTERM end the command, unless it is past the point up to which nothing has changed."""

    def __init__(self) -> None:
        self.received: int | None = None
        self.committed = False  # whether an earlier sync of this command may have changed something
        self._held = False
        self._came_late: int | None = None  # arrived while held; handled by the next `heed`

    def install(self) -> None:
        """Handle the signals; they wait until `heed`."""
        self.committed = False
        signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS)
        for number in _NUMBERS:
            signal.signal(number, self._handle)

    def heed(self) -> None:
        """Raises Stopped for a signal that has waited, and for each one from now on."""
        self.committed = self.committed or self._held
        self._held = False
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _NUMBERS)
        if self._came_late is not None:
            late, self._came_late = self._came_late, None
            self._handle(late, None)

    @property
    def waiting(self) -> bool:
        """Whether a signal has come while held."""
        return self._came_late is not None

    def hold(self) -> None:
        """From now on signals wait until the next `heed`."""
        self._held = True

    def _handle(self, number: int, _frame: object) -> None:
        if self._held:
            self._came_late = number
            return
        # An exception alone may surface as DuckDB's own "Query interrupted": remember the number too.
        self.received = number
        raise Stopped


stop_signals = StopSignals()
