from typing import Any

import pytest

from cekura_sync.warehouse import counts
from support.base import Base


def test_a_run_carries_the_agent_and_the_time_of_its_result(base: Base) -> None:
    base.result(1, agent=5, created_at="2024-03-04 12:00:00+00")
    base.run(11, 1, True, scenario=7, scenario_name="Refund", duration_seconds=33.5)

    assert base.row(
        """select run_id, result_id, agent_id, scenario_id, scenario_name, passed, cast(created_at as varchar),
        duration_seconds from analytics.runs"""
    ) == (11, 1, 5, 7, "Refund", True, "2024-03-04 12:00:00+00", 33.5)


@pytest.mark.parametrize(
    ("run", "result_status", "outcome"),
    [
        ({"success": True}, "completed", "passed"),
        ({"success": False}, "completed", "failed"),
        ({"success": True, "error_message": ""}, "completed", "passed"),
        ({"success": True, "error_message": " "}, "completed", "passed"),
        ({"success": True, "error_message": "\r\n\t "}, "completed", "passed"),
        ({"success": True, "error_message": "No audio"}, "completed", "infrastructure_failure"),
        ({"success": False, "error_message": "No audio"}, "completed", "infrastructure_failure"),
        ({"success": False, "status": "failed"}, "completed", "infrastructure_failure"),
        ({"success": None, "status": "timeout"}, "running", "infrastructure_failure"),
        ({"success": None}, "completed", "infrastructure_failure"),
        ({"success": None}, "failed", "infrastructure_failure"),
        ({"success": None}, "running", "unknown"),
        ({"success": None, "status": None}, "completed", "unknown"),
        ({"success": True, "status": None}, "completed", "passed"),
        ({"success": None, "status": "cancelled"}, "completed", "cancelled"),
        ({"success": False, "status": "cancelled"}, "completed", "cancelled"),
        ({"success": False, "status": "evaluating"}, "running", "in_flight"),
        ({"success": None, "status": "paused"}, "running", "in_flight"),
        ({"success": True, "status": "paused"}, "completed", "passed"),
    ],
)
def test_a_run_has_one_outcome(base: Base, run: dict[str, Any], result_status: str, outcome: str) -> None:
    base.result(1, runs=[True], status=result_status)
    base.run(11, 1, **run)

    passed = {"passed": True, "failed": False}.get(outcome)
    assert base.row("select outcome, passed from analytics.runs where run_id = 11") == (outcome, passed)


def test_where_no_run_of_a_completed_result_has_a_verdict_none_was_lost(base: Base) -> None:
    base.result(1, runs=[None, None], success_rate=0.5)

    assert base.rows("select outcome from analytics.runs") == [("unknown",)] * 2


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("other", [{"success": True}, {"success": False, "status": "failed"}])
def test_where_any_run_has_a_verdict_one_without_was_lost_whether_they_are_counted_or_not(
    base: Base, counted: bool, other: dict[str, Any]
) -> None:
    base.result(1, runs=[None])
    base.run(11, 1, **other)
    if counted:
        counts.store(base.con)

    assert base.row("select outcome from analytics.runs where run_id <> 11") == ("infrastructure_failure",)
    assert base.row("select _runs_decided from cekura.results") == (
        (int("status" not in other),) if counted else (None,)
    )


def test_a_run_carries_what_its_result_is_grouped_by(base: Base) -> None:
    base.result(
        1, runs=[True], agent_version="Autumn", agent_version_id="77", project_id="301", is_cronjob=True
    )

    assert base.row(
        "select agent_name, trigger, channel, agent_version, agent_version_id, project_id from analytics.runs"
    ) == ("Anna", "scheduled", "voice", "Autumn", "77", "301")


def test_scenarios_without_an_id_are_told_by_their_names(base: Base) -> None:
    base.result(1, runs=[])
    for run_id, name in enumerate(("Refund", "Cancel booking", "Refund", "Cancel booking"), start=1):
        base.run(run_id, 1, name == "Refund", scenario=None, scenario_name=name)

    for view in ("scenario_pass_rate", "scenario_flakiness"):
        assert base.rows(f"select scenario_name, decided_runs from analytics.{view} order by 1") == [
            ("Cancel booking", 2),
            ("Refund", 2),
        ]


def test_runs_of_deleted_results_are_left_out(base: Base) -> None:
    base.result(1, runs=[True], deleted_at="2024-03-05 00:00:00+00")
    base.result(2, runs=[True])

    assert base.rows("select result_id from analytics.runs") == [(2,)]


def test_runs_of_a_result_whose_runs_are_no_longer_told_are_kept(base: Base) -> None:
    base.result(1, runs=[True, False], _runs_known=False)

    assert base.row("select count(*) from analytics.runs") == (2,)


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        ({"success": True}, "passed"),
        ({"success": False}, "failed"),
        ({"success": None}, "unknown"),
        ({"success": None, "status": "running"}, "unknown"),
        ({"success": False, "status": "evaluating"}, "unknown"),
        ({"success": None, "status": "paused"}, "unknown"),
        ({"success": None, "status": None}, "unknown"),
        ({"success": None, "status": "timeout"}, "infrastructure_failure"),
        ({"success": None, "status": "cancelled"}, "cancelled"),
        ({"success": None, "status": "running", "error_message": "No audio"}, "infrastructure_failure"),
    ],
)
@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_how_a_run_ended_is_unknown_if_only_an_earlier_reading_of_its_ended_result_listed_it(
    base: Base, run: dict[str, Any], outcome: str, status: str
) -> None:
    base.result(1, runs=[True], status=status, _runs_known=False)
    base.run(11, 1, **run)

    passed = {"passed": True, "failed": False}.get(outcome)
    assert base.row("select outcome, passed from analytics.runs where run_id = 11") == (outcome, passed)


def test_while_a_result_has_not_ended_its_runs_are_as_they_were_listed_last(base: Base) -> None:
    base.result(1, runs=[], status="running", _runs_known=False)
    base.run(11, 1, None, status="running")

    assert base.row("select outcome from analytics.runs") == ("in_flight",)
