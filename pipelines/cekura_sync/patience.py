"""How much one request has tried, for the policy that says when to give up."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from cekura_sync.errors import CekuraSyncError, RateLimited


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
