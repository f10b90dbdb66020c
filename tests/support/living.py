"""A story in which everything happens to an account that can happen to one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cekura_sync.sandbox import World


def live(world: World, changes: Path) -> list[tuple[int, int | None, datetime, str]]:
    """Everything that can happen to an account; returns the changes that its team noted."""
    now = datetime.now(UTC)
    ids = list(world.results)
    agent, other = world.agents[0].id, world.agents[1].id
    for result_id in ids[5:25:4]:
        world.delete(result_id)
    world.touchless_edit(ids[0], runs=None)  # unknown; success_rate speaks
    world.touchless_edit(ids[1], runs=None, success_rate=None)
    world.touchless_edit(ids[2], success_rate=0.0)  # the runs are believed
    world.touchless_edit(ids[3], completed_runs_count=99, met_expected_outcome_count=99)
    world.touchless_edit(ids[4], success_rate=-0.5, runs=None)
    flying = next(id_ for id_, row in world.results.items() if row["status"] == "running")
    world.finish([flying])
    world.touchless_edit(flying, runs=None)  # they were listed as running, and how they ended is unknown
    world.drop_runs(ids[30])
    world.drop_runs(ids[31], keep=1)
    runs = world.results[ids[32]]["runs"]
    world.touchless_edit(ids[32], runs=[runs[0] | {"scenario_name": None}, *runs[1:]])
    silent = [{"id": run["id"], "status": "completed"} for run in world.results[ids[33]]["runs"]]
    world.touchless_edit(ids[33], runs=silent, success_rate=1.0)
    for status in ("paused", "failed", "timeout", "cancelled", "running"):
        world.insert_late(2, age=timedelta(hours=5), status=status, agent=agent)
    world.insert_late(1, age=timedelta(minutes=10), status="evaluating")
    world.insert(agent=None, agent_name=None, run_as_text=None, is_cronjob=None, agent_inbound=None)
    world.insert(agent=agent, agent_name="Renamed", run_as_text=True)
    world.insert(agent=agent, agent_name=None, agent_version=None)
    world.insert(agent=agent, agent_name=" ", agent_version="")
    blank = [run | {"scenario_name": " "} for run in world.results[ids[34]]["runs"]]
    world.touchless_edit(ids[34], runs=blank)
    world.insert(agent=7, agent_name="Never completed", status="failed")
    world.insert(agent=8, agent_name="Long ago", created_at=now - timedelta(days=200))
    world.insert(agent=8, agent_name="Long ago", created_at=now + timedelta(days=3))
    world.insert(created_at=now - timedelta(days=20), runs="none of them")
    _break_and_fix(world, other)
    noted = [
        (2, agent, now - timedelta(days=10), "first"),
        (3, agent, now - timedelta(days=30), "far from any other"),
        (4, other, now - timedelta(days=4), "close to the next"),
        (5, None, now - timedelta(days=2), "of all"),
        (6, other, now - timedelta(days=4), "of the same instant"),
        (7, 99, now, "of nobody"),
    ]
    lines = [
        f"{agent_id if agent_id is not None else ''},{at.isoformat()},{note}"
        for _, agent_id, at, note in noted
    ]
    changes.write_text("\n".join(["agent_id,at,note", *lines]))
    return noted


def _break_and_fix(world: World, agent: int) -> None:
    """A scenario that passed in each run before fails now, and one that failed passes now: since yesterday, and in the last result."""
    now = datetime.now(UTC)
    for place, (days_ago, repeats) in enumerate([(20, 12), (15, 12), (1, 3), (0, 1)]):
        runs = [
            {"id": 5_000_000 + 100 * place + 2 * one + fixed, "status": "completed", "scenario": 71 + fixed}
            | {"scenario_name": ["Breaks", "Is fixed"][fixed], "success": (days_ago > 1) != bool(fixed)}
            for one in range(repeats)
            for fixed in (0, 1)
        ]
        created = now - timedelta(days=days_ago, hours=1)
        world.insert(agent=agent, name="Planted", run_as_text=False, created_at=created, runs=runs)
