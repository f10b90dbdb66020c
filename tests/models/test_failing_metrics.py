import pytest

from support.base import Base
from support.published import WILSON

WHY = (
    "select last_explanation, last_explained_run_id, last_explained_result_id from analytics.failing_metrics"
)


def test_failures_are_counted_by_agent_and_metric(base: Base) -> None:
    base.measured(1, True, False, False, None)
    base.measured(2, True, agent=2)
    base.measured(3, False, metric_id=902)

    assert base.rows(
        "select agent_id, metric_id, decided_runs, failed_runs, failing_share from analytics.failing_metrics"
        " order by agent_id, metric_id"
    ) == [(1, 901, 3, 2, pytest.approx(2 / 3)), (1, 902, 1, 1, 1.0), (2, 901, 1, 0, 0.0)]


def test_a_metric_that_only_gives_a_score_is_not_there(base: Base) -> None:
    base.measured(1, 3.0, name="score", type="numeric")

    assert base.rows("from analytics.failing_metrics") == []


def test_the_explanation_is_that_of_the_newest_failure(base: Base) -> None:
    base.measured(2, False, explanation="first", created_at="2024-03-04 00:00:00+00")
    base.measured(1, False, explanation="then", created_at="2024-03-05 00:00:00+00")
    base.measured(3, True, explanation="all is well", created_at="2024-03-06 00:00:00+00")

    assert base.row(WHY) == ("then", 100, 1)
    assert base.row("select cast(last_failed_at as varchar) from analytics.failing_metrics") == (
        "2024-03-05 00:00:00+00",
    )


def test_a_failure_that_says_why_goes_before_a_newer_one_that_does_not(base: Base) -> None:
    base.measured(1, False, explanation="so", created_at="2024-03-04 00:00:00+00")
    base.measured(2, False, explanation="", created_at="2024-03-05 00:00:00+00")

    assert base.row(WHY) == ("so", 100, 1)


def test_where_nobody_says_why_the_newest_failure_is_named_all_the_same(base: Base) -> None:
    base.measured(1, False, False)

    assert base.row(WHY) == (None, 101, 1)


def test_a_metric_that_never_fails_has_no_explanation(base: Base) -> None:
    base.measured(1, True, explanation="fine")

    assert base.row(WHY) == (None, None, None)


def test_the_scenarios_that_fail_are_counted_once_each(base: Base) -> None:
    base.result(1, of=3)
    for run_id, scenario in ((1, 7), (2, 7), (3, 8)):
        base.detail(run_id, 1, scenario=scenario)
        base.metric(run_id, 1, False)

    assert base.row("select failed_runs, failed_scenarios from analytics.failing_metrics") == (3, 2)


@pytest.mark.parametrize(("failed", "of", "low", "high"), WILSON)
def test_the_interval_is_wilsons_as_published(
    base: Base, failed: int, of: int, low: float, high: float
) -> None:
    base.measured(1, *[False] * failed, *[True] * (of - failed))

    interval = base.row("select failing_share_low, failing_share_high from analytics.failing_metrics")

    assert interval == pytest.approx((low, high), abs=0.00005)
