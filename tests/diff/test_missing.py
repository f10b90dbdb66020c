"""When an address that brought nothing is asked again."""

from datetime import UTC, datetime, timedelta

from cekura_sync.diff.missing import is_due_again

FAILED = datetime(2026, 11, 1, tzinfo=UTC)


def tries(minutes_between: int, until: int) -> list[int]:
    """The minutes after the first failure at which syncs so far apart ask again."""
    asked, last = [], FAILED
    for minute in range(minutes_between, until, minutes_between):
        now = FAILED + timedelta(minutes=minute)
        asked += [minute] if is_due_again(FAILED, last, now) else []
        last = now
    return asked


def test_an_address_that_fails_is_asked_again_whenever_the_time_of_its_failing_has_doubled() -> None:
    assert tries(5, 500) == [15, 30, 60, 120, 240, 480]
    assert tries(15, 500) == [15, 30, 60, 120, 240, 480]


def test_syncs_that_are_far_apart_ask_each_time_but_not_for_ever() -> None:
    assert tries(100, 2000) == [100, 200, 300, 500, 1000]


def test_a_clock_that_was_ahead_keeps_nobody_from_asking() -> None:
    assert is_due_again(FAILED, FAILED, FAILED - timedelta(days=300))
