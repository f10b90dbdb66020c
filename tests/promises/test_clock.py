"""One bad clock does no lasting harm: neither this machine's nor the API's is the only witness."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from cekura_sync import clock
from cekura_sync.api.limits import clock_ahead, retry_after
from support.harness import Account, NewAccount

YEAR = timedelta(days=365)
SetClock = Callable[[timedelta], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Lets this machine's clock be ahead by so much, or behind."""

    def set_it(ahead: timedelta) -> None:
        monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + ahead)

    return set_it


@pytest.mark.long
def test_after_a_sync_in_the_future_one_is_full_and_the_next_are_quick_and_nothing_is_stuck(
    new_account: NewAccount, set_clock: SetClock
) -> None:
    account = new_account(results=20, runs_per_result=1, in_flight=0)
    set_clock(YEAR)
    account.sandbox.date = lambda: clock.now()  # a proxy whose clock is as wrong as ours
    account.world.start(1)
    assert account.sync().code == 0
    set_clock(timedelta())

    assert [account.sync().json["mode"] for _ in range(3)] == ["full", "quick", "quick"]
    account.world.insert(1)
    assert account.sync().code == 0
    assert account.query("select count(*) from analytics.stuck_results") == [(0,)]


def test_a_clock_that_is_behind_deletes_nothing_that_has_aged_out_and_reads_everything_only_once(
    new_account: NewAccount, set_clock: SetClock
) -> None:
    account = new_account(results=30, runs_per_result=1, days=120, in_flight=0)
    assert account.sync().code == 0
    oldest = min(account.world.results)
    account.world.delete(oldest)
    set_clock(-YEAR)

    ran = account.sync()

    assert (ran.code, ran.json["mode"], "days behind the API's" in ran.err) == (0, "full", True)
    gone = f"select deleted_at is null, aged_out_at is null from cekura.results where id = {oldest}"
    assert account.query(gone) == [(True, False)]
    assert account.sync().json["mode"] == "quick"
    set_clock(timedelta())
    account.world.insert(1)
    assert account.sync().json["mode"] == "quick"


@pytest.mark.parametrize("hours", [3, -3])
def test_a_clock_that_is_wrong_by_hours_is_named(
    new_account: NewAccount, set_clock: SetClock, hours: int
) -> None:
    set_clock(timedelta(hours=hours))

    ran = new_account(results=1, in_flight=0).sync("--dry-run")

    way = "ahead of" if hours > 0 else "behind"
    assert (ran.code, f"3 hours {way} the API's" in ran.err) == (0, True)


def test_an_api_whose_date_is_far_ahead_ages_nothing_out_that_was_deleted(settled: Account) -> None:
    settled.world.delete(min(settled.world.results))
    settled.sandbox.date = lambda: datetime.now(UTC) + YEAR

    ran = settled.sync("--full")

    assert (ran.code, ran.json["deleted"]) == (0, 1), ran.err


def test_a_wait_until_a_time_of_the_api_is_counted_by_its_own_clock() -> None:
    until = "Wed, 25 Nov 2026 12:00:10 GMT"
    ahead = datetime.now(UTC) - datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)

    seconds = retry_after(until, ahead)

    assert seconds is not None
    assert 9 <= seconds <= 10


@pytest.mark.parametrize(
    "date",
    ["Mon, 01 Jan 99999999999 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Foo 2026", ""],
)
def test_a_date_beyond_the_calendar_is_none(date: str) -> None:
    assert (clock_ahead(date), retry_after(date)) == (None, None)
