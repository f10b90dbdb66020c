"""The queries of the ready dashboards: given rows in the base tables, expected rows."""

from typing import Any

import pytest

from cekura_sync.models import runner
from support.base import Base, at

QUERIES = {query.name: query.query for query in runner.read_models(runner.models_dir() / "dashboards")}
NOW = "2024-03-31 15:00:00+00"


def ask(base: Base, query: str) -> list[dict[str, Any]]:
    return base.answer(QUERIES[query])


@pytest.fixture
def synced(base: Base) -> Base:
    base.sync(NOW)
    return base


def test_without_any_row_each_query_still_answers(base: Base) -> None:
    assert {name: len(ask(base, name)) for name in QUERIES} == {
        "agents_over_time": 0,
        "freshness": 1,
        "infrastructure": 0,
        "last_week": 0,
        "last_week_drivers": 0,
        "noted_changes": 0,
        "scenarios": 0,
    }


def test_agents_of_one_name_are_two_and_results_without_an_agent_have_a_name(synced: Base) -> None:
    synced.result(1, agent=1, agent_name="Anna", runs=[True])
    synced.result(2, agent=2, agent_name="Anna", runs=[False])
    synced.result(3, agent=None, agent_name=None, runs=[True])
    synced.result(4, agent=4, agent_name=None, runs=[True])

    assert {row["agent"]: row["pass_rate"] for row in ask(synced, "agents_over_time")} == {
        "Anna (1)": 1.0,
        "Anna (2)": 0.0,
        "agent (no id)": 1.0,
        "agent (4)": 1.0,
    }


def test_a_noted_change_stands_in_its_week_and_marks_the_rate_of_that_week(synced: Base) -> None:
    for id_, day, passed in ((1, 6, 9), (2, 13, 8), (3, 20, 7)):
        synced.result(id_, created_at=at(day), passed=passed, of=10)
    synced.con.execute(
        f"insert into cekura.changes values (2, 1, '{at(13)}', 'Voice'), (3, null, '{at(12)}', 'Prompt'), (4, 2, '{at(20)}', 'Not hers'), (5, 2, '{at(13)}', 'Nor this')"
    )

    weeks = ask(synced, "agents_over_time")

    assert [(row["noted_changes"], row["pass_rate_at_change"]) for row in weeks] == [
        (None, None),
        ("Prompt; Voice", 0.8),
        (None, None),
    ]
    assert all(row["pass_rate_low"] < row["pass_rate"] < row["pass_rate_high"] for row in weeks)


def test_weeks_without_runs_have_no_rate_and_weeks_long_gone_are_left_out(synced: Base) -> None:
    synced.result(1, created_at="2021-03-04 12:00:00+00", passed=1, of=1)
    synced.result(2, created_at=at(6), passed=1, of=1)
    synced.result(3, created_at=at(20), passed=1, of=1)

    weeks = ask(synced, "agents_over_time")

    assert str(weeks[0]["week"]) > "2022-03"
    assert [row["pass_rate"] for row in weeks[-3:]] == [1.0, None, 1.0]


def test_what_the_infrastructure_lost_is_counted_by_day_and_cancelled_results_are_apart(synced: Base) -> None:
    for id_, status in enumerate(("completed", "failed", "timeout", "cancelled"), start=1):
        synced.result(id_, status=status, created_at=at(20), runs=[True])
    synced.result(9, created_at="2023-12-01 12:00:00+00", runs=[True])

    (day,) = ask(synced, "infrastructure")

    assert (day["lost_results"], day["ended_results"], day["cancelled"]) == (2, 3, 1)
    assert day["lost_share_low"] < day["lost_share"] == 2 / 3 < day["lost_share_high"]
