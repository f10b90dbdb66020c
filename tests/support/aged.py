"""An account of two agents whose lists reach back unequally far, and a result that only the shorter list lets age out."""

from datetime import timedelta
from typing import NamedTuple

from support.harness import Account, NewAccount


class Aged(NamedTuple):
    account: Account
    agent: str  # of the shorter list, as an option's value
    result_id: int  # older than 90 days and than the rest of that list, but not than the whole list


def aged_by_one_list(new_account: NewAccount, status: str = "completed") -> Aged:
    account = new_account(results=0, agents=2)
    world = account.world
    mine, other = (agent.id for agent in world.agents)
    for agent, days in ((other, (130, 20, 2)), (mine, (100, 50, 3))):
        for day in days:
            world.insert(agent=agent, created_at=world.clock() - timedelta(days=day))
    (id_,) = world.insert(agent=mine, created_at=world.clock() - timedelta(days=110), status=status)
    return Aged(account, str(mine), id_)
