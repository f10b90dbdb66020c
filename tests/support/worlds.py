"""Invented accounts whose truth is known: what their agents pass, when one of them falls, and what disturbs the runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from support.base import Base

LAST_NIGHT = datetime(2024, 6, 30, 2, tzinfo=UTC)
SCENARIOS = 12
HARDEST = 3  # scenarios are numbered from the hardest to the easiest

Rates = np.ndarray  # logits of the pass rate, agents by scenarios


@dataclass(frozen=True)
class World:
    """How an account's agents are tested: by a nightly suite of all scenarios, one run each, and what else happens to it."""

    name: str
    agents: int = 10
    nights: int = 35
    every: int = 1  # a suite every so many nights
    rate: float | None = None  # what every scenario of every agent passes; None: they differ
    level: float = 2.0  # of the agents' pass rates (mean, logit): 2.0 makes about 82 %
    spread: float = 1.2  # of the scenarios' difficulty (standard deviation, logit)
    reruns: bool = False  # the hardest scenarios are run again three times in each night of the last week
    good_and_bad_nights: float = 0.0  # a night's effect on all runs of an agent (standard deviation, logit)
    restless: int | None = None  # only the last so many agents have such nights; None: all
    renewed: bool = False  # in the last week four easy scenarios are new, in the place of four others
    fall: float = 0.0  # by how much the first agents' pass rates fall, 0 to 1
    fallen: int = 1  # how many agents these are
    falls_for: int = 7  # in the last so many nights
    slides: bool = False  # the fall is spread evenly over these nights


WORLDS = [
    World("all runs alike", spread=0),
    World("nightly suite"),
    World("re-runs of the hardest", reruns=True),
    World("good and bad nights", good_and_bad_nights=0.5),
    World("bad nights of one agent in ten", good_and_bad_nights=1.0, restless=1),
    World("re-runs and nights", reruns=True, good_and_bad_nights=0.5),
    World("three nights a week", every=2, good_and_bad_nights=0.5),
    World("new scenarios", renewed=True),
    World("200 agents", agents=200),
]


def falling(world: World, points: int, nights: int = 7) -> World:
    return replace(world, fall=points / 100, falls_for=nights)


@dataclass(frozen=True)
class Drawn:
    """An account: how many nights ago each of an agent's results ran, which scenarios it held, and what passed."""

    nights: np.ndarray  # results
    included: np.ndarray  # results by scenarios
    passed: np.ndarray  # agents by results by scenarios


def draw(world: World, rng: np.random.Generator) -> Drawn:
    nights, included = _schedule(world)
    passed = rng.random((world.agents, *included.shape)) < _logistic(_logits(world, nights, rng))
    return Drawn(nights, included, passed)


def write(base: Base, world: World, rng: np.random.Generator) -> None:
    """The rows of a new account of this world, in the place of what the base tables held."""
    drawn = draw(world, rng)
    nights, included, passed = drawn.nights, drawn.included, drawn.passed
    results = np.arange(world.agents * len(nights)).reshape(world.agents, -1)
    agent, result, scenario = np.nonzero(np.broadcast_to(included, passed.shape))
    moments = [LAST_NIGHT - timedelta(days=int(ago)) + timedelta(minutes=k) for k, ago in enumerate(nights)]
    base.clear()
    _insert(
        base,
        "results",
        id=results.ravel(),
        agent=np.repeat(np.arange(world.agents), len(nights)),
        total_runs_count=np.tile(included.sum(axis=1), world.agents),
        success_rate=((passed & included).sum(axis=2) / included.sum(axis=1)).ravel(),
        created_at=pa.array(moments * world.agents, pa.timestamp("us", "UTC")),
    )
    base.con.execute(
        "update cekura.results set name = 'Suite', agent_name = 'Agent ' || agent, status = 'completed', synced_at = created_at,"
        " run_as_text = false, is_cronjob = true, _runs_known = true"
    )
    _insert(
        base,
        "runs",
        id=np.arange(len(agent)),
        result_id=results[agent, result],
        scenario=scenario,
        success=passed[agent, result, scenario],
    )
    base.con.execute("update cekura.runs set status = 'completed', scenario_name = 'Scenario ' || scenario")


def _schedule(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Of each result: how many nights ago it ran, and which scenarios it held."""
    columns = SCENARIOS + (4 if world.renewed else 0)
    rows = []
    for ago in range(world.nights - 1, -1, -world.every):
        suite = np.arange(columns) < SCENARIOS
        if world.renewed and ago < 7:
            suite = np.arange(columns) >= 4
        rows.append((ago, suite))
        if world.reruns and ago < 7:
            rows.extend([(ago, np.arange(columns) < HARDEST)] * 3)
    return np.array([ago for ago, _ in rows]), np.array([suite for _, suite in rows])


def _logits(world: World, nights: np.ndarray, rng: np.random.Generator) -> Rates:
    """Of every run that could have happened: agents by results by scenarios."""
    logits = _difficulties(world, rng)
    if world.renewed:
        logits = np.concatenate([logits, logits[:, -4:] + 1], axis=1)
    effects = rng.normal(0, world.good_and_bad_nights, (world.agents, world.nights))
    if world.restless is not None:
        effects[: world.agents - world.restless] = 0
    shift = np.zeros((world.agents, len(nights)))
    for agent in range(world.fallen):
        shift[agent] = _shift(logits[agent], world.fall) * _share_of_the_fall(world, nights)
    return logits[:, None, :] + effects[:, nights][:, :, None] - shift[:, :, None]


def _difficulties(world: World, rng: np.random.Generator) -> Rates:
    if world.rate is not None:
        return np.full((world.agents, SCENARIOS), np.log(world.rate / (1 - world.rate)))
    agents = rng.normal(world.level, 0.5, (world.agents, 1))
    return np.sort(agents + rng.normal(0, world.spread, (world.agents, SCENARIOS)), axis=1)


def _share_of_the_fall(world: World, nights: np.ndarray) -> np.ndarray:
    if world.slides:
        return np.clip(1 - nights / world.falls_for, 0, 1)
    return (nights < world.falls_for).astype(float)


def _shift(logits: np.ndarray, fall: float) -> float:
    """What has to be taken from every logit to bring the mean rate down by this much; found by halving."""
    low, high = 0.0, 10.0
    for _ in range(50):
        middle = (low + high) / 2
        fell = _logistic(logits).mean() - _logistic(logits - middle).mean()
        low, high = (middle, high) if fell < fall else (low, middle)
    return low


def _logistic(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def _insert(base: Base, table: str, **columns: np.ndarray | pa.Array) -> None:
    base.con.register("given", pa.table(columns))
    base.con.execute(f"insert into cekura.{table} by name select * from given")
    base.con.unregister("given")
