"""How often the verdicts are wrong, and what they see, on invented accounts: the table of docs/statistics.md.

python -m support.error_rates [--accounts N]
"""

import argparse
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from cekura_sync.models import functions, runner
from support.base import Base
from support.worlds import LAST_NIGHT, SCENARIOS, WORLDS, Drawn, World, draw, falling, write

NEW_FAILURES = (
    "select basis, agent_id, scenario_key from analytics.new_failures where verdict = 'newly failing'"
)
BATCH = 50  # accounts at a time
COMPARED = functions.written_out(
    "select verdict from compared(given) as compared order by comparison", runner.models_dir() / "functions"
)


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
    fallen = verdicts(base, world, accounts, rng) == "regressed"
    seen = {
        fall: float((verdicts(base, falling(world, fall), accounts, rng)[:, 0] == "regressed").mean())
        for fall in points
    }
    return Rates(float(fallen.mean()), float(fallen.any(axis=1).mean()), seen)


def verdicts(base: Base, world: World, accounts: int, rng: np.random.Generator) -> np.ndarray:
    """Those of the last week, accounts by agents. Asks the comparison itself, because agent_last_week takes one account at a time."""
    parts = []
    for begin in range(0, accounts, BATCH):
        drawn = [runs(draw(world, rng), number) for number in range(min(BATCH, accounts - begin))]
        base.con.register("given", pa.concat_tables(drawn))
        answer = base.con.sql(COMPARED).fetchnumpy()["verdict"]
        base.con.unregister("given")
        parts.append(np.ma.filled(np.ma.asarray(answer, object), "").reshape(len(drawn), world.agents))
    return np.concatenate(parts)


def runs(drawn: Drawn, account: int) -> pa.Table:
    """As agent_last_week gives them to the comparison."""
    agent, result, scenario = np.nonzero(np.broadcast_to(drawn.included, drawn.passed.shape))
    ago = drawn.nights[result]
    return pa.table(
        {
            "comparison": account * len(drawn.passed) + agent,
            "family": np.full(len(agent), account),
            "peers": np.full(len(agent), account),
            "is_after": ago < 7,
            "result_id": result,
            "day": -ago,
            "scenario": scenario,
            "passed": drawn.passed[agent, result, scenario],
            "least_results": np.full(len(agent), 3),
        }
    )


STEADY = {
    "pass 90 %": World("", agents=200, rate=0.9),
    "pass 95 %": World("", agents=200, rate=0.95),
    "pass 95 %, good and bad nights": World("", agents=200, rate=0.95, good_and_bad_nights=0.5),
    "pass 98 %": World("", agents=200, rate=0.98),
    "nightly suite": World("", agents=200),
    "fell from 98 to 10 % two nights ago": World("", agents=40, rate=0.98, fall=0.88, fallen=40, falls_for=2),
    "fell from 98 to 10 % seven nights ago": World("", agents=40, rate=0.98, fall=0.88, fallen=40),
}


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


@dataclass(frozen=True)
class Steps:
    """Each a share of agents, 0 to 1, after 90 nights."""

    false_steps: float  # unchanged, called fell or rose
    false_trends: float  # unchanged, called declined or improved
    seen: dict[int, float]  # fell by so many points 30 nights ago, called fell
    dated: dict[int, float]  # the same, with the step dated within two days
    declines: float  # slid evenly from 67 to 53 % in these nights, called declined


def steps(
    base: Base, world: World, accounts: int, points: tuple[int, ...] = (15, 25), seed: int = 1
) -> Steps:
    """Accounts of 40 agents, which all fall or all do not."""
    rng = np.random.default_rng(seed)
    long = replace(world, agents=40, nights=90)
    fallen = replace(long, fallen=40)
    sliding = replace(falling(fallen, 14, nights=90), slides=True, level=1.0)
    unchanged = _changes(base, long, rng, accounts)
    first_day = LAST_NIGHT.date() - timedelta(days=29)
    seen, dated = {}, {}
    for fall in points:
        found = _changes(base, falling(fallen, fall, nights=30), rng, accounts)
        fell = [day for verdict, day, _ in found if verdict == "fell"]
        seen[fall] = len(fell) / len(found)
        dated[fall] = sum(abs(day - first_day).days <= 2 for day in fell) / len(found)
    declined = [trend == "declined" for *_, trend in _changes(base, sliding, rng, accounts)]
    return Steps(
        float(np.mean([verdict != "no step" for verdict, *_ in unchanged])),
        float(np.mean([trend != "no trend" for *_, trend in unchanged])),
        seen,
        dated,
        float(np.mean(declined)),
    )


