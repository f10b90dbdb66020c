"""The verdicts on invented accounts whose truth is known. `make statistics` measures more of them."""

from dataclasses import replace

import numpy as np
import pytest

from support.base import Base
from support.error_rates import COMPARED, measure, runs, verdicts
from support.worlds import WORLDS, World, draw, falling, write

BY_NAME = {world.name: world for world in WORLDS}


@pytest.mark.parametrize("name", ["nightly suite", "re-runs and nights"])
def test_unchanged_agents_are_rarely_called_worse_and_a_deep_fall_is_seen(base: Base, name: str) -> None:
    """With the raw difference, nearly every agent whose hardest scenarios are run again would be called worse."""
    rates = measure(base, BY_NAME[name], accounts=3, points=(40,))

    assert rates.false_falls <= 0.06
    assert rates.seen[40] == 1.0


def test_three_nights_a_side_are_judged_with_caution(base: Base) -> None:
    world = World("three nights", nights=9, every=3, good_and_bad_nights=0.5)

    assert measure(base, world, accounts=2, points=()).false_falls == 0


def test_what_is_measured_is_what_the_view_says(base: Base) -> None:
    world = falling(BY_NAME["re-runs and nights"], 15)
    write(base, world, np.random.default_rng(2))

    seen = base.rows("select verdict from analytics.agent_last_week order by agent_id")

    measured = verdicts(base, world, 1, np.random.default_rng(2))
    assert [verdict for (verdict,) in seen] == measured[0].tolist()


def visible(base: Base, world: World, alone: bool) -> np.ndarray:
    """The smallest visible difference of each agent of an account: judged by its own nights alone, or by those of all agents."""
    given = runs(draw(world, np.random.default_rng(1)), account=0)
    peers = given.column("comparison" if alone else "family")
    base.con.register("given", given.set_column(given.column_names.index("peers"), "peers", peers))
    answer = base.con.sql(
        COMPARED.replace("select verdict", "select smallest_visible_difference", 1)
    ).fetchnumpy()
    base.con.unregister("given")
    return np.asarray(answer["smallest_visible_difference"])


def test_agents_learn_from_each_other_how_much_nights_differ(base: Base) -> None:
    world = BY_NAME["good and bad nights"]

    assert visible(base, world, alone=False).mean() < 0.97 * visible(base, world, alone=True).mean()


def test_calm_agents_do_not_vouch_for_one_whose_nights_differ_much(base: Base) -> None:
    world = replace(BY_NAME["bad nights of one agent in ten"], good_and_bad_nights=3.0)

    assert visible(base, world, alone=False)[-1] > 0.9 * visible(base, world, alone=True)[-1]
