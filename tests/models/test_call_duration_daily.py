import pytest

from support.base import Base

DAYS = """
    select agent_id, cast(day as varchar), calls, mean_seconds, p50_seconds, p90_seconds, p95_seconds, longest_seconds
    from analytics.call_duration_daily order by agent_id, day
"""


def calls(base: Base, result_id: int, *seconds: float | None, **columns: object) -> None:
    base.result(result_id, of=len(seconds), **columns)
    for place, duration in enumerate(seconds):
        base.detail(result_id * 1000 + place, result_id, duration_seconds=duration)


def test_durations_are_told_by_agent_and_utc_day(base: Base) -> None:
    calls(base, 1, *range(101), created_at="2024-03-04 23:00:00+00")
    calls(base, 2, 10.0, 20.0, None, created_at="2024-03-05 00:00:00+00")
    calls(base, 3, 7.0, agent=2, created_at="2024-03-05 00:00:00+00")

    assert base.rows(DAYS) == [
        (1, "2024-03-04", 101, 50.0, 50.0, 90.0, 95.0, 100.0),
        (1, "2024-03-05", 2, 15.0, 15.0, pytest.approx(19.0), pytest.approx(19.5), 20.0),
        (2, "2024-03-05", 1, 7.0, 7.0, 7.0, 7.0, 7.0),
    ]


def test_runs_in_text_mode_are_no_calls(base: Base) -> None:
    calls(base, 1, 5.0, run_as_text=True)
    calls(base, 2, 6.0, run_as_text=None)

    assert base.rows("select calls, longest_seconds from analytics.call_duration_daily") == [(1, 6.0)]


def test_durations_of_the_list_need_no_details_and_go_before_them(base: Base) -> None:
    base.result(1, of=3)
    base.run(11, 1, True, duration_seconds=10.0)
    base.run(12, 1, True, duration_seconds=20.0)
    base.run(13, 1, True)

    assert base.rows("select calls, mean_seconds from analytics.call_duration_daily") == [(2, 15.0)]

    for run_id, seconds in ((11, 99.0), (13, 60.0), (14, 70.0)):
        base.detail(run_id, 1, duration_seconds=seconds)

    assert base.rows("select calls, mean_seconds from analytics.call_duration_daily") == [(4, 40.0)]
