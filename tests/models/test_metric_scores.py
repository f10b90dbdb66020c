import pytest

from support.base import Base


def test_scores_and_passes_are_summed_by_agent_metric_and_utc_day(base: Base) -> None:
    base.measured(1, 10.0, 20.0, None, name="score", type="numeric", created_at="2024-03-04 23:59:59+00")
    base.measured(2, 50.0, name="score", type="numeric", created_at="2024-03-05 00:00:00+00")
    base.measured(3, True, False, False, metric_id=902, name="passed", created_at="2024-03-05 01:00:00+00")
    base.measured(4, 1.0, name="score", type="numeric", agent=2, created_at="2024-03-05 01:00:00+00")

    assert base.rows(
        "select agent_id, metric_id, cast(day as varchar), runs, scored_runs, mean_score, lowest_score, highest_score,"
        " decided_runs, passed_runs, pass_rate from analytics.metric_scores order by agent_id, metric_id, day"
    ) == [
        (1, 901, "2024-03-04", 3, 2, 15.0, 10.0, 20.0, 0, 0, None),
        (1, 901, "2024-03-05", 1, 1, 50.0, 50.0, 50.0, 0, 0, None),
        (1, 902, "2024-03-05", 3, 0, None, None, None, 3, 1, pytest.approx(1 / 3)),
        (2, 901, "2024-03-05", 1, 1, 1.0, 1.0, 1.0, 0, 0, None),
    ]


@pytest.mark.parametrize("status", ["running", "failed", "timeout", "cancelled"])
def test_only_completed_results_count(base: Base, status: str) -> None:
    base.result(1, of=1, status=status)
    base.metric(10, 1, True)

    for view in (
        "metrics",
        "metric_scores",
        "metric_regressions",
        "failing_metrics",
        "personality_pass_rate",
    ):
        assert base.rows(f"from analytics.{view}") == [], view
    assert base.rows("from analytics.call_duration_daily") == []


def test_days_are_utc_whatever_the_zone_of_the_session(base: Base) -> None:
    base.con.execute("set timezone = 'Asia/Tokyo'")
    base.measured(1, True, created_at="2024-03-04 20:00:00+00")

    assert base.rows("select cast(day as varchar) from analytics.metric_scores") == [("2024-03-04",)]


def test_a_renamed_metric_stays_one(base: Base) -> None:
    base.result(1, of=2)
    base.metric(1, 1, True, name="Old")
    base.metric(2, 1, False, name="New")

    assert base.rows("select metric_name, decided_runs from analytics.metric_scores") == [("New", 2)]
