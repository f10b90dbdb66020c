from support.base import Base


def test_the_list_of_results_says_whether_a_run_passed_and_otherwise_its_details_do(base: Base) -> None:
    base.result(1, of=3, _runs_known=True)
    base.run(10, 1, True)
    base.run(11, 1, None, status=None)
    base.detail(10, 1, success=False)
    base.detail(11, 1, success=False)
    base.detail(12, 1, success=True)  # the list has it no more
    base.result(2, of=1, _runs_known=False)
    base.detail(20, 2, success=True)

    assert base.rows("select run_id, passed from analytics.run_details order by run_id") == [
        (10, True),
        (11, False),
        (20, True),
    ]


def test_a_run_that_the_list_calls_lost_is_neither_passed_nor_failed_nor_measured(base: Base) -> None:
    base.result(1, of=3, _runs_known=True)
    base.run(10, 1, True)
    base.run(11, 1, False, status="failed")
    base.run(12, 1, True, error_message="No audio")
    for run_id, success in ((10, True), (11, False), (12, True)):
        base.detail(run_id, 1, success=success)
        base.metric(run_id, 1, passed=success)

    assert base.rows("select run_id, passed, outcome from analytics.run_details order by run_id") == [
        (10, True, "passed"),
        (11, None, "infrastructure_failure"),
        (12, None, "infrastructure_failure"),
    ]
    assert base.rows("select run_id from analytics.run_metrics") == [(10,)]


def test_an_error_message_without_words_is_none(base: Base) -> None:
    base.result(1, of=2, status="failed")
    base.detail(10, 1, error_message="")
    base.detail(11, 1, error_message="Websocket handshake failed")

    assert base.rows("select error_message from analytics.run_details order by run_id") == [
        (None,),
        ("Websocket handshake failed",),
    ]


def test_the_details_decide_where_the_list_did_not_show_the_runs_when_it_was_read_last(base: Base) -> None:
    base.result(1, runs=[False, True], _runs_known=False)
    base.run(102, 1, None, status="running")
    for run_id in (100, 101, 102):
        base.detail(run_id, 1, success=True)

    assert base.rows("select run_id, outcome, passed from analytics.run_details order by run_id") == [
        (100, "passed", True),
        (101, "passed", True),
        (102, "passed", True),
    ]
