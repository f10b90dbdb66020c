from typing import Any

import pytest

from support.base import Base

PREVIOUS = "select result_id, previous_result_id from analytics.result_trend order by result_id"
DAY = "2024-03-{:02} 00:00:00+00"


def test_a_result_is_compared_with_those_before_it_by_time(base: Base) -> None:
    base.result(1, passed=8, of=10, created_at=DAY.format(3))
    base.result(2, passed=6, of=10, created_at=DAY.format(1))
    base.result(3, passed=7, of=10, created_at=DAY.format(2))

    assert base.rows(
        """select result_id, previous_result_id, pass_rate, previous_pass_rate, round(difference, 9), verdict
        from analytics.result_trend order by created_at"""
    ) == [
        (2, None, 0.6, None, None, None),
        (3, 2, 0.7, 0.6, 0.1, None),
        (1, 3, 0.8, 0.65, 0.15, None),
    ]


@pytest.mark.parametrize("other", [{"agent": 2}, {"name": "Weekly"}, {"run_as_text": True}])
def test_results_of_another_agent_name_or_channel_are_not_comparable(
    base: Base, other: dict[str, Any]
) -> None:
    base.result(1, passed=8, of=10, created_at=DAY.format(1))
    base.result(2, passed=2, of=10, created_at=DAY.format(2), **other)

    assert base.rows(PREVIOUS) == [(1, None), (2, None)]


def test_only_completed_results_have_a_row_or_are_compared_with(base: Base) -> None:
    base.result(1, passed=8, of=10, created_at=DAY.format(1))
    base.result(2, passed=0, of=10, created_at=DAY.format(2), status="failed")
    base.result(3, passed=0, of=10, created_at=DAY.format(3), status="running")
    base.result(4, passed=8, of=10, created_at=DAY.format(4))

    assert base.rows(PREVIOUS) == [(1, None), (4, 1)]


def test_a_result_without_decided_runs_has_no_comparison_and_is_skipped_by_the_next(base: Base) -> None:
    base.result(1, passed=8, of=10, created_at=DAY.format(1))
    base.result(2, of=0, created_at=DAY.format(2))
    base.result(3, of=10, success_rate=None, created_at=DAY.format(3))
    base.result(4, passed=8, of=10, created_at=DAY.format(4))

    assert base.rows(PREVIOUS) == [(1, None), (2, None), (3, None), (4, 1)]
    nothing = base.rows(
        """select pass_rate, previous_decided_runs, previous_passed_runs, previous_pass_rate, difference, verdict
        from analytics.result_trend where result_id in (2, 3)"""
    )
    assert nothing == [(None,) * 6] * 2
