import pytest

from support.base import Base

PERCENTILES = """
    select agent_id, metric_name, agent_version, cast(week as varchar), scored_runs, p50, p95, p99
    from analytics.metric_percentiles order by agent_id, metric_id, agent_version, week
"""


def measured(
    base: Base, result_id: int, *scores: float | None, day: str = "2024-03-04", **columns: object
) -> None:
    base.result(result_id, of=len(scores), created_at=f"{day} 12:00:00+00", **columns)
    for place, score in enumerate(scores):
        base.metric(
            result_id * 1000 + place, result_id, metric_id=903, name="Latency", type="numeric", score=score
        )


def test_percentiles_are_given_by_version_and_week(base: Base) -> None:
    measured(base, 1, *range(101), day="2024-03-04", agent_version="v1")
    measured(base, 2, 10.0, 20.0, None, day="2024-03-10", agent_version="v2")
    measured(base, 3, 7.0, day="2024-03-11", agent_version="v2")

    assert base.rows(PERCENTILES) == [
        (1, "Latency", "v1", "2024-03-04", 101, 50.0, 95.0, 99.0),
        (1, "Latency", "v2", "2024-03-04", 2, 15.0, pytest.approx(19.5), pytest.approx(19.9)),
        (1, "Latency", "v2", "2024-03-11", 1, 7.0, 7.0, 7.0),
    ]


def test_a_version_has_its_newest_name_and_may_have_none(base: Base) -> None:
    measured(base, 1, 1.0, agent_version="Old", agent_version_id="9")
    measured(base, 2, 3.0, day="2024-03-05", agent_version="New", agent_version_id="9")
    measured(base, 3, 5.0, agent=2)

    assert [(row[0], row[2], row[4]) for row in base.rows(PERCENTILES)] == [(1, "New", 2), (2, None, 1)]


def test_binary_metrics_and_results_that_are_not_completed_are_left_out(base: Base) -> None:
    base.measured(1, 100.0, 0.0, name="score", type="binary")
    measured(base, 2, 5.0, status="running")

    assert base.rows(PERCENTILES) == []
