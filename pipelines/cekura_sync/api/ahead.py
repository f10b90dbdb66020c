"""Windows of a listing that are asked for before the ones above them have been read."""

from collections import deque
from typing import Protocol

from cekura_sync.api.decode_rows import Page
from cekura_sync.api.paging import Window


class PendingPage(Protocol):
    """A window asked for."""

    def result(self) -> Page | None: ...

    def cancel(self) -> object: ...


class FetchPage(Protocol):
    def __call__(self, window: Window, /) -> PendingPage:
        """Ask for a window; the answer is None where the API says that there is no such page."""


class Ahead:
    """The windows that were asked for and not joined yet, in their order."""

    def __init__(self, fetch: FetchPage) -> None:
        self._fetch = fetch
        self._windows: deque[tuple[Window, PendingPage]] = deque()
        self.planned = 0  # rows of the listing that are read once every one of them has joined

    def __len__(self) -> int:
        return len(self._windows)

    def ask(self, window: Window) -> None:
        self._windows.append((window, self._fetch(window)))
        self.planned = window.end

    def next(self) -> tuple[Window, Page | None]:
        window, answer = self._windows.popleft()
        return window, answer.result()

    def plan_from(self, read: int) -> None:
        """Go on after so many rows of the listing, and forget what was asked for."""
        self.drop()
        self.planned = read

    def drop(self) -> None:
        while self._windows:
            self._windows.pop()[1].cancel()
