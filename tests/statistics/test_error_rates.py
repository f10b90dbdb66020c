"""The verdicts on invented accounts whose truth is known. `make statistics` measures more of them."""

import pytest

from support.base import Base
from support.error_rates import measure
from support.worlds import WORLDS, World

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
