"""The queries of the report: given rows in the base tables, expected rows on the page."""

from typing import Any

import pytest

from cekura_sync.models import runner
from cekura_sync.report import first
from support.base import Base, at
from support.published import WILSON

QUERIES = {query.name: query.query for query in runner.read_models(runner.models_dir() / "report")}
NOW = "2024-03-31 15:00:00+00"  # a Sunday


def ask(base: Base, query: str) -> list[dict[str, Any]]:
    return base.answer(QUERIES[query])


@pytest.fixture
def synced(base: Base) -> Base:
    base.sync(NOW)
    return base


def test_every_query_says_what_its_rows_are() -> None:
    queries = runner.read_models(runner.models_dir() / "report")

    assert [query.name for query in queries if not query.meaning.startswith(("One row", "The ten"))] == []


def test_without_any_row_each_query_still_answers(base: Base) -> None:
    assert {name: len(ask(base, name)) for name in QUERIES} == {
        "agents": 0,
        "data_errors": 0,
        "details_read": 1,
        "drivers": 0,
        "failing_metrics": 0,
        "flaky_scenarios": 0,
        "freshness": 1,
        "infrastructure_agents": 1,
        "infrastructure_days": 0,
        "new_failures": 0,
        "noted_changes": 0,
        "over_time": 0,
        "today": 1,
        "worst_scenarios": 0,
    }


def test_findings_that_may_make_figures_wrong_are_named_and_no_others(synced: Base) -> None:
    synced.result(1, runs=[True, False], success_rate=0.5)
    synced.result(2, runs=[True, False], success_rate=50)
    synced.result(3, runs=[True, False], success_rate=-1)
    synced.result(4, runs=[True], success_rate=1, agent=None)

    assert [(row["finding"], row["rows"]) for row in ask(synced, "data_errors")] == [
        ("mixed_success_rate_scale", 1),
        ("success_rate_out_of_range", 1),
    ]


def test_today_is_the_day_of_the_last_sync_and_the_week_the_seven_days_before(synced: Base) -> None:
    synced.result(1, passed=1, of=10, created_at=at(31))
    for place, day in enumerate((24, 27, 30)):
        synced.result(10 + place, passed=9, of=10, created_at=at(day))
    synced.result(20, passed=0, of=10, created_at=at(23))
    synced.result(21, passed=0, of=10, created_at=at(1, month=4))

    (row,) = ask(synced, "today")

    assert (row["today_passed_runs"], row["today_decided_runs"]) == (1, 10)
    assert (row["week_passed_runs"], row["week_decided_runs"]) == (27, 30)


def test_the_agents_that_fell_most_come_first_then_the_most_tested(synced: Base) -> None:
    def history(agent: int, before: int, after: int, of: int) -> None:
        named = {"agent": agent, "agent_name": f"A{agent}"}
        synced.suites(agent * 100, "2024-03-04", 21, passed=before, of=of, **named)
        synced.suites(agent * 100 + 50, "2024-03-25", 7, passed=after, of=of, **named)

    history(1, 5, 5, of=10)
    history(2, 9, 6, of=10)
    history(3, 9, 1, of=10)
    history(4, 2, 18, of=20)
    synced.result(5000, passed=0, of=900, agent=5, agent_name="A5", created_at="2023-06-01 00:00:00+00")

    rows = ask(synced, "agents")

    assert [(row["agent_id"], row["verdict"], row["active"]) for row in rows] == [
        (3, "regressed", True),
        (2, "regressed", True),
        (4, "improved", True),
        (1, "same", True),
        (5, None, False),
    ]


