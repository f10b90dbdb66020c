"""Which scenarios passed reliably before and fail now, and which were fixed."""

from datetime import date

import numpy as np
import pytest

from support.base import Base
from support.error_rates import newly_failing
from support.worlds import World

FOUND = "select basis, scenario_id, verdict from analytics.new_failures order by basis, scenario_id"
# The first 28 days, and the week after them.
BEFORE, WEEK = "2024-03-01", "2024-03-29"


def nights(base: Base, outcomes: str, first_id: int = 100, first_day: str = WEEK, **columns: object) -> None:
    """A night a letter, the newest last: in each one run of scenario 0, `+` passed, `-` failed."""
    for number, letter in enumerate(outcomes):
        day = np.datetime64(first_day) + number
        base.result(first_id + number, runs=[letter == "+"], created_at=f"{day} 12:00:00+00", **columns)


def test_what_passed_for_weeks_and_failed_in_the_last_two_results_is_newly_failing(base: Base) -> None:
    base.suites(0, BEFORE, 31, passed=3, of=3)
    base.suites(31, "2024-04-01", 2, passed=2, of=3)

    assert base.rows(
        "select agent_id, agent_name, scenario_id, scenario_key, scenario_name, basis, verdict, previous_decided_runs,"
        " previous_passed_runs, previous_pass_rate, decided_runs, passed_runs, pass_rate, run_id, result_id,"
        " cast(created_at as date) from analytics.new_failures"
    ) == [
        (
            1,
            "Anna",
            2,
            "2",
            "Scenario 2",
            "last result",
            "newly failing",
            31,
            31,
            1.0,
            2,
            0,
            0.0,
            3202,
            32,
            date(2024, 4, 2),
        ),
    ]


@pytest.mark.parametrize(
    ("week", "found"),
    [
        ("++++++-", []),
        ("+++++--", ["last result"]),
        ("++++---", ["last result"]),
        ("+++----", ["last week"]),
        ("-------", ["last week"]),
        ("-+-+-+-", ["last week"]),
        ("-+-+-++", []),
        ("--", ["last result"]),
        ("-", []),
    ],
)
def test_one_failure_says_little_and_two_results_in_a_row_or_most_of_a_week_say_enough(
    base: Base, week: str, found: list[str]
) -> None:
    nights(base, "+" * 28, 0, BEFORE)
    nights(base, week)

    assert base.rows(FOUND) == [(basis, 7, "newly failing") for basis in found]


@pytest.mark.parametrize("week", ["-----++", "---++++"])
def test_what_failed_for_weeks_and_passes_now_is_fixed(base: Base, week: str) -> None:
    nights(base, "-" * 28, 0, BEFORE)
    nights(base, week)

    assert [row[1:] for row in base.rows(FOUND)] == [(7, "fixed")]
    assert base.rows("select run_id, result_id from analytics.new_failures") == [(10600, 106)]


@pytest.mark.parametrize("before", ["--" + "+" * 26, "+-" * 14, "-" * 28, "+++++++", ""])
def test_what_did_not_pass_reliably_before_or_ran_too_seldom_is_not_new(base: Base, before: str) -> None:
    nights(base, before, 0, BEFORE)
    nights(base, "--")

    assert base.rows(FOUND) == []


def test_several_runs_in_one_result_need_no_second_result(base: Base) -> None:
    nights(base, "+" * 28, 0, BEFORE)
    base.result(100, runs=[False, False], created_at="2024-03-29 12:00:00+00")

    assert (100,) in base.rows("select result_id from analytics.new_failures where basis = 'last result'")


def test_results_of_another_name_or_channel_are_not_compared_as_the_last_result(base: Base) -> None:
    nights(base, "+" * 28, 0, BEFORE)
    nights(base, "+++++-", 100)
    nights(base, "-", 200, "2024-04-04", name="By hand")
    nights(base, "-", 300, "2024-04-04", run_as_text=True)

    assert base.rows(FOUND) == []


def test_a_suite_that_has_ended_has_no_last_result_any_more(base: Base) -> None:
    nights(base, "+" * 20 + "--", 0, BEFORE)
    nights(base, "+", 100, "2024-04-02", name="Another suite")

    assert base.rows(FOUND) == []


def test_a_scenario_that_fails_in_two_suites_is_there_once_with_its_newest_run(base: Base) -> None:
    for first_id, name in ((0, "Night"), (1000, "Noon")):
        nights(base, "+" * 28, first_id, BEFORE, name=name)
        nights(base, "++++--", first_id + 100, WEEK, name=name)

    assert base.rows("select basis, result_id from analytics.new_failures") == [("last result", 1105)]


def test_runs_without_an_agent_count_and_runs_without_a_scenario_do_not(base: Base) -> None:
    nights(base, "+" * 28, 0, BEFORE, agent=None)
    nights(base, "-------", agent=None)
    assert base.rows("select agent_id, basis from analytics.new_failures") == [(None, "last week")]

    base.con.execute("update cekura.runs set scenario = null, scenario_name = null")
    assert base.rows(FOUND) == []


def test_unchanged_scenarios_are_rarely_called_and_broken_ones_mostly(base: Base) -> None:
    rng = np.random.default_rng(4)
    steady = World("steady", agents=20, rate=0.95)
    broken = World("broken", agents=1, rate=0.99, fall=0.94, falls_for=2)

    assert newly_failing(base, steady, rng)["in a week"] <= 0.03
    assert newly_failing(base, broken, rng)["last result"] >= 0.6
