"""What may be told, on given rows: which things hold now, and which told ones are over."""

from hashlib import md5
from typing import Any

from cekura_sync.models import runner
from support.base import Base

QUERIES = {query.name: query.query for query in runner.read_models(runner.models_dir() / "notify")}
SEVEN = md5(b"7", usedforsecurity=False).hexdigest()  # the key of a scenario
DAY = "2024-03-04 12:00:00+00"


def ask(base: Base, query: str) -> list[dict[str, Any]]:
    answer = base.con.sql(QUERIES[query])
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.fetchall()]


def held(base: Base) -> list[tuple[Any, ...]]:
    return [
        (row["kind"], row["subject"], row["to_tell"]) for row in ask(base, "conditions") if not row["is_over"]
    ]


def tell(base: Base, kind: str, subject: str, before: float, rate: float) -> None:
    base.con.execute(
        "insert into cekura._told values ('r', ?, ?, current_timestamp, ?, ?)", [kind, subject, before, rate]
    )


def lose(base: Base, agent: int, lost: int, of: int, result_id: int) -> None:
    """A completed result, some of whose runs never connected."""
    base.result(result_id, runs=[True] * (of - lost), agent=agent, total_runs_count=of)
    for place in range(lost):
        base.run(result_id * 1000 + place, result_id, None, status="failed")


def test_nothing_holds_in_an_empty_warehouse(base: Base) -> None:
    assert held(base) == ask(base, "recovered") == []


def test_losses_are_told_from_20_percent_of_10_runs_on_and_forgotten_below_10_percent(base: Base) -> None:
    lose(base, 1, lost=10, of=50, result_id=1)
    lose(base, 2, lost=9, of=40, result_id=2)
    lose(base, 3, lost=5, of=50, result_id=3)
    lose(base, 4, lost=4, of=50, result_id=4)

    assert held(base) == [("runs lost", "1", True), ("runs lost", "2", False), ("runs lost", "3", False)]
    assert [row["subject"] for row in ask(base, "conditions") if row["is_over"]] == ["4"]


def test_losses_are_those_of_the_newest_24_hours_and_of_whole_results_too(base: Base) -> None:
    lose(base, 1, lost=20, of=20, result_id=1)
    base.con.execute("update cekura.results set created_at = timestamptz '2024-03-03 11:59:00+00'")
    base.result(2, of=12, agent=2, status="timeout")
    base.result(3, runs=[True], agent=1)

    assert held(base) == [("runs lost", "2", True)]
    _, row = ask(base, "conditions")
    assert (row["rate"], row["runs"]) == (1.0, 12)


def test_a_stuck_result_is_told_by_its_id(base: Base) -> None:
    base.result(5, status="running", created_at=DAY)
    base.sync("2024-03-04 14:00:00+00")

    assert held(base) == [("stuck", "5", True)]


def test_an_agent_that_fell_holds_and_is_over_half_way_up(base: Base) -> None:
    base.suites(100, "2024-03-01", 28, passed=10)
    base.suites(200, "2024-03-29", 7, passed=4)

    assert ("regressed", "1", True) in held(base)
    tell(base, "regressed", "1", before=1.0, rate=0.4)
    assert ask(base, "recovered") == []


def test_a_fall_that_has_become_part_of_the_weeks_before_is_not_over(base: Base) -> None:
    base.suites(200, "2024-02-20", 35, passed=4)
    tell(base, "regressed", "1", before=1.0, rate=0.4)
    assert ask(base, "recovered") == []

    base.con.execute("delete from cekura._told")
    tell(base, "regressed", "1", before=0.5, rate=0.3)

    (row,) = ask(base, "recovered")
    assert (row["kind"], row["subject"], row["rate_then"], row["rate"]) == ("regressed", "1", 0.3, 0.4)


def test_a_failing_scenario_is_over_when_its_newest_two_runs_passed(base: Base) -> None:
    base.result(1, runs=[False, True], created_at="2024-03-04 10:00:00+00")
    tell(base, "newly failing", f"1 {SEVEN}", before=1.0, rate=0.0)
    assert ask(base, "recovered") == []

    base.result(2, runs=[True], created_at="2024-03-04 11:00:00+00")

    assert [row["subject"] for row in ask(base, "recovered")] == [f"1 {SEVEN}"]