def _changes(
    base: Base, world: World, rng: np.random.Generator, accounts: int
) -> list[tuple[str, date, str]]:
    rows: list[tuple[str, date, str]] = []
    for _ in range(accounts):
        write(base, world, rng)
        rows += base.rows("select verdict, changed_on, trend_verdict from analytics.agent_change_point")
    return rows


def flaky(
    base: Base, rates: tuple[float, float], after: float | None = None, seed: int = 3, scenarios: int = 400
) -> float:
    """The share of scenarios called flaky after 30 runs: each passes at a rate of its own, or fell from it once to another."""
    rng = np.random.default_rng(seed)
    rate = np.repeat(rng.uniform(*rates, (scenarios, 1)), 30, axis=1)
    if after is not None:
        rate = np.where(np.arange(30) < rng.integers(5, 26, (scenarios, 1)), rate, after)
    passed = rng.random(rate.shape) < rate
    base.clear()
    base.result(1, of=passed.size)
    base.con.execute(
        "insert into cekura.runs by name select n as id, 1 as result_id, 'completed' as status, n // 30 as scenario,"
        " passed as success from (select unnest(range($1)) as n, unnest($2::boolean[]) as passed)",
        [passed.size, passed.ravel().tolist()],
    )
    return base.row(
        "select count(*) filter (where verdict = 'flaky') / count(*) from analytics.scenario_flakiness"
    )[0]


FLAKY = {
    "constant, 95 to 100 %": ((0.95, 1.0), None),
    "constant, 0 to 5 %": ((0.0, 0.05), None),
    "constant, 30 to 70 %": ((0.3, 0.7), None),
    "fell once from 95 to 20 %": ((0.95, 0.95), 0.2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=200)
    accounts = parser.parse_args().accounts
    base = Base()
    runner.build(base.con)
    _table("world", "called regressed", "accounts with one", "falls of 15 points seen", "of 25")
    for world in WORLDS:
        # Ten times as many accounts: without the views they are cheap.
        rates = measure(base, world, max(1, 10 * accounts * 10 // world.agents))
        _row(world.name, rates.false_falls, rates.false_accounts, *rates.seen.values())
    _table(
        "world",
        "false steps",
        "false trends",
        "15 points seen",
        "dated",
        "25 points seen",
        "dated",
        "declines seen",
    )
    for world in WORLDS:
        if world.agents == 10:
            rates = steps(base, world, max(1, accounts // 20))
            falls = [share[fall] for fall in rates.seen for share in (rates.seen, rates.dated)]
            _row(world.name, rates.false_steps, rates.false_trends, *falls, rates.declines)
    _table("scenarios of 30 runs that pass", "called flaky")
    for name, given in FLAKY.items():
        _row(name, flaky(base, *given, scenarios=20 * accounts))
    rng = np.random.default_rng(1)
    _table(
        "scenarios, one run a night",
        "newly failing by the last result",
        "by the last week",
        "at least once in a week",
    )
    for name, world in STEADY.items():
        _row(name, *newly_failing(base, world, rng).values())


def _table(*columns: str) -> None:
    print(f"\n| {' | '.join(columns)} |\n| {' | '.join(['---'] * len(columns))} |", flush=True)


def _row(name: str, *shares: float) -> None:
    print(f"| {name} | {' | '.join(f'{share * 100:.1f} %' for share in shares)} |", flush=True)


if __name__ == "__main__":
    main()
