"""What is planted into an invented account, so that a view has something to say."""

from collections import Counter
from datetime import datetime, timedelta

from cekura_sync.sandbox import World


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
