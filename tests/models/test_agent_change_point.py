"""Since when an agent passes more or less than before."""

from support.base import Base
from support.error_rates import steps
from support.worlds import World

STEP = "select cast(changed_on as varchar), round(step, 1), verdict from analytics.agent_change_point"


def test_a_fall_is_dated_to_the_first_day_of_the_new_level(base: Base) -> None:
    base.suites(0, "2024-01-01", 40, passed=9)
    base.suites(40, "2024-02-10", 20, passed=6)
    base.con.execute("update cekura.runs set success = not success where id % 100 = 3 and result_id % 2 = 0")

    assert base.rows(STEP) == [("2024-02-10", -0.3, "fell")]


def test_another_mix_of_scenarios_is_not_a_step(base: Base) -> None:
    base.suites(0, "2024-01-01", 40, passed=5)
    base.con.execute("delete from cekura.runs where result_id >= 20 and success and id % 100 > 0")
    base.con.execute("update cekura.runs set success = not success where id % 100 = 7 and result_id % 2 = 0")

    assert base.rows(STEP) == [(None, None, "no step")]


def test_fewer_than_14_days_say_nothing(base: Base) -> None:
    base.suites(0, "2024-01-01", 13, passed=5)

    assert base.rows(STEP) == [(None, None, None)]
    assert base.rows("select trend, trend_verdict from analytics.agent_change_point") == [(None, None)]


def test_a_slow_decline_is_one_and_a_constant_rate_is_none(base: Base) -> None:
    base.suites(0, "2024-01-01", 60, passed=10)
    base.con.execute(
        "update cekura.runs set success = false where (result_id * 7 + id % 100 * 3) % 60 < result_id / 2"
    )
    declining = base.row("select round(trend, 1), trend_verdict from analytics.agent_change_point")
    base.con.execute("update cekura.runs set success = (result_id * 7 + id % 100 * 3) % 60 < 30")
    constant = base.row("select trend_verdict from analytics.agent_change_point")

    assert declining == (-0.5, "declined")
    assert constant == ("no trend",)


def test_steps_and_trends_are_rarely_found_where_there_are_none_and_mostly_where_there_are(
    base: Base,
) -> None:
    found = steps(base, World("nights", good_and_bad_nights=0.5), accounts=1, points=(25,), seed=2)

    assert found.false_steps <= 0.1
    assert found.false_trends <= 0.1
    assert found.dated[25] >= 0.7
    assert found.declines >= 0.4
