"""Which scenarios newly fail or were fixed, in plain Python: written from docs/statistics.md, not from the SQL."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

from support.recomputed.comparisons import grouped_runs, newest_day
from support.recomputed.facts import Result, Run, grouped, wilson
from support.recomputed.views import DAY, Row, Warehouse, scenario_key

Pair = tuple[Result, Run]
Key = tuple[datetime, int]  # of a result


def new_failures(warehouse: Warehouse) -> Iterable[Row]:
    newest = newest_day(warehouse.results)
    for agent, group in warehouse.by_agent.items():
        recent = [r for r in group if r.decided_runs and newest - 35 * DAY < r.day <= newest]
        week = [r.key for r in recent if r.day > newest - 7 * DAY]
        found = [row | {"basis": "last week"} for row in _called(recent, lambda _, week=week: week)]
        for series in grouped(recent, lambda r: (r.name, r.channel)).values():
            if series[-1].key in week:
                last = partial(_last_results, series[-1].key)
                found += [row | {"basis": "last result"} for row in _called(series, last)]
        by_scenario = grouped_runs(found, lambda row: (row["basis"], row["scenario_key"]))
        for rows in by_scenario.values():
            yield warehouse.agents[agent] | max(rows, key=lambda row: (row["created_at"], row["run_id"]))


def _last_results(newest: Key, pairs: list[Pair]) -> list[Key]:
    """The newest result, if it holds this scenario, and the one before it, if that is a single run."""
    runs = [result.key for result, _ in pairs]
    second = max((key for key in runs if key != newest), default=newest)
    return [[], [newest, second], [newest]][min(runs.count(newest), 2)]


def _called(results: list[Result], new_results: Callable[[list[Pair]], list[Key]]) -> Iterable[Row]:
    """`new_results` tells, for the runs of one scenario, which of its results are held against the others."""
    pairs = [(r, run) for r in results for run in r.children if run.passed is not None]
    by_scenario = grouped_runs(pairs, lambda pair: scenario_key(pair[1]))
    for key, mine in by_scenario.items():
        new = new_results(mine)
        after = [pair for pair in mine if pair[0].key in new]
        before = [pair for pair in mine if pair[0].key not in new]
        verdict = _verdict(_passes(before), _passes(after))
        if verdict and key is not None:
            shown = [pair for pair in after if pair[1].passed == (verdict == "fixed")]
            result, run = max(shown, key=lambda pair: (pair[0].created, pair[1].id))
            yield {
                "scenario_id": run.scenario_id,
                "scenario_key": key,
                "scenario_name": run.scenario_name,
                "verdict": verdict,
                "run_id": run.id,
                "result_id": result.id,
                "created_at": result.created,
                **_rates("previous_", *_passes(before)),
                **_rates("", *_passes(after)),
            }


def _passes(pairs: list[Pair]) -> tuple[int, int]:
    return sum(run.passed is True for _, run in pairs), len(pairs)


def _rates(name: str, passed: int, decided: int) -> Row:
    return {
        f"{name}decided_runs": decided,
        f"{name}passed_runs": passed,
        f"{name}pass_rate": passed / decided,
    }


def _verdict(before: tuple[int, int], after: tuple[int, int]) -> str | None:
    if not before[1] or after[1] < 2:
        return None
    (low_before, high_before), (low, high) = wilson(*before), wilson(*after)
    was, now = before[0] / before[1], after[0] / after[1]
    if was >= 0.95 and now < 0.5 and high < low_before:
        return "newly failing"
    if was <= 0.05 and now > 0.5 and low > high_before:
        return "fixed"
    return None
