import pytest

from support.base import Base

TIMES = """
    select cast(last_sync_at as varchar), last_sync_mode, cast(last_full_sync_at as varchar),
    cast(watermark as varchar) from analytics.sync_status
"""


def test_there_is_one_row_before_the_first_sync(base: Base) -> None:
    assert base.rows("select * from analytics.sync_status") == [(None, None, None, None, None, 0, 0, None)]


def test_the_last_sync_is_the_one_that_finished_last(base: Base) -> None:
    base.sync("2024-03-05 00:00:00+00", "quick", watermark="2024-03-04 23:00:00+00")
    base.sync("2024-03-04 00:00:00+00", "full", watermark="2024-03-03 23:00:00+00")

    assert base.rows(TIMES) == [
        ("2024-03-05 00:00:00+00", "quick", "2024-03-04 00:00:00+00", "2024-03-04 23:00:00+00")
    ]


def test_a_full_sync_of_another_scope_does_not_count(base: Base) -> None:
    base.sync("2024-03-03 00:00:00+00", "full")
    base.sync("2024-03-04 00:00:00+00", "full", scope={"agent_id": 5})
    base.sync("2024-03-05 00:00:00+00", "quick")

    assert base.row("select scope, cast(last_full_sync_at as varchar) from analytics.sync_status") == (
        "{}",
        "2024-03-03 00:00:00+00",
    )


def test_of_two_syncs_that_finished_at_one_instant_the_later_started_is_the_last(base: Base) -> None:
    base.sync("2024-03-05 00:00:00+00", "full", started_at="2024-03-04 23:58:00+00")
    base.sync("2024-03-05 00:00:00+00", "quick", started_at="2024-03-04 23:59:00+00")

    assert base.rows("select last_sync_mode from analytics.sync_status") == [("quick",)]


def test_live_and_unfinished_results_are_counted(base: Base) -> None:
    base.result(1)
    base.result(2, status="running")
    base.result(3, status="paused")
    base.result(4, status="running", deleted_at="2024-03-05 00:00:00+00")

    assert base.row("select live_results, in_flight_results from analytics.sync_status") == (3, 2)


def test_a_clock_that_was_ahead_once_does_not_hide_what_came_later(base: Base) -> None:
    base.sync("2024-03-04 00:00:00+00", generation=1)
    base.sync("2031-01-01 00:00:00+00", generation=2)
    base.sync("2024-03-05 00:00:00+00", generation=3)

    assert base.row("select cast(last_sync_at as varchar) from analytics.sync_status") == (
        "2024-03-05 00:00:00+00",
    )


OVERDUE = "select cast(overdue_at as varchar) from analytics.sync_status"


def test_a_job_is_overdue_after_its_longest_pause_and_the_hour_that_quiet_syncs_may_wait(base: Base) -> None:
    for finished in ("00:00", "00:15", "00:45", "01:00"):
        base.sync(f"2024-03-05 {finished}:00+00")

    assert base.row(OVERDUE) == ("2024-03-05 03:00:00+00",)


def test_an_outage_of_long_ago_does_not_make_a_job_seem_slow(base: Base) -> None:
    base.sync("2024-03-01 00:00:00+00")
    for minute in range(0, 40, 2):
        base.sync(f"2024-03-05 00:{minute:02}:00+00")

    assert base.row(OVERDUE) != ("2024-03-05 02:10:00+00",)

    base.sync("2024-03-05 00:40:00+00")

    assert base.row(OVERDUE) == ("2024-03-05 02:12:00+00",)


def test_a_single_sync_says_nothing_about_the_next(base: Base) -> None:
    base.sync("2024-03-05 00:00:00+00")

    assert base.row(OVERDUE) == (None,)


@pytest.mark.parametrize("wrong", ["2023-03-05 00:00:00+00", "2025-03-05 00:00:00+00"])
def test_one_wrong_clock_counts_neither_as_a_pause_nor_as_a_full_sync(base: Base, wrong: str) -> None:
    for generation, finished in enumerate(f"2024-03-05 00:{minute:02}:00+00" for minute in range(25)):
        base.sync(finished, mode="full" if generation == 0 else "quick", generation=generation)
    base.sync(wrong, mode="full", generation=25)
    base.sync("2024-03-05 00:25:00+00", generation=26)

    assert base.row("select cast(last_full_sync_at as varchar) from analytics.sync_status") == (
        "2024-03-05 00:00:00+00",
    )
    assert base.row(OVERDUE) == ("2024-03-05 01:56:00+00",)
