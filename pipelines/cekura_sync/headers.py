"""What the API says of time in its headers."""

import math
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


def retry_after(value: str | None) -> float | None:
    """Seconds to wait from a Retry-After header (seconds or an HTTP date); None when absent or unreadable."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        ahead = clock_ahead(value)
        if ahead is None:
            return None
        seconds = -ahead.total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def clock_ahead(http_date: str | None) -> timedelta | None:
    """By how much our clock is ahead of that moment; None when it is no date."""
    try:
        moment = parsedate_to_datetime(http_date or "")
    except ValueError:
        return None
    return datetime.now(UTC) - moment.replace(tzinfo=moment.tzinfo or UTC)
