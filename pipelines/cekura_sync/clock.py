"""The time of this machine. Everything that asks for it asks here, so that a test can set it."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)
