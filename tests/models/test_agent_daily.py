import pytest

from support.base import Base

DAYS = """
    select cast(day as varchar), completed_results, decided_runs, passed_runs, pass_rate
    from analytics.agent_daily order by agent_id, day
"""


def test_the_rate_of_a_day_is_a_ratio_of_sums(base: Base) -> None:
    base.result(1, passed=1, of=1, created_at="2024-03-04 08:00:00+00")
    base.result(2, passed=0, of=9, created_at="2024-03-04 20:00:00+00")

    assert base.rows(DAYS) == [("2024-03-04", 2, 10, 1, 0.1)]


def test_days_without_a_result_are_there_with_counts_of_0_and_rates_of_null(base: Base) -> None:
    base.result(1, passed=1, of=2, created_at="2024-02-28 12:00:00+00")
    base.result(2, passed=2, of=2, created_at="2024-03-02 12:00:00+00")

    assert base.rows(DAYS) == [
        ("2024-02-28", 1, 2, 1, 0.5),
        ("2024-02-29", 0, 0, 0, None),
        ("2024-03-01", 0, 0, 0, None),
        ("2024-03-02", 1, 2, 2, 1.0),
    ]


def test_each_agent_has_its_own_days_from_its_first_to_its_last(base: Base) -> None:
    base.result(1, agent=1, created_at="2024-03-01 12:00:00+00")
    base.result(2, agent=2, created_at="2024-03-04 12:00:00+00")
    base.result(3, agent=2, created_at="2024-03-05 12:00:00+00")
    base.result(4, agent=None, created_at="2024-03-07 12:00:00+00")

    assert base.rows("select agent_id, cast(day as varchar) from analytics.agent_daily order by day") == [
        (1, "2024-03-01"),
        (2, "2024-03-04"),
        (2, "2024-03-05"),
        (None, "2024-03-07"),
    ]


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Auckland"])
def test_a_day_begins_at_midnight_utc_whatever_the_time_zone_of_the_reader(base: Base, zone: str) -> None:
    base.con.execute(f"set timezone = '{zone}'")
    base.result(1, passed=0, of=1, created_at="2024-03-04 23:59:59+00")
    base.result(2, passed=1, of=1, created_at="2024-03-05 00:00:00+00")

    assert base.rows(DAYS) == [("2024-03-04", 1, 1, 0, 0.0), ("2024-03-05", 1, 1, 1, 1.0)]


def test_the_moving_rate_is_a_ratio_of_sums_over_seven_days(base: Base) -> None:
    base.result(1, passed=0, of=2, created_at="2024-03-01 12:00:00+00")
    base.result(2, passed=8, of=8, created_at="2024-03-07 12:00:00+00")
    base.result(3, of=9, created_at="2024-03-16 12:00:00+00", status="running")

    assert base.rows("select pass_rate_moving from analytics.agent_daily order by day") == [
        *[(0.0,)] * 6,
        (0.8,),
        *[(1.0,)] * 6,
        *[(None,)] * 3,
    ]


def test_a_day_has_an_interval_and_an_empty_one_has_none(base: Base) -> None:
    base.result(1, passed=8, of=10, created_at="2024-03-01 12:00:00+00")
    base.result(2, passed=2, of=2, created_at="2024-03-03 12:00:00+00")

    rows = base.rows("select pass_rate_low, pass_rate_high from analytics.agent_daily order by day")

    assert rows[0] == pytest.approx((0.4901625, 0.9433178), abs=1e-7)
    assert rows[1] == (None, None)


def test_the_moving_rate_of_one_agent_knows_nothing_of_another(base: Base) -> None:
    base.result(1, agent=1, passed=0, of=2)
    base.result(2, agent=2, passed=2, of=2)

    assert base.rows("select agent_id, pass_rate_moving from analytics.agent_daily order by agent_id") == [
        (1, 0.0),
        (2, 1.0),
    ]


def test_infrastructure_failures_are_counted_beside_the_rate(base: Base) -> None:
    base.result(1, passed=1, of=2)
    base.result(2, of=2, status="failed")
    base.result(3, of=2, status="timeout")
    base.result(4, of=2, status="cancelled")

    assert base.row(
        "select infrastructure_failed_results, completed_results, pass_rate from analytics.agent_daily"
    ) == (2, 1, 0.5)


@pytest.mark.parametrize("absurd", ["9998-12-31 12:00:00+00", "0001-01-01 12:00:00+00"])
def test_one_absurd_date_does_not_make_millions_of_days(base: Base, absurd: str) -> None:
    base.result(1, passed=1, of=2, created_at="2024-03-04 12:00:00+00")
    base.result(2, passed=2, of=2, created_at=absurd)

    assert base.row("select count(*) < 11000, sum(passed_runs) from analytics.agent_daily") == (True, 3)
    assert base.row("select pass_rate_moving from analytics.agent_daily where day = '2024-03-04'") == (0.5,)


def test_a_result_without_a_date_belongs_to_no_day(base: Base) -> None:
    base.result(1, created_at=None)

    assert base.rows(DAYS) == []
