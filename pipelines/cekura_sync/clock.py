"""The time of this machine. Everything that asks for it asks here, so that a test can set it."""

from datetime import UTC, datetime

# In which every time that can be believed lies. Not counted from now: the clock of this machine may be decades behind.
YEARS = range(2000, 2100)


def now() -> datetime:
    return datetime.now(UTC)


def latest(*moments: datetime | None) -> datetime | None:
    """Of those that are known; None where none is."""
    return max((moment for moment in moments if moment is not None), default=None)
