"""What a pass is."""

from typing import Any

import pytest

from support.base import Base

PASSES = "select passed_runs, decided_runs, passes_from from analytics.results"


def test_passes_are_counted_from_the_runs_when_every_run_is_listed_with_its_outcome(base: Base) -> None:
    base.result(1, runs=[True, True, False, True, False], success_rate=0.2)

    assert base.row(PASSES) == (3, 5, "runs")


@pytest.mark.parametrize(
    ("why", "runs", "columns"),
    [
        ("fewer runs are listed than counted", [True, True], {"total_runs_count": 5}),
        ("more runs are listed than counted", [True] * 6, {"total_runs_count": 5}),
        ("no run says whether it passed", [None] * 5, {}),
        ("the runs are from an earlier time", [False] * 5, {"_runs_known": False}),
        ("nobody noted whether the runs are known", [False] * 5, {"_runs_known": None}),
        ("a run too many does not say whether it passed", [True] * 5 + [None], {"total_runs_count": 5}),
        ("the list of runs is empty", [], {"total_runs_count": 5}),
    ],
)
def test_otherwise_passes_are_the_success_rate_times_the_runs(
    base: Base, why: str, runs: list[bool | None], columns: dict[str, Any]
) -> None:
    base.result(1, runs=runs, success_rate=0.6, **columns)

    assert base.row(PASSES) == (3, 5, "success_rate"), why


def test_passes_from_a_success_rate_are_rounded_to_whole_runs(base: Base) -> None:
    base.result(1, of=3, success_rate=0.33)
    base.result(2, of=3, success_rate=0.67)
    base.result(3, of=7, success_rate=0.5)

    assert base.rows("select result_id, passed_runs from analytics.results order by result_id") == [
        (1, 1),
        (2, 2),
        (3, 4),
    ]


@pytest.mark.parametrize(
    ("rate", "runs", "passed"),
    [(0.5, 1, 1), (0.9, 5, 5), (0.45, 10, 5), (0.5, 5, 3), (0.285, 100, 29), (0.145, 100, 15)],
)
def test_a_half_is_rounded_up_also_where_a_double_falls_short_of_it(
    base: Base, rate: float, runs: int, passed: int
) -> None:
    base.result(1, of=runs, success_rate=rate)

    assert base.rows("select passed_runs from analytics.results") == [(passed,)]


INFRASTRUCTURE_INSIDE = {
    "total_runs_count": 10,
    "completed_runs_count": 8,
    "success_runs_count": 6,
    "failed_runs_count": 2,
    "success_rate": 60,
}
EVERYTHING = "select passed_runs, decided_runs, lost_runs, passes_from from analytics.results"


@pytest.mark.parametrize("success", [None, False, True])
def test_runs_that_the_infrastructure_ended_are_lost_and_not_decided(
    base: Base, success: bool | None
) -> None:
    base.result(1, runs=[True] * 6 + [False] * 2, **INFRASTRUCTURE_INSIDE)
    for run in (108, 109):
        base.run(run, 1, success, status="failed", error_message="Websocket handshake failed")

    assert base.row(EVERYTHING) == (6, 8, 2, "runs")
    assert base.row(
        "select pass_rate, strict_pass_rate, lost_runs, run_loss_rate from analytics.agent_pass_rate"
    ) == (0.75, 0.6, 2, 0.2)
    assert base.row("select pass_rate, decided_runs from analytics.scenario_pass_rate") == (0.75, 8)
    assert base.row("select runs, lost_runs, run_loss_rate from analytics.infrastructure_failures_daily") == (
        10,
        2,
        0.2,
    )
    assert base.row("select lost_runs from analytics.agent_run_counts") == (2,)


def test_believable_counts_give_the_same_without_the_runs(base: Base) -> None:
    base.result(1, **INFRASTRUCTURE_INSIDE)

    assert base.row(EVERYTHING) == (6, 8, 2, "counts")
    assert base.row("select pass_rate, strict_pass_rate from analytics.agent_pass_rate") == (0.75, 0.6)


