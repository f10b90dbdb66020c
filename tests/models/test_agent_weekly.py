import pytest

from support.base import Base

WEEKS = """
    select cast(week as varchar), completed_results, decided_runs, passed_runs, pass_rate
    from analytics.agent_weekly order by week
"""


def test_a_week_begins_on_monday_and_its_rate_is_a_ratio_of_sums(base: Base) -> None:
    base.result(1, passed=0, of=1, created_at="2024-03-03 23:59:59+00")
    base.result(2, passed=1, of=1, created_at="2024-03-04 00:00:00+00")
    base.result(3, passed=0, of=9, created_at="2024-03-10 23:59:59+00")

    assert base.rows(WEEKS) == [("2024-02-26", 1, 1, 0, 0.0), ("2024-03-04", 2, 10, 1, 0.1)]


def test_a_week_does_not_end_with_the_year(base: Base) -> None:
    base.result(1, passed=1, of=1, created_at="2024-12-31 12:00:00+00")
    base.result(2, passed=0, of=1, created_at="2025-01-05 12:00:00+00")

    assert base.rows(WEEKS) == [("2024-12-30", 2, 2, 1, 0.5)]


def test_weeks_without_a_result_are_there_with_counts_of_0_and_rates_of_null(base: Base) -> None:
    base.result(1, passed=1, of=2, created_at="2024-03-10 12:00:00+00")
    base.result(2, passed=2, of=2, created_at="2024-03-18 12:00:00+00")

    assert base.rows(WEEKS) == [
        ("2024-03-04", 1, 2, 1, 0.5),
        ("2024-03-11", 0, 0, 0, None),
        ("2024-03-18", 1, 2, 2, 1.0),
    ]


def test_the_moving_rate_covers_seven_weeks(base: Base) -> None:
    base.result(1, passed=0, of=2, created_at="2024-01-01 12:00:00+00")
    base.result(2, passed=8, of=8, created_at="2024-02-12 12:00:00+00")
    base.result(3, passed=1, of=2, created_at="2024-02-19 12:00:00+00")

    assert base.rows("select pass_rate_moving from analytics.agent_weekly order by week") == [
        *[(0.0,)] * 6,
        (0.8,),
        (0.9,),
    ]


def test_a_week_has_an_interval_and_an_empty_one_has_none(base: Base) -> None:
    base.result(1, passed=8, of=10, created_at="2024-03-04 12:00:00+00")
    base.result(2, passed=2, of=2, created_at="2024-03-18 12:00:00+00")

    rows = base.rows("select pass_rate_low, pass_rate_high from analytics.agent_weekly order by week")

    assert rows[0] == pytest.approx((0.4901625, 0.9433178), abs=1e-7)
    assert rows[1] == (None, None)
