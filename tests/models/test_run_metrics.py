from typing import Any

import pytest

from support.base import Base


@pytest.mark.parametrize(
    ("columns", "passed"),
    [
        ({"type": "binary", "score": 5.0}, True),
        ({"type": "binary", "score": 100.0}, True),
        ({"type": "binary", "score": 0.0}, False),
        ({"type": "binary_workflow_adherence", "score": 0.0}, False),
        ({"type": "binary", "score": None}, None),
        ({"type": "binary", "score": -1.0}, None),
        ({"type": "binary", "score": 0.0, "passed": True}, True),
        ({"type": "numeric", "score": 0.0, "passed": False}, False),
        ({"type": "numeric", "score": 0.0}, None),
        ({"type": None, "score": 5.0}, None),
    ],
)
def test_what_passing_a_metric_is(base: Base, columns: dict[str, Any], passed: bool | None) -> None:
    base.result(1, of=1)
    base.metric(10, 1, **columns)

    assert base.rows("select passed from analytics.run_metrics") == [(passed,)]


def test_a_metric_stands_with_its_run_and_its_agent(base: Base) -> None:
    base.result(1, of=1, agent=4)
    base.metric(10, 1, True, type="binary_workflow_adherence", explanation="")

    assert base.row(
        "select agent_id, metric_key, metric_type, scenario_id, scenario_name, result_status_group, explanation"
        " from analytics.run_metrics"
    ) == (4, "901", "binary", 7, "Refund", "completed", None)


def test_metrics_of_deleted_results_are_left_out(base: Base) -> None:
    base.result(1, of=1, deleted_at="2024-03-05")
    base.metric(10, 1, True)

    assert base.rows("from analytics.run_metrics") == []
    assert base.rows("from analytics.run_details") == []


def test_a_run_that_two_results_claim_is_measured_in_each(base: Base) -> None:
    base.result(1, of=1)
    base.result(2, of=1)
    base.metric(10, 1, True)
    base.metric(10, 2, False)

    assert base.rows("select result_id, run_id, passed from analytics.run_metrics order by 1") == [
        (1, 10, True),
        (2, 10, False),
    ]