@pytest.mark.parametrize(
    ("why", "counts"),
    [
        ("an older server counts all runs that ended", {"success_runs_count": 10}),
        ("success is not what the rate says", {"success_runs_count": 7, "failed_runs_count": 1}),
        ("more passed and failed than completed", {"failed_runs_count": 3}),
        ("more completed than there are", {"completed_runs_count": 11}),
        ("a count is negative", {"failed_runs_count": -1}),
        ("a count is missing", {"failed_runs_count": None}),
        ("there is no count of those that completed", {"completed_runs_count": None}),
    ],
)
def test_counts_that_cannot_be_believed_leave_the_passes_to_the_success_rate(
    base: Base, why: str, counts: dict[str, Any]
) -> None:
    base.result(1, **INFRASTRUCTURE_INSIDE | counts)

    assert base.row(EVERYTHING) == (6, 10, 0, "success_rate"), why


def test_without_a_success_rate_no_count_is_believed(base: Base) -> None:
    base.result(1, **INFRASTRUCTURE_INSIDE | {"success_rate": None})

    assert base.row(EVERYTHING) == (None, None, None, None)


def test_success_runs_count_of_an_older_server_is_not_the_number_of_passes(base: Base) -> None:
    base.result(1, passed=1, of=5, success_runs_count=5, failed_runs_count=0, completed_runs_count=5)

    assert base.row(PASSES) == (1, 5, "success_rate")


def test_rates_stay_as_they_are_while_none_is_above_1(base: Base) -> None:
    base.result(1, of=10, success_rate=1)
    base.result(2, of=10, success_rate=0.5)

    assert base.rows("select success_rate, passed_runs from analytics.results order by result_id") == [
        (1.0, 10),
        (0.5, 5),
    ]


def test_a_single_rate_above_1_makes_all_rates_percentages(base: Base) -> None:
    base.result(1, of=200, success_rate=100)
    base.result(2, of=200, success_rate=1)

    assert base.rows("select success_rate, passed_runs from analytics.results order by result_id") == [
        (1.0, 200),
        (0.01, 2),
    ]


def test_counts_tell_a_percentage_where_no_rate_is_above_1(base: Base) -> None:
    of_200 = {"success_runs_count": 2, "failed_runs_count": 198, "completed_runs_count": 200}
    base.result(1, of=200, success_rate=1.0, **of_200)
    base.result(2, of=10, success_rate=0, success_runs_count=0, failed_runs_count=10, completed_runs_count=10)

    assert base.row("select passed_runs, decided_runs from analytics.agent_pass_rate") == (2, 210)


def test_summaries_tell_a_percentage_where_no_rate_is_above_1(base: Base) -> None:
    base.result(1, runs=[True] * 2 + [False] * 198, success_rate=1.0)
    base.result(2, of=100, success_rate=1.0)

    assert base.row("select passed_runs, decided_runs from analytics.agent_pass_rate") == (3, 300)


def test_a_fraction_that_contradicts_failed_runs_makes_no_rate_a_percentage(base: Base) -> None:
    """As where a result was edited and its runs are those of an earlier reading."""
    failed = {"success_runs_count": 0, "failed_runs_count": 2, "completed_runs_count": 2}
    base.result(1, runs=[False, False], success_rate=0.5)
    base.result(2, of=2, success_rate=0.5, **failed)
    base.result(3, of=10, success_rate=0.8)

    rows = base.rows("select rate_evidence, passed_runs from analytics.results order by result_id")
    assert rows == [(None, 0), (None, 1), (None, 8)]


@pytest.mark.parametrize("rate", [1.0000000000000002, 1.0000001])
def test_a_rounding_error_above_1_proves_nothing(base: Base, rate: float) -> None:
    for result_id in range(1, 10):
        base.result(result_id, of=10, success_rate=0.5)
    base.result(10, of=10, success_rate=rate)

    assert base.row("select passed_runs, decided_runs from analytics.agent_pass_rate") == (55, 100)


def test_all_runs_counted_as_a_success_tell_no_scale(base: Base) -> None:
    """An older server counts so whatever passed."""
    of_100 = {"success_runs_count": 100, "failed_runs_count": 0, "completed_runs_count": 100}
    base.result(1, of=100, success_rate=1.0, **of_100)
    base.result(2, of=100, success_rate=3.0, **of_100)

    assert base.rows("select passed_runs from analytics.results order by result_id") == [(1,), (3,)]


