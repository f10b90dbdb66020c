import pytest

from support.base import Base

FLIPS = "select decided_runs, flips, flip_rate, verdict from analytics.scenario_flakiness"


def outcomes(text: str) -> list[bool | None]:
    """`+` passed, `-` failed, `?` nobody says; the newest comes last."""
    return [{"+": True, "-": False, "?": None}[letter] for letter in text]


@pytest.mark.parametrize(
    ("runs", "flips", "flip_rate", "verdict"),
    [
        ("++++++++++", 0, 0.0, "stable"),
        ("----------", 0, 0.0, "broken"),
        ("+-+-+", 4, 1.0, "flaky"),
        ("++++++++++-", 1, 0.1, "stable"),
        ("+++++-+++++", 2, 0.2, "flaky"),
        ("++++++-++++++", 2, 2 / 12, "stable"),
        ("++++++-----", 1, 0.1, "broken"),
        ("-----++++++", 1, 0.1, "stable"),
        ("+++++++----", 1, 0.1, "stable"),
        ("----", 0, 0.0, "not enough runs"),
        ("+-+-", 3, 1.0, "not enough runs"),
        ("?", 0, None, "not enough runs"),
        ("+", 0, None, "not enough runs"),
        ("+?+??+?+?+", 0, 0.0, "stable"),
    ],
)
def test_a_verdict_follows_from_the_flips_and_the_last_five_runs(
    base: Base, runs: str, flips: int, flip_rate: float | None, verdict: str
) -> None:
    base.result(1, runs=outcomes(runs))

    decided = len(runs.replace("?", ""))
    assert base.row(FLIPS) == (decided, flips, pytest.approx(flip_rate), verdict)


def test_runs_are_in_the_order_of_their_results(base: Base) -> None:
    base.result(2, runs=outcomes("++"), created_at="2024-03-04 00:00:00+00")
    base.result(1, runs=outcomes("---"), created_at="2024-03-05 00:00:00+00")
    base.result(3, runs=outcomes("--"), created_at="2024-03-06 00:00:00+00")

    assert base.row(FLIPS) == (7, 1, pytest.approx(1 / 6), "broken")


def test_flips_between_two_agents_or_two_scenarios_are_none(base: Base) -> None:
    base.result(1, agent=1)
    base.result(2, agent=2)
    for run_id in range(5):
        base.run(run_id, 1, True, scenario=7)
        base.run(10 + run_id, 1, False, scenario=8)
        base.run(20 + run_id, 2, False, scenario=7)

    assert base.rows(
        "select agent_id, scenario_id, flips, verdict from analytics.scenario_flakiness"
        " order by agent_id, scenario_id"
    ) == [(1, 7, 0, "stable"), (1, 8, 0, "broken"), (2, 7, 0, "broken")]


@pytest.mark.parametrize("status", ["running", "failed", "cancelled"])
def test_only_runs_of_completed_results_count(base: Base, status: str) -> None:
    base.result(1, runs=outcomes("+++++"))
    base.result(2, runs=outcomes("-+-+-"), status=status)

    assert base.row(FLIPS) == (5, 0, 0.0, "stable")
