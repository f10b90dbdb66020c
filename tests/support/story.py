"""What happens to an account between the runs of a pipeline: arrivals, edits, deletions, lost runs, states of every kind."""

from datetime import timedelta

from cekura_sync.sandbox import World


def after_the_first_run(world: World) -> None:
    ids = sorted(world.results, reverse=True)
    world.insert(5)
    world.edit(ids[5], name="renamed")
    world.touchless_edit(ids[6], success_rate=0.0)
    world.drop_runs(ids[7])
    world.drop_runs(ids[8], keep=1)
    world.delete(ids[9])
    world.finish()


def before_the_last_run(world: World) -> None:
    ids = sorted(world.results, reverse=True)
    for id_ in (ids[3], ids[30], ids[60], ids[-1]):
        world.delete(id_)
    world.drop_runs(ids[40])
    world.drop_runs(ids[41], keep=1)
    world.rerun(ids[42])
    world.touchless_edit(ids[43], agent_name="Renamed")
    agent = world.agents[0].id
    for status in ("paused", "failed", "timeout", "cancelled", "running"):
        world.insert_late(2, age=timedelta(hours=5), status=status, agent=agent)
    world.insert(agent=None, agent_name=None, run_as_text=None, is_cronjob=None, agent_inbound=None)
    world.insert(agent=7, agent_name="Never completed", status="failed")
    world.insert(3)
