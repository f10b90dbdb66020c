from support.base import Base


def test_a_run_carries_the_agent_and_the_time_of_its_result(base: Base) -> None:
    base.result(1, agent=5, created_at="2024-03-04 12:00:00+00")
    base.run(11, 1, True, scenario=7, scenario_name="Refund", duration_seconds=33.5)

    assert base.row(
        """select run_id, result_id, agent_id, scenario_id, scenario_name, passed, cast(created_at as varchar),
        duration_seconds from analytics.runs"""
    ) == (11, 1, 5, 7, "Refund", True, "2024-03-04 12:00:00+00", 33.5)


def test_a_run_passed_when_its_success_is_true_and_is_open_while_nobody_says(base: Base) -> None:
    base.result(1, runs=[True, False, None])

    assert base.rows("select passed from analytics.runs order by run_id") == [(True,), (False,), (None,)]


def test_runs_of_deleted_results_are_left_out(base: Base) -> None:
    base.result(1, runs=[True], deleted_at="2024-03-05 00:00:00+00")
    base.result(2, runs=[True])

    assert base.rows("select result_id from analytics.runs") == [(2,)]


def test_runs_of_a_result_whose_runs_are_no_longer_told_are_kept(base: Base) -> None:
    base.result(1, runs=[True, False], _runs_known=False)

    assert base.row("select count(*) from analytics.runs") == (2,)