def test_a_row_that_says_nothing_follows_the_majority_of_what_was_read_with_it(base: Base) -> None:
    base.result(1, runs=[True] * 9 + [False], success_rate=0.9)
    base.result(2, runs=[True] * 8 + [False] * 2, success_rate=0.8)
    base.result(3, of=10, success_rate=80)
    base.result(4, of=10, success_rate=1)

    assert base.rows("select passed_runs from analytics.results order by result_id") == [
        (9,),
        (8,),
        (8,),
        (10,),
    ]


def test_a_server_that_changes_its_scale_leaves_what_was_read_before_as_it_was(base: Base) -> None:
    first, second, third = (f"2024-0{month}-01 00:00:00+00" for month in (3, 4, 5))
    base.result(1, runs=[True, False], success_rate=0.5, synced_at=first)
    base.result(2, of=100, success_rate=1, synced_at=first)
    base.result(3, runs=[True, False], success_rate=50, synced_at=second)
    base.result(4, of=100, success_rate=1, synced_at=second)
    base.result(5, of=100, success_rate=1, synced_at=third)  # nobody of its time says: the time before
    base.result(6, of=100, success_rate=1, synced_at="2024-02-01 00:00:00+00")  # or the one after

    assert base.rows("select result_id, passed_runs from analytics.results order by 1") == [
        (1, 1),
        (2, 100),
        (3, 1),
        (4, 1),
        (5, 1),
        (6, 100),
    ]
    assert base.rows("select finding from analytics.data_quality where severity = 'error'") == []


def test_the_rate_above_1_may_stand_in_a_deleted_or_unfinished_result(base: Base) -> None:
    base.result(1, of=10, success_rate=80, deleted_at="2024-03-05 00:00:00+00", status="running")
    base.result(2, of=200, success_rate=1)

    assert base.rows("select result_id, success_rate from analytics.results") == [(2, 0.01)]


def test_not_a_number_and_infinity_prove_no_scale(base: Base) -> None:
    base.result(1, of=10, success_rate=float("nan"))
    base.result(2, of=10, success_rate=float("inf"))
    base.result(3, of=10, success_rate=0.5)

    assert base.rows(
        "select success_rate, passed_runs, decided_runs from analytics.results order by result_id"
    ) == [(None, None, None), (None, None, None), (0.5, 5, 10)]


def test_a_rate_that_is_not_within_0_and_1_is_not_believed(base: Base) -> None:
    base.result(1, of=10, success_rate=-0.1)
    base.result(2, of=10, success_rate=250)

    assert base.rows("select success_rate, passed_runs from analytics.results") == [(None, None)] * 2


@pytest.mark.parametrize("status", ["running", "failed", "timeout", "cancelled", "paused", None])
def test_only_completed_results_have_decided_runs(base: Base, status: str | None) -> None:
    base.result(1, runs=[True, False], status=status)

    assert base.row(PASSES) == (0, 0, None)


def test_nothing_is_decided_when_nobody_says_how_many_passed(base: Base) -> None:
    base.result(1, of=5, success_rate=None)

    assert base.row(PASSES) == (None, None, None)


def test_nothing_is_decided_when_nobody_says_how_many_runs_there_were(base: Base) -> None:
    base.result(1, of=None, success_rate=0.5)
    base.result(2, of=-3, success_rate=0.5)

    assert base.rows("select runs, decided_runs, passed_runs from analytics.results") == [(None,) * 3] * 2


@pytest.mark.parametrize("success_rate", [None, 0.0, 1.0])
def test_a_completed_result_without_runs_passed_none_of_none(base: Base, success_rate: float | None) -> None:
    base.result(1, of=0, success_rate=success_rate)

    assert base.row("select runs, decided_runs, passed_runs from analytics.results") == (0, 0, 0)


def test_an_empty_list_of_runs_is_a_known_nothing(base: Base) -> None:
    base.result(1, runs=[], success_rate=None)

    assert base.row(PASSES) == (0, 0, "runs")


def test_deleted_results_are_left_out_and_aged_out_ones_stay(base: Base) -> None:
    base.result(1, deleted_at="2024-03-05 00:00:00+00")
    base.result(2, aged_out_at="2024-06-05 00:00:00+00")
    base.result(3)

    assert base.rows("select result_id from analytics.results order by 1") == [(2,), (3,)]
