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
        ("a run does not say whether it passed", [True, True, True, True, None], {}),
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


def test_success_runs_count_is_never_used_for_passes(base: Base) -> None:
    base.result(1, passed=1, of=5, success_runs_count=5)

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
