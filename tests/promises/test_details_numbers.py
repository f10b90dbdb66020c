"""Every figure of the views of run details, computed once more from the API's records, in plain Python."""

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cekura_sync.sandbox import Sandbox, World
from support import details_reader
from support.details_reader import Run
from support.harness import Account

Z = statistics.NormalDist().inv_cdf(0.975)
Figures = dict[tuple[Any, ...], tuple[Any, ...]]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """120 results of four runs for three agents over ten days, with their details."""
    world = World(results=120, agents=3, runs_per_result=4, days=10, in_flight=2)
    with Sandbox(world) as sandbox:
        account = Account(sandbox, tmp_path_factory.mktemp("numbers") / "warehouse.duckdb")
        assert account.sync("--details").code == 0
        yield account


def completed(account: Account) -> list[Run]:
    return [found for found in details_reader.runs(account.world) if found.result["status"] == "completed"]


def lost(run: dict[str, Any]) -> bool:
    return run["status"] in ("failed", "timeout") or bool(run["error_message"])


def measured(account: Account) -> Iterator[tuple[Run, dict[str, Any]]]:
    for found in completed(account):
        if lost(found.run):
            continue
        for metric in found.run["evaluation"]["metrics"]:
            yield found, metric


def passed(metric: dict[str, Any]) -> bool | None:
    return metric["score"] > 0 if metric["type"] == "binary" else None


