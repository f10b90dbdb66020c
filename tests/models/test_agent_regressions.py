import pytest

from support.base import Base
from support.published import NEWCOMBE

COUNTS = """
    select recent_results, recent_decided_runs, recent_passed_runs, recent_pass_rate,
    previous_results, previous_decided_runs, previous_passed_runs, previous_pass_rate, verdict
    from analytics.agent_regressions
"""


def history(base: Base, *passes: int, of: int = 10) -> None:
    """A result a day, oldest first, with ids that fall where time rises."""
    for day, passed in enumerate(passes, start=1):
        base.result(100 - day, passed=passed, of=of, created_at=f"2024-03-{day:02} 00:00:00+00")


def test_the_latest_ten_results_are_held_against_the_ten_before(base: Base) -> None:
    history(base, *[0] * 5, *[9] * 10, *[3] * 10)

    assert base.row(COUNTS) == (10, 100, 30, 0.3, 10, 100, 90, 0.9, "regressed")
    assert base.row("select cast(recent_since as varchar) from analytics.agent_regressions") == (
        "2024-03-16 00:00:00+00",
    )


def test_fewer_than_ten_results_before_are_compared_as_they_are(base: Base) -> None:
    history(base, 3, 3, *[9] * 10)

    assert base.row(COUNTS) == (10, 100, 90, 0.9, 2, 20, 6, 0.3, "improved")


def test_among_results_of_one_instant_the_greatest_ids_are_the_latest(base: Base) -> None:
    for result_id in range(1, 21):
        base.result(result_id, passed=9 if result_id > 10 else 3, of=10)

    assert base.row(COUNTS) == (10, 100, 90, 0.9, 10, 100, 30, 0.3, "improved")


def test_rates_are_ratios_of_sums(base: Base) -> None:
    history(base, *[0] * 9, 10, of=10)
    base.result(1, passed=90, of=90, created_at="2024-03-20 00:00:00+00")

    assert base.row("select recent_pass_rate, previous_pass_rate from analytics.agent_regressions") == (
        100 / 180,
        0.0,
    )


def test_ten_results_or_fewer_have_nothing_to_be_held_against(base: Base) -> None:
    history(base, *[9] * 10)

    assert base.row(COUNTS) == (10, 100, 90, 0.9, 0, 0, 0, None, None)


def test_results_that_did_not_complete_or_decide_nothing_take_no_place(base: Base) -> None:
    history(base, *[3] * 10, *[9] * 10)
    base.result(1, of=10, status="failed", created_at="2024-03-25 00:00:00+00")
    base.result(2, of=10, success_rate=None, created_at="2024-03-26 00:00:00+00")
    base.result(3, of=0, created_at="2024-03-27 00:00:00+00")

    assert base.row(COUNTS) == (10, 100, 90, 0.9, 10, 100, 30, 0.3, "improved")


def test_an_agent_with_nothing_completed_has_counts_of_0_and_no_verdict(base: Base) -> None:
    base.result(1, of=5, status="running")

    assert base.row(COUNTS) == (0, 0, 0, None, 0, 0, 0, None, None)


def test_agents_are_judged_apart(base: Base) -> None:
    for day in range(1, 21):
        created_at = f"2024-03-{day:02} 00:00:00+00"
        base.result(day, agent=1, passed=5, of=5, created_at=created_at)
        base.result(100 + day, agent=2, passed=5 if day <= 10 else 0, of=5, created_at=created_at)

    assert base.rows("select agent_id, verdict from analytics.agent_regressions order by agent_id") == [
        (1, "same"),
        (2, "regressed"),
    ]


@pytest.mark.parametrize(
    ("first", "second", "low", "high", "verdict"), [row for row in NEWCOMBE if row[0][1] >= 10]
)
def test_the_interval_of_the_difference_is_newcombes_as_published(
    base: Base, first: tuple[int, int], second: tuple[int, int], low: float, high: float, verdict: str
) -> None:
    recent = [True] * first[0] + [False] * (first[1] - first[0])
    base.result(1, *second, created_at="2024-03-01 00:00:00+00")
    for place in range(10):
        base.result(2 + place, runs=recent[place::10], created_at="2024-03-02 00:00:00+00")

    *interval, judged = base.row(
        "select difference_low, difference_high, verdict from analytics.agent_regressions"
    )

    assert interval == pytest.approx([low, high], abs=0.00006)
    assert judged == verdict
