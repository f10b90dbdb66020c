import pytest

from support.base import Base

SIDES = """
    select agent_id, note, before_results, before_decided_runs, before_passed_runs, before_pass_rate,
    after_results, after_decided_runs, after_passed_runs, after_pass_rate, verdict
    from analytics.agent_change_effect order by changed_at, agent_id, line
"""
SPANS = """
    select cast(before_since as varchar), cast(changed_at as varchar), cast(after_until as varchar)
    from analytics.agent_change_effect order by changed_at
"""


def test_the_runs_after_a_change_are_held_against_those_before_it(base: Base) -> None:
    base.change("2024-03-05 12:00:00+00", note="Shorter greeting")
    base.result(1, passed=10, of=10, created_at="2024-03-04 12:00:00+00")
    base.result(2, passed=30, of=90, created_at="2024-03-05 11:59:59+00")
    base.result(3, passed=9, of=10, created_at="2024-03-06 12:00:00+00")

    assert base.rows(SIDES) == [(1, "Shorter greeting", 2, 100, 40, 0.4, 1, 10, 9, 0.9, None)]


def test_a_result_at_the_very_moment_of_the_change_comes_after_it(base: Base) -> None:
    base.change("2024-03-05 12:00:00+00")
    base.result(1, passed=1, of=2, created_at="2024-03-05 12:00:00+00")

    assert base.rows(SIDES) == [(1, None, 0, 0, 0, None, 1, 2, 1, 0.5, None)]


def test_both_sides_reach_14_days_at_most(base: Base) -> None:
    base.change("2024-03-20 12:00:00+00")
    base.result(1, passed=0, of=1, created_at="2024-03-06 11:59:59+00")
    base.result(2, passed=1, of=2, created_at="2024-03-06 12:00:00+00")
    base.result(3, passed=2, of=2, created_at="2024-04-03 11:59:59+00")
    base.result(4, passed=0, of=1, created_at="2024-04-03 12:00:00+00")

    assert base.rows(SPANS) == [
        ("2024-03-06 12:00:00+00", "2024-03-20 12:00:00+00", "2024-04-03 12:00:00+00")
    ]
    assert base.rows(SIDES) == [(1, None, 1, 2, 1, 0.5, 1, 2, 2, 1.0, None)]


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Auckland"])
def test_14_days_are_as_long_where_the_session_changes_to_summer_time(base: Base, zone: str) -> None:
    base.change("2024-03-20 12:00:00+00")
    base.con.execute(f"set timezone = '{zone}'")

    assert base.row(
        "select epoch(changed_at) - epoch(before_since), epoch(after_until) - epoch(changed_at) from analytics.agent_change_effect"
    ) == (1_209_600, 1_209_600)


def test_a_neighbouring_change_of_the_agent_ends_a_side(base: Base) -> None:
    base.change("2024-03-05 00:00:00+00", note="first")
    base.change("2024-03-07 00:00:00+00", note="second")
    base.change("2024-03-06 00:00:00+00", agent=2, note="another agent's")
    for day in range(1, 9):
        base.result(day, passed=day, of=10, created_at=f"2024-03-{day:02} 12:00:00+00")

    assert base.rows(SPANS)[0][2] == "2024-03-07 00:00:00+00"
    assert base.rows(SIDES) == [
        (1, "first", 4, 40, 10, 0.25, 2, 20, 11, 0.55, None),
        (2, "another agent's", 0, 0, 0, None, 0, 0, 0, None, None),
        (1, "second", 2, 20, 11, 0.55, 2, 20, 15, 0.75, None),
    ]


def test_changes_of_one_instant_have_the_same_sides(base: Base) -> None:
    base.change("2024-03-05 00:00:00+00", note="prompt")
    base.change("2024-03-05 00:00:00+00", note="voice")
    base.result(1, passed=1, of=2, created_at="2024-03-04 00:00:00+00")
    base.result(2, passed=2, of=2, created_at="2024-03-06 00:00:00+00")

    assert base.rows(SIDES) == [(1, note, 1, 2, 1, 0.5, 1, 2, 2, 1.0, None) for note in ("prompt", "voice")]


def test_a_change_without_an_agent_is_one_of_every_agent(base: Base) -> None:
    base.result(1, passed=1, of=2, agent=1, created_at="2024-03-04 00:00:00+00")
    base.result(2, passed=2, of=2, agent=2, created_at="2024-03-07 00:00:00+00")
    base.change("2024-03-05 00:00:00+00", agent=None, note="all")
    base.change("2024-03-06 00:00:00+00", agent=2, note="one")

    assert base.rows(SIDES) == [
        (1, "all", 1, 2, 1, 0.5, 0, 0, 0, None, None),
        (2, "all", 0, 0, 0, None, 0, 0, 0, None, None),
        (2, "one", 0, 0, 0, None, 1, 2, 2, 1.0, None),
    ]


def test_results_that_did_not_complete_or_decide_nothing_are_on_no_side(base: Base) -> None:
    base.change("2024-03-05 00:00:00+00")
    base.result(1, of=10, status="failed", created_at="2024-03-04 00:00:00+00")
    base.result(2, of=10, status="running", created_at="2024-03-06 00:00:00+00")
    base.result(3, of=10, success_rate=None, created_at="2024-03-06 00:00:00+00")

    assert base.rows(SIDES) == [(1, None, 0, 0, 0, None, 0, 0, 0, None, None)]


def test_a_change_of_an_agent_that_nobody_tested_is_there_without_a_name(base: Base) -> None:
    base.change("2024-03-05 00:00:00+00", agent=99)

    assert base.rows("select agent_id, agent_name, verdict from analytics.agent_change_effect") == [
        (99, None, None)
    ]
