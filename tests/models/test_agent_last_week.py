from datetime import date, timedelta

import pytest

from support.base import Base

WEEKS = """
    select agent_id, results, decided_runs, passed_runs, pass_rate,
    previous_results, previous_decided_runs, previous_passed_runs, previous_pass_rate, verdict
    from analytics.agent_last_week order by agent_id
"""


def test_the_seven_days_up_to_the_newest_result_are_held_against_the_28_before(base: Base) -> None:
    first = date(2024, 2, 1)
    for day in range(36):
        passed = 0 if day == 0 else 8 if day < 29 else 2
        base.result(day, passed, of=10, created_at=f"{first + timedelta(days=day)} 23:59:59+00")

    assert base.row("select cast(last_day as varchar) from analytics.agent_last_week") == ("2024-03-07",)
    assert base.rows(WEEKS) == [(1, 7, 70, 14, 0.2, 28, 280, 224, 0.8, None)]


def test_the_newest_result_of_any_agent_in_any_status_ends_the_week_of_all(base: Base) -> None:
    base.result(1, passed=1, of=2, agent=1, created_at="2024-03-01 00:00:00+00")
    base.result(2, of=2, agent=2, status="running", created_at="2024-03-09 00:00:00+00")

    assert base.rows(WEEKS) == [
        (1, 0, 0, 0, None, 1, 2, 1, 0.5, None),
        (2, 0, 0, 0, None, 0, 0, 0, None, None),
    ]


def test_a_result_dated_in_the_future_moves_no_week(base: Base) -> None:
    base.result(1, passed=1, of=2, created_at="2024-03-01 00:00:00+00")
    base.result(2, passed=1, of=2, created_at="9998-03-01 00:00:00+00")

    assert base.rows(WEEKS) == [(1, 1, 2, 1, 0.5, 0, 0, 0, None, None)]


def test_a_result_of_later_today_ends_the_week_and_one_of_tomorrow_does_not(base: Base) -> None:
    base.con.begin()  # inside a transaction it is one moment
    (today,) = base.row("select cast(current_timestamp at time zone 'UTC' as date)")
    base.result(1, passed=1, of=2, created_at=f"{today} 23:59:59.999999+00")
    base.result(2, passed=1, of=2, created_at=f"{today + timedelta(days=1)} 00:00:00+00")

    weeks = base.rows("select last_day, results from analytics.agent_last_week")
    base.con.rollback()

    assert weeks == [(today, 1)]


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_days_are_utc_whatever_the_zone_of_the_session(base: Base, zone: str) -> None:
    base.con.execute(f"set timezone = '{zone}'")
    base.result(1, passed=1, of=2, created_at="2024-03-08 23:59:59+00")
    base.result(2, passed=2, of=2, created_at="2024-03-15 00:00:00+00")

    assert base.rows(WEEKS) == [(1, 1, 2, 2, 1.0, 1, 2, 1, 0.5, None)]
