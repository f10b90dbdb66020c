import math

import pytest

from support.base import Base
from support.published import WILSON

COUNTS = "select completed_results, decided_runs, passed_runs, pass_rate from analytics.agent_pass_rate"
RATES = """
    select pass_rate, pass_rate_low, pass_rate_high, strict_pass_rate, expected_outcome_rate,
    infrastructure_failure_rate from analytics.agent_pass_rate
"""


def test_the_pass_rate_is_a_ratio_of_sums_not_a_mean_of_rates(base: Base) -> None:
    base.result(1, passed=1, of=1)
    base.result(2, passed=0, of=9)

    assert base.row(COUNTS) == (2, 10, 1, 0.1)


@pytest.mark.parametrize("status", ["running", "paused", "failed", "timeout", "cancelled"])
def test_results_that_did_not_complete_are_outside_the_pass_rate(base: Base, status: str) -> None:
    base.result(1, passed=3, of=4)
    base.result(2, runs=[True, False, False], status=status)

    assert base.row(COUNTS) == (1, 4, 3, 0.75)


def test_deleted_results_are_outside_every_figure(base: Base) -> None:
    base.result(1, passed=3, of=4)
    base.result(2, passed=0, of=4, deleted_at="2024-03-05 00:00:00+00")
    base.result(3, of=4, status="failed", deleted_at="2024-03-05 00:00:00+00")

    assert base.row(COUNTS) == (1, 4, 3, 0.75)
    assert base.row("select infrastructure_failure_rate from analytics.agent_pass_rate") == (0.0,)


def test_a_result_whose_passes_are_unknown_neither_raises_nor_lowers_the_rate(base: Base) -> None:
    base.result(1, passed=3, of=4)
    base.result(2, of=100, success_rate=None)

    assert base.row(COUNTS) == (2, 4, 3, 0.75)


def test_an_agent_with_nothing_completed_has_counts_of_0_and_rates_of_null(base: Base) -> None:
    base.result(1, of=5, status="running", success_rate=0.4)

    assert base.row(COUNTS) == (0, 0, 0, None)
    assert base.row(RATES) == (None,) * 6


def test_an_agent_whose_completed_results_have_no_runs_has_no_pass_rate(base: Base) -> None:
    base.result(1, of=0, success_rate=0)

    assert base.row(COUNTS) == (1, 0, 0, None)
    assert base.row("select pass_rate_low, pass_rate_high from analytics.agent_pass_rate") == (None, None)


def test_the_strict_rate_counts_runs_of_infrastructure_failures_as_not_passed(base: Base) -> None:
    base.result(1, passed=6, of=6)
    base.result(2, runs=[True, True], status="failed")
    base.result(3, of=4, status="timeout", success_rate=None)
    base.result(4, of=50, status="cancelled")
    base.result(5, of=50, status="running")
    base.result(6, of=None, status="failed")

    assert base.row("select pass_rate, strict_pass_rate from analytics.agent_pass_rate") == (1.0, 0.5)


def test_the_infrastructure_failure_rate_leaves_cancelled_and_unfinished_results_out(base: Base) -> None:
    for result_id, status in enumerate(
        ("completed", "completed", "failed", "timeout", "cancelled", "running")
    ):
        base.result(result_id, status=status)

    assert base.row("select infrastructure_failure_rate from analytics.agent_pass_rate") == (0.5,)


def test_the_expected_outcome_rate_is_a_ratio_of_sums_over_completed_results(base: Base) -> None:
    base.result(1, met_expected_outcome_count=1, total_expected_outcome_count=1)
    base.result(2, met_expected_outcome_count=0, total_expected_outcome_count=3)
    base.result(3, met_expected_outcome_count=9, total_expected_outcome_count=9, status="running")
    base.result(4, met_expected_outcome_count=9, total_expected_outcome_count=8)
    base.result(5, met_expected_outcome_count=None, total_expected_outcome_count=6)

    assert base.row("select expected_outcome_rate from analytics.agent_pass_rate") == (0.25,)


@pytest.mark.parametrize(("passed", "of", "low", "high"), WILSON)
def test_the_interval_is_wilsons_as_published(
    base: Base, passed: int, of: int, low: float, high: float
) -> None:
    base.result(1, passed=passed, of=of)

    interval = base.row("select pass_rate_low, pass_rate_high from analytics.agent_pass_rate")

    assert interval == pytest.approx((low, high), abs=0.00005)


@pytest.mark.parametrize("of", [1, 2, 3, 7, 10, 999, 123_456_789])
def test_the_interval_ends_exactly_at_0_and_1_when_none_or_all_passed(base: Base, of: int) -> None:
    base.result(1, agent=1, passed=0, of=of)
    base.result(2, agent=2, passed=of, of=of)

    none, every = base.rows(
        "select pass_rate_low, pass_rate_high from analytics.agent_pass_rate order by agent_id"
    )

    assert none[0] == 0
    assert every[1] == 1
    assert 0 < none[1] < 1
    assert 0 < every[0] < 1


@pytest.mark.parametrize(("passed", "of"), [(1, 2), (3, 4), (9, 10), (0, 5), (5, 5), (123, 1000)])
def test_the_runs_needed_make_the_interval_a_tenth_wide_and_one_run_fewer_does_not(
    base: Base, passed: int, of: int
) -> None:
    base.result(1, passed=passed, of=of)
    (needed,) = base.row("select runs_needed from analytics.agent_pass_rate")

    def width(runs: int) -> float:
        # Wilson's interval at that rate, be the passes a whole number or not.
        rate, z = passed / of, 1.959963984540054
        return 2 * z * math.sqrt(rate * (1 - rate) / runs + z**2 / (4 * runs**2)) / (1 + z**2 / runs)

    assert width(needed) <= 0.1 < width(needed - 1)


def test_the_first_and_last_result_count_whatever_their_status(base: Base) -> None:
    base.result(1, status="failed", created_at="2024-01-01 00:00:00+00")
    base.result(2, created_at="2024-02-01 00:00:00+00")
    base.result(3, status="running", created_at="2024-03-01 00:00:00+00")

    assert base.row(
        "select cast(first_result_at as varchar), cast(last_result_at as varchar) from analytics.agent_pass_rate"
    ) == ("2024-01-01 00:00:00+00", "2024-03-01 00:00:00+00")


def test_a_renamed_agent_is_one_row_under_its_newest_name(base: Base) -> None:
    base.result(1, passed=1, of=2, agent_name="Old", created_at="2024-03-04 00:00:00+00")
    base.result(2, passed=2, of=2, agent_name="New", created_at="2024-03-05 00:00:00+00")

    assert base.rows("select agent_id, agent_name, pass_rate from analytics.agent_pass_rate") == [
        (1, "New", 0.75)
    ]


def test_results_without_an_agent_are_counted_under_null(base: Base) -> None:
    base.result(1, passed=1, of=2, agent=None, agent_name=None)

    assert base.rows("select agent_id, agent_name, decided_runs from analytics.agent_pass_rate") == [
        (None, None, 2)
    ]
