"""What the kill tests share: the points at which a sync is stopped, and a change for it to write."""

from pathlib import Path

from support.harness import Account

KILL_POINTS = str(Path(__file__).parent / "kill_points")


def change_the_account(account: Account) -> None:
    """Something of everything that a sync can have to write."""
    world = account.world
    world.finish()
    new = world.insert(2)
    world.start()
    ids = sorted(world.results)
    world.edit(new[0], name="renamed")
    world.drop_runs(ids[3], keep=0)
    world.rerun(ids[7])
    world.touchless_edit(ids[5], name=f"renamed {world.version}")
    world.delete(ids[0])
