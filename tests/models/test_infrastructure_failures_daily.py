from support.base import Base

DAYS = """
    select cast(day as varchar), completed, failed, timeout, cancelled, share
    from analytics.infrastructure_failures_daily order by day
"""


def test_the_share_is_failed_and_timeout_among_results_that_ended_and_were_not_cancelled(base: Base) -> None:
    for result_id, status in enumerate(
        ("completed", "completed", "completed", "failed", "failed", "timeout", "cancelled", "running")
    ):
        base.result(result_id, status=status)

    assert base.rows(DAYS) == [("2024-03-04", 3, 2, 1, 1, 0.5)]


def test_a_day_with_nothing_but_cancelled_results_has_no_share(base: Base) -> None:
    base.result(1, status="cancelled")

    assert base.rows(DAYS) == [("2024-03-04", 0, 0, 0, 1, None)]


def test_days_on_which_nothing_ended_are_left_out(base: Base) -> None:
    base.result(1, status="running", created_at="2024-03-03 12:00:00+00")
    base.result(2, status="failed", created_at="2024-03-05 12:00:00+00")

    assert base.rows(DAYS) == [("2024-03-05", 0, 1, 0, 0, 1.0)]


def test_a_day_is_a_utc_day_whatever_the_time_zone_of_the_reader(base: Base) -> None:
    base.con.execute("set timezone = 'Pacific/Auckland'")
    base.result(1, status="failed", created_at="2024-03-04 23:59:59+00")

    assert base.rows(DAYS) == [("2024-03-04", 0, 1, 0, 0, 1.0)]
