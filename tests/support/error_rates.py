"""How often the verdicts are wrong, and what they see, on invented accounts: the table of docs/statistics.md.

python -m support.error_rates [--accounts N]
"""

import argparse
from dataclasses import dataclass

import numpy as np

from cekura_sync.models import runner
from support.base import Base
from support.worlds import SCENARIOS, WORLDS, World, falling, write

NEW_FAILURES = (
    "select basis, agent_id, scenario_key from analytics.new_failures where verdict = 'newly failing'"
)
VERDICTS = "select verdict from analytics.agent_last_week order by agent_id"


@dataclass(frozen=True)
class Rates:
    """Each a share, 0 to 1."""

    false_falls: float  # of unchanged agents, called regressed
    false_accounts: float  # of accounts in which nothing changed, with an agent called regressed
    seen: dict[int, float]  # of agents that fell by so many points in the last week, called regressed


def measure(
    base: Base, world: World, accounts: int, points: tuple[int, ...] = (15, 25), seed: int = 1
) -> Rates:
    rng = np.random.default_rng(seed)
    unchanged = [_verdicts(base, world, rng) for _ in range(accounts)]
    fallen = [[verdict == "regressed" for verdict in account] for account in unchanged]
    seen = {}
    for fall in points:
        first = [_verdicts(base, falling(world, fall), rng)[0] for _ in range(accounts)]
        seen[fall] = first.count("regressed") / accounts
    return Rates(float(np.mean(fallen)), float(np.mean([any(account) for account in fallen])), seen)


def newly_failing(base: Base, world: World, rng: np.random.Generator) -> dict[str, float]:
    """The share of scenarios called newly failing: on the last night, by each basis, and by any on any of the last 7 nights."""
    write(base, world, rng)
    called: list[tuple[str, int, str]] = []
    for ago in range(7):
        called += [(basis, agent, key) for basis, agent, key in base.rows(NEW_FAILURES)]
        if ago == 0:
            last_night = list(called)
        base.con.execute(
            "delete from cekura.results where created_at::date = (select max(created_at::date) from cekura.results)"
        )
    scenarios = world.agents * SCENARIOS
    found = {
        basis: sum(one[0] == basis for one in last_night) / scenarios
        for basis in ("last result", "last week")
    }
    return found | {"in a week": len({one[1:] for one in called}) / scenarios}


def _verdicts(base: Base, world: World, rng: np.random.Generator) -> list[str | None]:
    write(base, world, rng)
    return [verdict for (verdict,) in base.rows(VERDICTS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=200)
    accounts = parser.parse_args().accounts
    base = Base()
    runner.build(base.con)
    print("| world | called regressed | accounts with one | falls of 15 points seen | of 25 |")
    print("| --- | --- | --- | --- | --- |")
    for world in WORLDS:
        rates = measure(base, world, max(1, accounts * 10 // world.agents))
        cells = [rates.false_falls, rates.false_accounts, *rates.seen.values()]
        print(f"| {world.name} | {' | '.join(f'{cell * 100:.1f} %' for cell in cells)} |", flush=True)


if __name__ == "__main__":
    main()
