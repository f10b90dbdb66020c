"""Durations as options and variables write them: `90s`, `15m`, `24h`, `7d`, or `0`."""

import re
from datetime import timedelta

from cekura_sync.errors import SettingsError

LONGEST = timedelta(days=36500)  # any date less this one is still a date
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(text: str, given_by: str) -> timedelta:
    """`given_by`: the option, for the message. Raises SettingsError."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])|0", text.strip())
    if match is None:
        raise SettingsError(
            f"{given_by} '{text}' is not a duration: write a whole number and a unit, as in 90s, 15m, 24h or 7d."
        )
    seconds = int(match[1]) * _UNIT_SECONDS[match[2]] if match[1] else 0
    if seconds > LONGEST.total_seconds():
        raise SettingsError(f"{given_by} '{text}' is too long: write {LONGEST.days}d at most.")
    return timedelta(seconds=seconds)


def above_zero(text: str, given_by: str, why_not_zero: str) -> timedelta:
    """A duration. Raises SettingsError, also for a duration of zero."""
    length = duration(text, given_by)
    if not length:
        raise SettingsError(f"{given_by} {text} {why_not_zero}")
    return length


def interval(text: str) -> timedelta:
    """The duration between two syncs. Raises SettingsError."""
    return above_zero(text, "--every", "leaves no time between two syncs: write a duration such as 15m.")


def baseline(text: str) -> timedelta:
    """How far a baseline reaches. Raises SettingsError."""
    return above_zero(text, "--baseline", "leaves nothing to compare with: write a duration such as 28d.")