def rounded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Two plans of one query may add doubles up in another order."""
    return tuple(round(value, 12) if isinstance(value, float) else value for value in row)


@pytest.mark.parametrize("last_day", [31, 21], ids=["of today", "that nobody tested in since"])
def test_the_week_of_an_agent_is_that_of_agent_last_week(synced: Base, last_day: int) -> None:
    for agent, passed in enumerate((2, 6, 10)):
        synced.suites(agent * 100, f"2024-03-{last_day - 20:02}", 14, passed=6, agent=agent)
        synced.suites(agent * 100 + 50, f"2024-03-{last_day - 6:02}", 7, passed=passed, agent=agent)
    in_view = synced.con.sql(
        "select agent_id, last_day, decided_runs as recent_decided_runs, passed_runs as recent_passed_runs,"
        " pass_rate as recent_pass_rate, previous_decided_runs, previous_passed_runs, previous_pass_rate,"
        " difference, mix_effect, adjusted_difference, adjusted_low, adjusted_high, p_value,"
        " smallest_visible_difference, verdict, possible, no_verdict_because from analytics.agent_last_week"
    )

    on_page = [tuple(row[name] for name in in_view.columns) for row in ask(synced, "agents")]

    assert sorted(map(rounded, on_page)) == sorted(map(rounded, in_view.fetchall()))
    assert {row["verdict"] for row in ask(synced, "agents")} == {"regressed", "same", "improved"}


@pytest.mark.parametrize(
    ("a_day", "newest", "said"),
    [(2, 1, "0 of 2 passed in the newest result"), (1, 2, "0 of 2 passed in the newest results")],
)
def test_a_driver_that_fails_in_the_newest_result_is_told_by_that_and_not_by_the_week(
    synced: Base, a_day: int, newest: int, said: str
) -> None:
    for day in range(1, 32):
        synced.result(day, runs=[day <= 31 - newest] * a_day, created_at=at(day))

    (row,) = ask(synced, "drivers")

    assert (row["recent_decided_runs"], row["sudden"], first.sudden(row)) == (
        7 * a_day,
        "newly failing",
        said,
    )


@pytest.mark.parametrize(("passed", "of", "low", "high"), WILSON)
def test_a_rate_has_the_published_interval(
    synced: Base, passed: int, of: int, low: float, high: float
) -> None:
    synced.result(1, runs=[place < passed for place in range(of)], created_at=at(31))

    (day,) = ask(synced, "over_time")
    (scenario,) = ask(synced, "worst_scenarios")
    (today,) = ask(synced, "today")

    assert (day["pass_rate_low"], day["pass_rate_high"]) == pytest.approx((low, high), abs=5e-5)
    assert (scenario["pass_rate_low"], scenario["pass_rate_high"]) == pytest.approx((low, high), abs=5e-5)
    assert (today["today_low"], today["today_high"]) == pytest.approx((low, high), abs=5e-5)


def test_six_weeks_are_told_by_the_day_and_more_by_the_week_up_to_two_years(synced: Base) -> None:
    synced.result(1, passed=1, of=2, created_at=at(31))
    synced.result(2, passed=1, of=2, created_at="2024-02-19 00:00:00+00")
    days = ask(synced, "over_time")
    synced.result(3, passed=1, of=2, created_at="2024-02-18 00:00:00+00")
    weeks = ask(synced, "over_time")
    synced.result(4, passed=1, of=2, created_at="1999-01-01 00:00:00+00")

    assert {row["unit"] for row in days} == {"day"}
    assert (len(days), sum(row["pass_rate"] is None for row in days)) == (42, 40)
    assert ({row["unit"] for row in weeks}, len(weeks)) == ({"week"}, 7)
    assert len(ask(synced, "over_time")) == 104


def test_the_worst_scenario_is_the_one_that_is_most_surely_bad(synced: Base) -> None:
    synced.result(1, runs=[False], created_at=at(30))
    synced.result(2, runs=[True] + [False] * 19, created_at=at(30))
    synced.result(3, runs=[True] * 5, created_at=at(30))
    synced.result(4, runs=[False] * 50, created_at="2024-02-01 00:00:00+00")
    for result_id in (1, 2, 3, 4):
        synced.con.execute(f"update cekura.runs set scenario = {result_id} where result_id = {result_id}")

    assert [row["scenario_id"] for row in ask(synced, "worst_scenarios")] == [2, 1]


def test_a_flaky_scenario_that_was_fixed_is_not_shown(synced: Base) -> None:
    synced.result(1, runs=[True, False] * 5, created_at="2024-02-01 00:00:00+00")
    fixed = ask(synced, "flaky_scenarios")
    synced.result(2, runs=[False], created_at=at(30))

    (row,) = ask(synced, "flaky_scenarios")

    assert fixed == []
    assert (row["scenario_id"], row["decided_runs"]) == (7, 11)


def test_infrastructure_failures_are_counted_for_thirty_days_and_for_every_agent(synced: Base) -> None:
    for place, (status, day) in enumerate(
        [("failed", 2), ("timeout", 31), ("completed", 31), ("cancelled", 31), ("running", 31), ("failed", 1)]
    ):
        synced.result(place, status=status, created_at=at(day))

    everything, agent = ask(synced, "infrastructure_agents")
    days = [(row["completed"], row["lost"], row["cancelled"]) for row in ask(synced, "infrastructure_days")]

    assert (everything["failed_results"], everything["ended_results"]) == (2, 3)
    assert (agent["agent_id"], agent["failed_results"], agent["ended_results"]) == (1, 2, 3)
    assert days == [(0, 1, 0), (1, 1, 1)]
