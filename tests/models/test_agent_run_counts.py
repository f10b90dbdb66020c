from support.base import Base


def test_results_are_counted_by_status(base: Base) -> None:
    for result_id, status in enumerate(
        ("completed", "completed", "completed", "failed", "timeout", "cancelled", "running", "paused", None)
    ):
        base.result(result_id, status=status)

    assert base.row(
        """select results, completed_results, infrastructure_failed_results, cancelled_results, in_flight_results
        from analytics.agent_run_counts"""
    ) == (9, 3, 2, 1, 3)


def test_results_are_counted_by_channel_and_trigger_and_those_that_do_not_say_by_neither(base: Base) -> None:
    base.result(1, run_as_text=True, is_cronjob=True)
    base.result(2, run_as_text=False, is_cronjob=True)
    base.result(3, run_as_text=False, is_cronjob=False)
    base.result(4, run_as_text=None, is_cronjob=None)

    assert base.row(
        """select results, voice_results, text_results, scheduled_results, manual_results
        from analytics.agent_run_counts"""
    ) == (4, 2, 1, 2, 1)


def test_runs_count_for_every_status_and_passes_for_completed_results_only(base: Base) -> None:
    base.result(1, passed=3, of=4, completed_runs_count=4)
    base.result(2, runs=[True, True], status="failed", completed_runs_count=1)
    base.result(3, of=10, status="running", completed_runs_count=6)
    base.result(4, of=None, completed_runs_count=None)

    assert base.row(
        "select runs, completed_runs, decided_runs, passed_runs from analytics.agent_run_counts"
    ) == (16, 11, 4, 3)


def test_deleted_results_are_not_counted(base: Base) -> None:
    base.result(1, passed=1, of=1)
    base.result(2, passed=1, of=1, deleted_at="2024-03-05 00:00:00+00")

    assert base.row("select results, runs, passed_runs from analytics.agent_run_counts") == (1, 1, 1)


def test_an_agent_that_said_nothing_countable_has_counts_of_0(base: Base) -> None:
    base.result(1, of=None, success_rate=None)

    assert base.row("select runs, completed_runs, passed_runs from analytics.agent_run_counts") == (0, 0, 0)
