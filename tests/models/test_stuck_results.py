from datetime import UTC, datetime, timedelta

import pytest

from support.base import Base

STUCK = "select result_id, status, cast(in_flight_since as varchar) from analytics.stuck_results order by result_id"


def test_a_result_is_stuck_when_it_is_in_flight_for_more_than_an_hour(base: Base) -> None:
    base.sync("2024-03-04 12:00:00+00")
    base.result(1, status="running", created_at="2024-03-04 10:59:59+00")
    base.result(2, status="running", created_at="2024-03-04 11:00:00+00")
    base.result(3, status="paused", created_at="2024-03-04 09:00:00+00")

    assert base.rows(STUCK) == [
        (1, "running", "2024-03-04 10:59:59+00"),
        (3, "paused", "2024-03-04 09:00:00+00"),
    ]


@pytest.mark.parametrize("status", ["completed", "failed", "timeout", "cancelled"])
def test_a_result_that_has_ended_is_never_stuck(base: Base, status: str) -> None:
    base.sync("2024-03-04 12:00:00+00")
    base.result(1, status=status, created_at="2024-03-01 00:00:00+00")

    assert base.rows(STUCK) == []


def test_deleted_results_are_not_stuck(base: Base) -> None:
    base.sync("2024-03-04 12:00:00+00")
    base.result(1, status="running", created_at="2024-03-01 00:00:00+00", deleted_at="2024-03-04 12:00:00+00")

    assert base.rows(STUCK) == []


def test_the_time_counts_to_the_last_sync_since_nobody_has_looked_later(base: Base) -> None:
    base.sync("2024-03-03 12:00:00+00")
    base.sync("2024-03-04 12:00:00+00")
    base.result(1, status="running", created_at="2024-03-04 10:30:00+00")
    base.result(2, status="running", created_at="2024-03-04 11:30:00+00")

    assert [row[0] for row in base.rows(STUCK)] == [1]


def test_a_sync_at_a_time_when_the_clock_was_ahead_makes_nothing_stuck_afterwards(base: Base) -> None:
    base.sync("2025-03-04 12:00:00+00", generation=1)
    base.sync("2024-03-04 12:00:00+00", generation=2)
    base.result(1, status="running", created_at="2024-03-04 11:30:00+00")

    assert base.rows(STUCK) == []


def test_the_time_counts_to_now_while_no_sync_is_logged(base: Base) -> None:
    now = datetime.now(UTC)
    base.result(1, status="running", created_at=now - timedelta(hours=2))
    base.result(2, status="running", created_at=now - timedelta(minutes=30))

    assert [row[0] for row in base.rows(STUCK)] == [1]


def test_a_sync_of_one_agent_looks_at_no_other(base: Base) -> None:
    base.sync("2024-03-04 10:00:00+00")
    base.sync("2024-03-04 12:00:00+00", scope={"agent_id": "2", "search": "smoke"})
    for agent in (1, 2, 12, 22, None):
        base.result(agent or 3, agent=agent, status="running", created_at="2024-03-04 09:30:00+00")

    assert [row[0] for row in base.rows(STUCK)] == [2]


def test_a_sync_of_a_part_of_all_agents_looks_at_every_result_in_flight(base: Base) -> None:
    base.sync("2024-03-04 10:00:00+00")
    base.sync("2024-03-04 12:00:00+00", scope={"search": '"agent_id": "2"'})
    base.result(1, status="running", created_at="2024-03-04 09:30:00+00")

    assert [row[0] for row in base.rows(STUCK)] == [1]


def test_a_result_of_an_agent_that_no_sync_has_read_is_not_stuck(base: Base) -> None:
    base.sync("2024-03-04 12:00:00+00", scope={"agent_id": "2"})
    base.result(1, agent=1, status="running", created_at="2024-03-01 00:00:00+00")

    assert base.rows(STUCK) == []


def test_a_result_that_runs_again_counts_from_when_a_sync_saw_it(base: Base) -> None:
    base.sync("2024-03-04 12:00:00+00")
    for id_, since in enumerate(("2024-03-04 11:30:00+00", "2024-03-04 10:30:00+00"), 1):
        base.result(id_, status="evaluating", created_at="2024-03-01 00:00:00+00", _in_flight_since=since)

    assert base.rows(STUCK) == [(2, "evaluating", "2024-03-04 10:30:00+00")]
