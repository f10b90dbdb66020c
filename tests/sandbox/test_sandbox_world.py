"""The invented history, and what can happen to it: each change moves exactly what it should."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cekura_sync.sandbox import World

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
IN_FLIGHT = {"running", "pending", "in_progress", "in_queue", "evaluating", "scaling_up"}
DERIVED = {
    "success_rate",
    "met_expected_outcome_count",
    "total_expected_outcome_count",
    "total_runs_count",
    "completed_runs_count",
    "success_runs_count",
    "failed_runs_count",
}
Row = dict[str, Any]


@pytest.fixture(scope="module")
def history() -> World:
    """Only to be read."""
    return World(results=1500, now=NOW)


@pytest.fixture
def world() -> World:
    return World(results=60, agents=3, runs_per_result=5, now=NOW)


def some(world: World, status: str = "completed") -> int:
    return next(result_id for result_id, row in world.results.items() if row["status"] == status)


def changed(before: Row, after: Row) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def created(row: Row) -> datetime:
    return datetime.fromisoformat(row["created_at"])


def assert_consistent(row: Row) -> None:
    runs = row["runs"]
    statuses = Counter(run["status"] for run in runs)
    assert row["total_runs_count"] == len(runs)
    assert row["success_rate"] == pytest.approx(
        sum(run.get("success", False) for run in runs) / max(1, len(runs))
    )
    assert row["completed_runs_count"] == statuses["completed"]
    assert row["failed_runs_count"] == statuses["failed"] + statuses["timeout"]
    assert row["success_runs_count"] == len(runs) - sum(statuses[status] for status in IN_FLIGHT)
    assert row["met_expected_outcome_count"] <= row["total_expected_outcome_count"] <= len(runs)
    assert {scenario["id"] for scenario in row["scenarios"]} == {run["scenario"] for run in runs}
    for run in runs:
        ended = run["status"] in ("completed", "failed", "timeout")
        assert ("success" in run) == ("duration" in run) == ended


def test_the_same_seed_is_the_same_history() -> None:
    def make(seed: int) -> dict[int, Row]:
        return dict(World(results=50, now=NOW, seed=seed).results)

    assert make(7) == make(7)
    assert make(7) != make(8)


def test_ids_grow_with_created_at_and_no_time_comes_twice(history: World) -> None:
    rows = list(history.results.values())
    ids, times = [row["id"] for row in rows], [created(row) for row in rows]
    assert ids == sorted(set(ids))
    assert times == sorted(set(times))
    assert NOW - timedelta(days=90) <= times[0] < NOW - timedelta(days=85)
    assert NOW - timedelta(hours=1) < times[-1] < NOW


def test_every_figure_of_every_row_agrees_with_its_runs(history: World) -> None:
    run_ids = [run["id"] for row in history.results.values() for run in row["runs"]]
    assert len(run_ids) == len(set(run_ids))
    for row in history.results.values():
        assert_consistent(row)
        assert created(row) <= datetime.fromisoformat(row["updated_at"]) <= NOW


def test_the_history_is_as_varied_as_a_real_one(history: World) -> None:
    rows = list(history.results.values())
    statuses = Counter(row["status"] for row in rows)
    assert statuses["completed"] > 0.9 * len(rows)
    assert min(statuses[status] for status in ("failed", "timeout", "cancelled")) > 0
    for name in ("run_as_text", "is_cronjob", "agent_inbound"):
        assert {row[name] for row in rows} == {True, False}
    assert len({row["agent"] for row in rows}) == 12
    assert len({row["total_runs_count"] for row in rows}) > 5
    assert 9 < sum(row["total_runs_count"] for row in rows) / len(rows) < 11


def test_only_the_newest_results_are_in_flight(history: World) -> None:
    statuses = [row["status"] for row in history.results.values()]
    assert [place for place, status in enumerate(statuses) if status in IN_FLIGHT] == list(range(1495, 1500))


def test_one_agent_got_worse_in_the_last_week(history: World) -> None:
    agent = history.agents[1]
    rates: dict[bool, list[float]] = {True: [], False: []}
    for row in history.results.values():
        if row["agent"] == agent.id and row["status"] == "completed":
            rates[created(row) > NOW - timedelta(days=7)].append(row["success_rate"])
    before, lately = (sum(part) / len(part) for part in (rates[False], rates[True]))
    assert lately < before - 0.2


def test_some_scenarios_are_broken_and_some_flaky(history: World) -> None:
    verdicts: dict[int, list[bool]] = {}
    for row in history.results.values():
        for run in row["runs"] if row["status"] == "completed" else []:
            verdicts.setdefault(run["scenario"], []).append(run["success"])
    rates = [sum(runs) / len(runs) for runs in verdicts.values()]
    assert min(rates) < 0.1
    assert any(0.4 < rate < 0.6 for rate in rates)
    assert max(rates) > 0.85


def test_the_run_count_is_exact_when_told_so() -> None:
    world = World(results=30, runs_per_result=7, vary_runs=False)
    assert {row["total_runs_count"] for row in world.results.values()} == {7}


def test_the_clock_never_shows_a_time_twice(world: World) -> None:
    world.clock = lambda: NOW
    assert NOW < world.now() < world.now() < NOW + timedelta(seconds=1)


def test_insert_adds_the_newest_results(world: World) -> None:
    newest, last = max(world.results), max(map(created, world.results.values()))
    ids = world.insert(3, status="failed", name="Mine", agent=world.agents[2].id)
    assert ids == sorted(ids)
    assert ids[0] > newest
    for result_id in ids:
        row = world.results[result_id]
        assert (row["status"], row["name"], row["agent_name"]) == ("failed", "Mine", world.agents[2].name)
        assert created(row) > last
        assert row["failed_runs_count"] > 0
        assert_consistent(row)


def test_results_can_share_a_created_at(world: World) -> None:
    ids = world.insert(4, created_at=NOW - timedelta(days=3))
    assert {world.results[result_id]["created_at"] for result_id in ids} == {"2026-02-27T09:30:00Z"}


def test_a_late_result_has_a_new_id_and_old_times(world: World) -> None:
    newest = max(world.results)
    (result_id,) = world.insert_late(age=timedelta(days=40))
    row = world.results[result_id]
    assert result_id > newest
    assert world.now() - created(row) > timedelta(days=40)
    assert row["updated_at"] == row["created_at"]


def test_finish_gives_every_open_run_a_verdict(world: World) -> None:
    flying = [result_id for result_id, row in world.results.items() if row["status"] in IN_FLIGHT]
    before = {result_id: world.results[result_id] for result_id in flying}
    assert world.finish(flying[:2]) == flying[:2]
    assert world.finish() == flying[2:]
    assert world.finish() == []
    for result_id in flying:
        row = world.results[result_id]
        assert row["status"] == "completed"
        assert all("success" in run and "duration" in run for run in row["runs"])
        assert [run["id"] for run in row["runs"]] == [run["id"] for run in before[result_id]["runs"]]
        assert row["updated_at"] > before[result_id]["updated_at"]
        assert_consistent(row)


def test_start_inserts_results_in_flight(world: World) -> None:
    rows = [world.results[result_id] for result_id in world.start(3)]
    assert {row["status"] for row in rows} <= IN_FLIGHT
    for row in rows:
        assert_consistent(row)


def test_edit_moves_updated_at_and_a_touchless_edit_does_not(world: World) -> None:
    result_id = some(world)
    before = world.results[result_id]
    world.edit(result_id, name="Edited")
    edited = world.results[result_id]
    assert changed(before, edited) == {"name", "updated_at"}
    assert edited["updated_at"] > before["updated_at"]
    world.touchless_edit(result_id, name="Again", agent_version=3)
    assert changed(edited, world.results[result_id]) == {"name", "agent_version"}


def test_what_was_read_before_a_change_stays_as_it_was(world: World) -> None:
    result_id = some(world)
    before = world.results[result_id]
    name = before["name"]
    world.edit(result_id, name="Edited")
    world.edit(result_id, name="Edited again")
    assert before["name"] == name


def test_edited_runs_take_the_counts_along_unless_told_otherwise(world: World) -> None:
    result_id = some(world)
    runs = [{**run, "success": False} for run in world.results[result_id]["runs"]]
    world.touchless_edit(result_id, runs=runs)
    assert world.results[result_id]["success_rate"] == 0
    world.touchless_edit(result_id, runs=runs, success_rate=0.5)
    assert world.results[result_id]["success_rate"] == 0.5
    world.touchless_edit(result_id, runs=None)
    assert world.results[result_id]["total_runs_count"] == len(runs)


def test_a_deleted_result_is_gone_until_it_is_restored(world: World) -> None:
    result_id = some(world)
    before = world.results[result_id]
    world.delete(result_id)
    assert result_id not in world.results
    assert len(world.results) == 59
    with pytest.raises(KeyError):
        world.edit(result_id, name="Too late")
    world.restore(result_id)
    assert changed(before, world.results[result_id]) == {"updated_at"}


def test_a_rerun_starts_again_with_fresh_runs(world: World) -> None:
    result_id = some(world)
    before = world.results[result_id]
    world.rerun(result_id)
    row = world.results[result_id]
    assert row["status"] == "running"
    assert min(run["id"] for run in row["runs"]) > max(
        run["id"] for other in world.results.values() if other["id"] != result_id for run in other["runs"]
    )
    assert [run["scenario"] for run in row["runs"]] == [run["scenario"] for run in before["runs"]]
    assert row["updated_at"] > before["updated_at"]
    assert_consistent(row)


def test_dropped_runs_lower_the_counts_and_leave_updated_at(world: World) -> None:
    result_id = some(world)
    before = world.results[result_id]
    world.drop_runs(result_id, keep=2)
    row = world.results[result_id]
    assert row["runs"] == before["runs"][:2]
    assert changed(before, row) <= DERIVED | {"runs", "scenarios"}
    assert_consistent(row)
    world.drop_runs(result_id)
    assert world.results[result_id]["runs"] == []
    assert_consistent(world.results[result_id])
