"""Since when an agent passes more or less than before."""

import numpy as np

from support.base import Base
from support.worlds import LAST_NIGHT, World, falling, write

STEP = "select cast(changed_on as varchar), round(step, 1), verdict from analytics.agent_change_point"


def test_a_fall_is_dated_to_the_first_day_of_the_new_level(base: Base) -> None:
    base.suites(0, "2024-01-01", 40, passed=9)
    base.suites(40, "2024-02-10", 20, passed=6)
    base.con.execute("update cekura.runs set success = not success where id % 100 = 3 and result_id % 2 = 0")

    assert base.rows(STEP) == [("2024-02-10", -0.3, "fell")]


def test_another_mix_of_scenarios_is_no_step(base: Base) -> None:
    base.suites(0, "2024-01-01", 40, passed=5)
    base.con.execute("delete from cekura.runs where result_id >= 20 and success and id % 100 > 0")
    base.con.execute("update cekura.runs set success = not success where id % 100 = 7 and result_id % 2 = 0")

    assert base.rows(STEP) == [(None, None, "no step")]


def test_fewer_than_14_days_say_nothing(base: Base) -> None:
    base.suites(0, "2024-01-01", 13, passed=5)

    assert base.rows(STEP) == [(None, None, None)]


def test_steps_are_rarely_found_where_there_are_none_and_mostly_where_there_are(base: Base) -> None:
    rng = np.random.default_rng(2)
    world = World("ninety nights", agents=40, nights=90, good_and_bad_nights=0.5)
    write(base, world, rng)
    found = [verdict for *_, verdict in base.rows(STEP)]
    write(base, falling(world, 25, nights=30), rng)
    (day,) = base.row("select changed_on from analytics.agent_change_point where agent_id = 0")

    assert len(found) - found.count("no step") <= 6
    assert abs(day.toordinal() - LAST_NIGHT.date().toordinal() + 29) <= 3
