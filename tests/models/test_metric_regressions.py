import math
import statistics

import pytest

from support.base import Base

PASSES = """
    select recent_results, recent_decided_runs, recent_passed_runs, previous_results, previous_decided_runs,
    previous_passed_runs, verdict from analytics.metric_regressions
"""
SCORES = """
    select recent_scored_runs, recent_mean_score, previous_scored_runs, previous_mean_score, score_difference,
    score_difference_low, score_difference_high, score_verdict from analytics.metric_regressions
"""


def history(base: Base, *values: list[object], name: str = "passed", **columns: object) -> None:
    """A result a day, oldest first, with ids that fall where time rises."""
    for day, of_one in enumerate(values, start=1):
        created_at = f"2024-03-{day:02} 00:00:00+00"
        base.measured(100 - day, *of_one, name=name, created_at=created_at, **columns)


def test_the_latest_ten_results_are_held_against_the_ten_before(base: Base) -> None:
    bad, good = [True] * 3 + [False] * 7, [True] * 9 + [False]
    history(base, *[[False] * 10] * 5, *[good] * 10, *[bad] * 10)

    assert base.row(PASSES) == (10, 100, 30, 10, 100, 90, "regressed")
    assert base.row("select cast(recent_since as varchar) from analytics.metric_regressions") == (
        "2024-03-16 00:00:00+00",
    )


def test_results_that_did_not_measure_the_metric_take_no_place(base: Base) -> None:
    history(base, *[[True] * 5] * 10, *[[False] * 5] * 10)
    base.measured(200, None, None, created_at="2024-03-30 00:00:00+00")
    base.measured(201, True, metric_id=902, created_at="2024-03-30 00:00:00+00")

    assert base.rows(f"{PASSES} where metric_id = 901") == [(10, 50, 0, 10, 50, 50, "regressed")]


def test_ten_results_or_fewer_have_nothing_to_be_held_against(base: Base) -> None:
    history(base, *[[True]] * 10)

    assert base.row(PASSES) == (10, 10, 10, 0, 0, 0, None)


def test_a_metric_that_only_gives_scores_is_compared_by_means_with_an_interval(base: Base) -> None:
    previous = [[float(day * run % 17) for run in range(4)] for day in range(10)]
    recent = [[value + 10 for value in values] for values in previous]
    history(base, *previous, *recent, name="score", type="numeric")

    old, new = ([score for scores in side for score in scores] for side in (previous, recent))
    error = math.sqrt(statistics.variance(old) / len(old) + statistics.variance(new) / len(new))
    assert base.row(SCORES) == (
        40,
        pytest.approx(statistics.fmean(new)),
        40,
        pytest.approx(statistics.fmean(old)),
        pytest.approx(10.0),
        pytest.approx(10 - 1.959963984540054 * error),
        pytest.approx(10 + 1.959963984540054 * error),
        "higher",
    )
    assert base.row("select verdict from analytics.metric_regressions") == (None,)


@pytest.mark.parametrize(("shift", "verdict"), [(-10.0, "lower"), (0.0, "same")])
def test_the_verdict_of_scores_has_no_better_direction(base: Base, shift: float, verdict: str) -> None:
    before = [[1.0, 2.0, 3.0]] * 10
    history(base, *before, *[[v + shift for v in values] for values in before], name="score")

    assert base.row(SCORES)[-1] == verdict


def test_fewer_than_thirty_scores_on_a_side_have_a_difference_without_an_interval(base: Base) -> None:
    history(base, *[[1.0, 2.0]] * 10, *[[5.0, 6.0, 7.0]] * 10, name="score", type="numeric")

    assert base.row(SCORES) == (30, 6.0, 20, 1.5, 4.5, None, None, None)
