import pytest

from support.base import Base
from support.error_rates import flaky

FLIPS = "select decided_runs, flips, flip_rate, verdict from analytics.scenario_flakiness"


def outcomes(text: str) -> list[bool | None]:
    """`+` passed, `-` failed, `?` nobody says; the newest comes last."""
    return [{"+": True, "-": False, "?": None}[letter] for letter in text]


@pytest.mark.parametrize(
    ("runs", "flips", "verdict"),
    [
        ("++++++++++", 0, "reliable"),
        ("----------", 0, "broken"),
        ("+-+-+-+-+-", 9, "flaky"),
        ("++-+-++--+-+", 8, "flaky"),
        ("+" * 19 + "-", 1, "reliable"),
        ("+++++-+++++", 2, "mostly passes"),
        ("-----+-----", 2, "mostly fails"),
        ("+-+++++-+++-+++", 6, "mostly passes"),
        ("++++++++++--------", 1, "changed"),
        ("--------++++++++++", 1, "changed"),
        ("+++++++---", 1, "changed"),
        ("+-+-+-+-+", 8, "not enough runs"),
        ("?", 0, "not enough runs"),
        ("+", 0, "not enough runs"),
        ("+?+??+?+?++++++", 0, "reliable"),
    ],
)
def test_a_verdict_follows_from_the_rate_and_the_order_of_the_runs(
    base: Base, runs: str, flips: int, verdict: str
) -> None:
    base.result(1, runs=outcomes(runs))

    decided = len(runs.replace("?", ""))
    expected = pytest.approx(flips / (decided - 1)) if decided > 1 else None
    assert base.row(FLIPS) == (decided, flips, expected, verdict)


def test_only_the_newest_50_runs_count(base: Base) -> None:
    base.result(1, runs=outcomes("-" * 40), created_at="2024-03-04 00:00:00+00")
    base.result(2, runs=outcomes("+" * 50), created_at="2024-03-05 00:00:00+00")

    assert base.row(FLIPS) == (50, 0, 0.0, "reliable")


def test_runs_are_in_the_order_of_their_results(base: Base) -> None:
    base.result(2, runs=outcomes("++++++"), created_at="2024-03-04 00:00:00+00")
    base.result(1, runs=outcomes("----"), created_at="2024-03-05 00:00:00+00")
    base.result(3, runs=outcomes("--"), created_at="2024-03-06 00:00:00+00")

    assert base.row(FLIPS) == (12, 1, pytest.approx(1 / 11), "changed")


def test_flips_between_two_agents_or_two_scenarios_are_none(base: Base) -> None:
    base.result(1, agent=1)
    base.result(2, agent=2)
    for run_id in range(10):
        base.run(run_id, 1, True, scenario=7)
        base.run(10 + run_id, 1, False, scenario=8)
        base.run(20 + run_id, 2, False, scenario=7)

    assert base.rows(
        "select agent_id, scenario_id, flips, verdict from analytics.scenario_flakiness"
        " order by agent_id, scenario_id"
    ) == [(1, 7, 0, "reliable"), (1, 8, 0, "broken"), (2, 7, 0, "broken")]


@pytest.mark.parametrize("status", ["running", "failed", "cancelled"])
def test_only_runs_of_completed_results_count(base: Base, status: str) -> None:
    base.result(1, runs=outcomes("++++++++++"))
    base.result(2, runs=outcomes("-+-+-"), status=status)

    assert base.row(FLIPS) == (10, 0, 0.0, "reliable")


@pytest.mark.parametrize(
    ("before", "after", "least", "most"),
    [
        ((0.95, 1), None, 0, 0.05),
        ((0, 0.05), None, 0, 0.05),
        ((0.3, 0.7), None, 0.85, 1),
        ((0.95, 0.95), 0.2, 0, 0.1),
    ],
    ids=["passes", "fails", "flaky", "fell once"],
)
def test_so_many_scenarios_of_30_runs_are_called_flaky(
    base: Base, before: tuple[float, float], after: float | None, least: float, most: float
) -> None:
    assert least <= flaky(base, before, after) <= most