def grouped(items: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    groups = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups


def shown(account: Account, view: str, keys: int, columns: str) -> Figures:
    rows = account.query(f"select {columns} from analytics.{view}")
    assert rows
    return {row[:keys]: row[keys:] for row in rows}


def assert_equal(found: Figures, expected: Figures) -> None:
    assert found.keys() == expected.keys()
    for key, figures in expected.items():
        assert found[key] == pytest.approx(figures, nan_ok=False), key


def wilson(x: int, n: int) -> tuple[float, float]:
    middle, half = x + Z * Z / 2, Z * math.sqrt(x * (n - x) / n + Z * Z / 4)
    return (middle - half) / (n + Z * Z), (middle + half) / (n + Z * Z)


def test_metric_scores(account: Account) -> None:
    expected: Figures = {}
    groups = grouped(measured(account), lambda one: (one[0].result["agent"], one[1]["id"], one[0].day))
    for key, ones in groups.items():
        scores = [metric["score"] for _, metric in ones if metric["score"] is not None]
        verdicts = [passed(metric) for _, metric in ones if passed(metric) is not None]
        expected[key] = (
            len(ones),
            len(scores),
            *((statistics.fmean(scores), min(scores), max(scores)) if scores else (None,) * 3),
            len(verdicts),
            sum(map(bool, verdicts)),
            sum(map(bool, verdicts)) / len(verdicts) if verdicts else None,
        )

    assert_equal(
        shown(
            account,
            "metric_scores",
            3,
            "agent_id, metric_id, cast(day as varchar), runs, scored_runs, mean_score, lowest_score, highest_score,"
            " decided_runs, passed_runs, pass_rate",
        ),
        expected,
    )


def test_failing_metrics(account: Account) -> None:
    expected: Figures = {}
    decided = [one for one in measured(account) if passed(one[1]) is not None]
    for key, ones in grouped(decided, lambda one: (one[0].result["agent"], one[1]["id"])).items():
        failed = [one for one in ones if not passed(one[1])]
        last = max(failed, key=lambda one: (one[0].created, one[0].result["id"], one[0].run["id"]))
        expected[key] = (
            len(ones),
            len(failed),
            len(failed) / len(ones),
            *wilson(len(failed), len(ones)),
            len({one[0].run["scenario"] for one in failed}),
            last[0].created,
            last[1]["explanation"],
            last[0].run["id"],
            last[0].run["scenario_name"],
        )

    found = shown(
        account,
        "failing_metrics",
        2,
        "agent_id, metric_id, decided_runs, failed_runs, failing_share, failing_share_low, failing_share_high,"
        " failed_scenarios, last_failed_at, last_explanation, last_explained_run_id, last_explained_scenario_name",
    )
    assert found.keys() == expected.keys()
    for key, figures in expected.items():
        assert found[key][:6] == pytest.approx(figures[:6]), key
        assert found[key][6:] == figures[6:], key


def test_personality_pass_rate(account: Account) -> None:
    expected: Figures = {}
    groups = grouped(completed(account), lambda one: (one.result["agent"], one.run["personality_name"]))
    for key, ones in groups.items():
        verdicts = [one.run["success"] for one in ones if not lost(one.run) and "success" in one.run]
        rate = sum(verdicts) / len(verdicts)
        expected[key] = (
            len(ones),
            len(verdicts),
            sum(verdicts),
            rate,
            *wilson(sum(verdicts), len(verdicts)),
        )

    assert_equal(
        shown(
            account,
            "personality_pass_rate",
            2,
            "agent_id, personality_name, runs, decided_runs, passed_runs, pass_rate, pass_rate_low, pass_rate_high",
        ),
        expected,
    )


def seconds(run: dict[str, Any]) -> int:
    minutes, rest = run["duration"].split(":")
    return int(minutes) * 60 + int(rest)


def percentile(values: list[int], share: float) -> float:
    """Interpolated between the two nearest ranks."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def test_call_duration_daily(account: Account) -> None:
    expected: Figures = {}
    calls = [one for one in completed(account) if "duration" in one.run and not one.result["run_as_text"]]
    for key, ones in grouped(calls, lambda one: (one.result["agent"], one.day)).items():
        durations = [seconds(one.run) for one in ones]
        shares = [percentile(durations, share) for share in (0.5, 0.9, 0.95)]
        expected[key] = (len(durations), statistics.fmean(durations), *shares, max(durations))

    assert_equal(
        shown(
            account,
            "call_duration_daily",
            2,
            "agent_id, cast(day as varchar), calls, mean_seconds, p50_seconds, p90_seconds, p95_seconds, longest_seconds",
        ),
        expected,
    )


def test_metric_percentiles(account: Account) -> None:
    def key(one: tuple[Run, dict[str, Any]]) -> tuple[Any, ...]:
        created = one[0].created.astimezone(UTC)
        return one[0].result["agent"], one[1]["id"], str((created - timedelta(days=created.weekday())).date())

    expected: Figures = {}
    scored = [one for one in measured(account) if one[1]["score"] is not None and one[1]["type"] != "binary"]
    for group, ones in grouped(scored, key).items():
        scores = [metric["score"] for _, metric in ones]
        expected[group] = (len(scores), *(percentile(scores, share) for share in (0.5, 0.95, 0.99)))

    assert_equal(
        shown(
            account,
            "metric_percentiles",
            3,
            "agent_id, metric_id, cast(week as varchar), scored_runs, p50, p95, p99",
        ),
        expected,
    )


def test_metric_regressions(account: Account) -> None:
    expected: Figures = {}
    judged = [one for one in measured(account) if one[1]["score"] is not None]
    for key, ones in grouped(judged, lambda one: (one[0].result["agent"], one[1]["id"])).items():
        results: dict[tuple[datetime, int], list[dict[str, Any]]] = grouped(
            ones, lambda one: (one[0].created, one[0].result["id"])
        )
        newest = sorted(results, reverse=True)
        sides = [
            [metric for result in part for _, metric in results[result]]
            for part in (newest[:10], newest[10:20])
        ]
        assert all(sides), "an agent without enough results shows nothing"
        scores = [[metric["score"] for metric in side] for side in sides]
        means = [statistics.fmean(side) for side in scores]
        error = math.sqrt(sum(statistics.variance(side) / len(side) for side in scores))
        if min(map(len, scores)) >= 30:
            interval = (means[0] - means[1] - Z * error, means[0] - means[1] + Z * error)
        else:
            interval = (None, None)
        counts = [(sum(filter(None, map(passed, side))), len(side)) for side in sides]
        binary = sides[0][0]["type"] == "binary"
        expected[key] = (
            len(newest[:10]),
            len(newest[10:20]),
            counts[0][0] / counts[0][1] - counts[1][0] / counts[1][1] if binary else None,
            *(value for pair in zip(map(len, scores), means, strict=True) for value in pair),
            means[0] - means[1],
            *interval,
        )

    assert_equal(
        shown(
            account,
            "metric_regressions",
            2,
            "agent_id, metric_id, recent_results, previous_results, difference,"
            " recent_scored_runs, recent_mean_score, previous_scored_runs, previous_mean_score, score_difference,"
            " score_difference_low, score_difference_high",
        ),
        expected,
    )


def test_metrics_that_give_no_score_and_no_verdict_are_in_no_comparison(account: Account) -> None:
    assert account.query("select 1 from analytics.metric_regressions where metric_id = 904") == []
    assert account.query("select distinct metric_name from analytics.metrics where metric_id = 904") == [
        ("Tone",)
    ]
