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


def test_a_run_that_the_details_of_two_results_describe_counts_once(base: Base) -> None:
    """In the result that lists it, or else in the newest; of runs of deleted results nothing counts."""
    for result_id, deleted_at in ((1, None), (2, None), (3, "2024-03-05")):
        base.result(result_id, of=0, deleted_at=deleted_at)
    base.run(10, 1, True)
    for run_id, results in ((10, (1, 2)), (11, (1, 2)), (12, (1, 3)), (13, (1,))):
        for result_id in results:
            base.metric(run_id, result_id, True)

    once = [(10, 1), (11, 2), (12, 1), (13, 1)]
    assert base.rows("select run_id, result_id from analytics.run_details order by all") == once
    assert base.rows("select run_id, result_id from analytics.run_metrics order by all") == once
