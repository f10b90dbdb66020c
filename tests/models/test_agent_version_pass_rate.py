import pytest

from support.base import Base
from support.published import WILSON

VERSIONS = """
    select agent_version, results, completed_results, decided_runs, passed_runs, pass_rate,
    previous_version, previous_decided_runs, previous_passed_runs, previous_pass_rate, verdict
    from analytics.agent_version_pass_rate order by agent_id, first_result_at
"""


def test_a_version_is_held_against_the_one_that_came_before_it(base: Base) -> None:
    base.result(1, passed=5, of=10, agent_version="v10", created_at="2024-03-01 00:00:00+00")
    base.result(2, passed=5, of=90, agent_version="v10", created_at="2024-03-04 00:00:00+00")
    base.result(3, passed=9, of=10, agent_version="v9", created_at="2024-03-02 00:00:00+00")
    base.result(4, of=10, agent_version="v9", status="failed", created_at="2024-03-03 00:00:00+00")

    assert base.rows(VERSIONS) == [
        ("v10", 2, 2, 100, 10, 0.1, None, None, None, None, None),
        ("v9", 2, 1, 10, 9, 0.9, "v10", 100, 10, 0.1, None),
    ]


def test_a_version_without_decided_runs_is_skipped_and_compared_with_none(base: Base) -> None:
    base.result(1, passed=9, of=10, agent_version="a", created_at="2024-03-01 00:00:00+00")
    base.result(2, of=10, agent_version="b", status="running", created_at="2024-03-02 00:00:00+00")
    base.result(3, passed=1, of=10, agent_version="c", created_at="2024-03-03 00:00:00+00")

    assert base.rows(VERSIONS) == [
        ("a", 1, 1, 10, 9, 0.9, None, None, None, None, None),
        ("b", 1, 0, 0, 0, None, None, None, None, None, None),
        ("c", 1, 1, 10, 1, 0.1, "a", 10, 9, 0.9, None),
    ]


def test_results_that_do_not_say_their_version_are_left_out(base: Base) -> None:
    base.result(1, passed=9, of=10)

    assert base.rows(VERSIONS) == []


def test_the_same_version_of_two_agents_is_two_versions(base: Base) -> None:
    for agent in (1, 2):
        base.result(agent, passed=1, of=2, agent=agent, agent_version="v1")

    assert base.rows(
        "select agent_id, previous_version from analytics.agent_version_pass_rate order by 1"
    ) == [
        (1, None),
        (2, None),
    ]


@pytest.mark.parametrize(("passed", "of", "low", "high"), WILSON)
def test_the_interval_is_wilsons_as_published(
    base: Base, passed: int, of: int, low: float, high: float
) -> None:
    base.result(1, passed=passed, of=of, agent_version="v1")

    interval = base.row("select pass_rate_low, pass_rate_high from analytics.agent_version_pass_rate")

    assert interval == pytest.approx((low, high), abs=0.00005)
