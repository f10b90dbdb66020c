"""When a sync is full, how far a quick one reads back, and which rows in flight are due."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from cekura_sync import database, tables
from cekura_sync.diff.absent import InFlight
from cekura_sync.diff.history import History
from cekura_sync.diff.missing import is_due
from cekura_sync.warehouse import sync_log

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def past(**changes: object) -> History:
    known = {
        "last_started": NOW - timedelta(hours=1),
        "last_full_started": NOW - timedelta(hours=5),
        "watermark": NOW - timedelta(hours=3),
        "only_this_scope": True,
    }
    return History(**(known | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("last_full", "full_every", "full"),
    [
        (None, DAY, True),
        (None, timedelta(0), True),
        (NOW - timedelta(hours=23), DAY, False),
        (NOW - timedelta(hours=24), DAY, True),
        (NOW - timedelta(days=900), timedelta(0), False),
        (NOW + timedelta(hours=1), DAY, True),
    ],
    ids=[
        "never before",
        "never before, full never",
        "within",
        "as old",
        "full never",
        "the clock went back",
    ],
)
def test_a_sync_is_full_when_the_last_full_one_is_as_old_as_asked(
    last_full: datetime | None, full_every: timedelta, full: bool
) -> None:
    assert past(last_full_started=last_full).needs_full(NOW, full_every) is full


def test_a_quick_sync_reads_back_from_whichever_is_older_watermark_or_last_sync() -> None:
    def hours_back(**changes: object) -> float:
        horizon = past(**changes).horizon(DAY)
        assert horizon is not None
        return (NOW.timestamp() - horizon / 1_000_000) / 3600

    assert hours_back() == 24 + 3
    assert hours_back(watermark=NOW) == 24 + 1
    assert hours_back(watermark=None) == 24 + 1


def test_without_a_past_there_is_no_horizon() -> None:
    assert past(watermark=None, last_started=None).horizon(DAY) is None


def test_a_row_in_flight_is_read_at_every_sync_for_a_day_and_then_ever_more_rarely() -> None:
    changed = NOW
    row = InFlight(1, changed)
    quarter = timedelta(minutes=15)
    moments = [changed + number * quarter for number in range(1, 4 * 24 * 30)]

    due = [now for now in moments if is_due(row, now - quarter, now)]

    assert due[: 4 * 24] == moments[: 4 * 24]
    later = [now - changed for now in due[4 * 24 :]]
    assert 30 <= len(later) <= 40
    gaps = [second - first for first, second in pairwise(later)]
    assert all(abs(gap - first / 10) <= quarter for gap, first in zip(gaps, later, strict=False))


def test_a_sync_after_a_long_pause_reads_every_row_in_flight() -> None:
    assert is_due(InFlight(1, NOW - 30 * DAY), NOW - 20 * DAY, NOW)


def logged(*entries: tuple[datetime, str, str]) -> list[tuple[datetime, str, str]]:
    """What is left in `sync_log`, oldest first, of syncs that finished then, in this mode and scope."""
    blank = dict.fromkeys(tables.LOG)
    with database.connect() as con:
        con.execute("create schema cekura")
        tables.complete(con)
        for generation, (finished, mode, scope) in enumerate(entries):
            times = {"started_at": finished - timedelta(minutes=1), "finished_at": finished}
            entry = blank | times | {"mode": mode, "scope": scope, "generation": generation}
            sync_log.append(con, [entry])
        return con.execute("select finished_at, mode, scope from cekura.sync_log order by 1, 2, 3").fetchall()


def test_of_syncs_beyond_90_days_the_last_of_each_day_scope_and_mode_is_kept() -> None:
    def at(days_ago: int, hour: int, mode: str = "quick", scope: str = "{}") -> tuple[datetime, str, str]:
        return (NOW - days_ago * DAY).replace(hour=hour), mode, scope

    kept = logged(
        at(200, 1, "full"), at(200, 2), at(200, 3), at(199, 1), at(199, 2, scope="other"), at(199, 5),
        at(89, 1), at(89, 2), at(0, 1), at(0, 12),
    )  # fmt: skip

    assert kept == [
        at(200, 1, "full"), at(200, 3), at(199, 2, scope="other"), at(199, 5),
        at(89, 1), at(89, 2), at(0, 1), at(0, 12),
    ]  # fmt: skip


def test_a_sync_at_a_time_when_the_clock_was_ahead_costs_the_log_nothing_afterwards() -> None:
    entries = [(NOW + 9999 * DAY, "quick", "{}")] + [
        (NOW + timedelta(minutes=minute), "quick", "{}") for minute in range(3)
    ]

    assert len(logged(*entries)) == 4
