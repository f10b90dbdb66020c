import pytest

from support.base import Base
from support.published import WILSON

COUNTS = """
    select agent_id, personality_name, runs, decided_runs, passed_runs, pass_rate
    from analytics.personality_pass_rate order by all
"""


def test_runs_are_counted_by_agent_and_personality(base: Base) -> None:
    base.result(1, of=4)
    base.result(2, of=1, agent=2)
    for run_id, (name, success) in enumerate(
        [("Angry", True), ("Angry", False), ("Calm", None), (None, True)]
    ):
        base.detail(run_id, 1, personality_name=name, success=success)
    base.detail(9, 2, personality_name="Angry", success=True)

    assert base.rows(COUNTS) == [
        (1, "Angry", 2, 2, 1, 0.5),
        (1, "Calm", 1, 0, 0, None),
        (1, None, 1, 1, 1, 1.0),
        (2, "Angry", 1, 1, 1, 1.0),
    ]


@pytest.mark.parametrize(("passed", "of", "low", "high"), WILSON)
def test_the_interval_is_wilsons_as_published(
    base: Base, passed: int, of: int, low: float, high: float
) -> None:
    base.result(1, of=of)
    for run_id in range(of):
        base.detail(run_id, 1, success=run_id < passed)

    interval = base.row("select pass_rate_low, pass_rate_high from analytics.personality_pass_rate")

    assert interval == pytest.approx((low, high), abs=0.00005)
