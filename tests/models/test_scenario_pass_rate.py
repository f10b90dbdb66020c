import pytest

from support.base import Base
from support.published import WILSON

COUNTS = """
    select agent_id, scenario_id, runs, decided_runs, passed_runs, pass_rate
    from analytics.scenario_pass_rate order by agent_id, scenario_id
"""


def test_runs_are_counted_by_agent_and_scenario(base: Base) -> None:
    base.result(1, agent=1)
    base.result(2, agent=2)
    base.run(1, 1, True, scenario=7)
    base.run(2, 1, False, scenario=7)
    base.run(3, 1, True, scenario=8)
    base.run(4, 2, False, scenario=7)

    assert base.rows(COUNTS) == [(1, 7, 2, 2, 1, 0.5), (1, 8, 1, 1, 1, 1.0), (2, 7, 1, 1, 0, 0.0)]


@pytest.mark.parametrize("status", ["running", "failed", "timeout", "cancelled"])
def test_only_runs_of_completed_results_count(base: Base, status: str) -> None:
    base.result(1, runs=[True])
    base.result(2, runs=[False], status=status)

    assert base.rows(COUNTS) == [(1, 7, 1, 1, 1, 1.0)]


def test_a_run_of_which_nobody_says_whether_it_passed_is_not_held_against_the_scenario(base: Base) -> None:
    base.result(1, runs=[True, None, None])

    assert base.rows(COUNTS) == [(1, 7, 3, 1, 1, 1.0)]


def test_a_scenario_of_which_nothing_is_known_has_rates_of_null(base: Base) -> None:
    base.result(1, runs=[None, None])

    assert base.row(
        "select runs, decided_runs, passed_runs, pass_rate, pass_rate_low, pass_rate_high"
        " from analytics.scenario_pass_rate"
    ) == (2, 0, 0, None, None, None)


@pytest.mark.parametrize("nothing", [None, "", " "])
def test_a_scenario_goes_by_the_name_on_its_newest_run_that_has_one(base: Base, nothing: str | None) -> None:
    base.result(1)
    base.run(1, 1, True, scenario_name="Zebra")
    base.run(3, 1, True, scenario_name=nothing)
    base.run(2, 1, True, scenario_name="Ant")

    assert base.rows("select scenario_id, scenario_name from analytics.scenario_pass_rate") == [(7, "Ant")]


def test_scenarios_without_an_id_are_told_apart_by_their_names(base: Base) -> None:
    base.result(1)
    for run_id, (name, passed) in enumerate(
        [("Refund", True), ("Cancel", False), ("Refund", True), ("", True)]
    ):
        base.run(run_id + 1, 1, passed, scenario=None, scenario_name=name)

    query = "select scenario_name, scenario_key, pass_rate from analytics.scenario_pass_rate order by runs, passed_runs"
    assert base.rows(query) == [
        ("Cancel", "name Cancel", 0.0),
        (None, None, 1.0),
        ("Refund", "name Refund", 1.0),
    ]


def test_a_scenario_without_any_name_has_a_row_all_the_same(base: Base) -> None:
    base.result(1)
    base.run(1, 1, True, scenario=None, scenario_name=None)

    assert base.rows("select scenario_id, scenario_name, runs from analytics.scenario_pass_rate") == [
        (None, None, 1)
    ]


def test_the_last_failure_is_dated_by_its_result(base: Base) -> None:
    base.result(1, runs=[False], created_at="2024-03-04 00:00:00+00")
    base.result(2, runs=[False, True], created_at="2024-03-05 00:00:00+00")
    base.result(3, runs=[True, None], created_at="2024-03-06 00:00:00+00")

    assert base.row("select cast(last_failed_at as varchar) from analytics.scenario_pass_rate") == (
        "2024-03-05 00:00:00+00",
    )


@pytest.mark.parametrize(("passed", "of", "low", "high"), WILSON)
def test_the_interval_is_wilsons_as_published(
    base: Base, passed: int, of: int, low: float, high: float
) -> None:
    base.result(1, runs=[True] * passed + [False] * (of - passed))

    interval = base.row("select pass_rate_low, pass_rate_high from analytics.scenario_pass_rate")

    assert interval == pytest.approx((low, high), abs=0.00005)
