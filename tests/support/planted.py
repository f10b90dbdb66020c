"""What is planted into an invented account, so that a view has something to say."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from cekura_sync.sandbox import Sandbox, World
from support.harness import Account


def plant_a_new_failure(world: World, now: datetime) -> None:
    """The scenario that the first agent runs most passes always, and fails always in the six days before `now`."""
    mine = {id_: row for id_, row in world.results.items() if row["agent"] == world.agents[0].id}
    runs = [run for row in mine.values() for run in row["runs"]]
    (scenario, _), *_ = Counter(run["scenario"] for run in runs).most_common(1)
    since = f"{now - timedelta(days=6):%Y-%m-%d}"
    for id_, row in mine.items():
        passes = {"success": row["created_at"] < since}
        changed = [
            run | passes if run["scenario"] == scenario and run["status"] == "completed" else run
            for run in row["runs"]
        ]
        world.touchless_edit(id_, runs=changed)


@contextmanager
def account_with_everything(folder: Path, now: datetime) -> Iterator[Account]:
    """Synced: a warehouse in which every query of the dashboards has something to show."""
    world = World(results=150, agents=4, runs_per_result=3, days=30, in_flight=2, now=now)
    plant_a_new_failure(world, now)
    with Sandbox(world) as sandbox:
        account = Account(sandbox, folder / "warehouse.duckdb")
        changes = account.warehouse.with_name("changes.csv")
        changes.write_text(f"agent_id,at,note\n,{now - timedelta(days=9):%Y-%m-%d},Voice; new\n")
        ran = account.sync("--changes", str(changes))
        assert ran.code == 0, ran.err
        yield account
