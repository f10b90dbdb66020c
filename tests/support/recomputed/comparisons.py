"""The views that hold one set of results against another, in plain Python."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from support.recomputed.facts import Result, decided, grouped, passed, ratio
from support.recomputed.judging import Run, contributions, judge
from support.recomputed.views import DAY, Row, Warehouse, rates, scenario_key

T = TypeVar("T")
Sides = tuple[list[Result], list[Result]]  # after, before


def runs_of(sides: Sides, by_result: bool = False) -> list[Run]:
    """The decided runs of which something is known."""
    return [
        Run(
            is_after=is_after,
            result=result.id,
            day=result.id if by_result else result.day,
            scenario=scenario_key(run),
            passed=run.passed,
        )
        for is_after, results in zip((True, False), sides, strict=True)
        for result in results
        for run in result.children
        if run.passed is not None
    ]


def _judged(
    groups: dict[Hashable, tuple[Hashable, Sides]], least_results: int = 3, by_result: bool = False
) -> dict[Hashable, Row]:
    """The columns of a comparison, for each key: what it is judged together with, and its two sides."""
    rows = judge(
        {key: (family, runs_of(sides, by_result)) for key, (family, sides) in groups.items()},
        least_results,
        peers=not by_result,
    )
    for key, (_, (after, before)) in groups.items():
        row = rows[key]
        rate, previous = (ratio(passed(side), decided(side)) for side in (after, before))
        row["difference"] = None if rate is None or previous is None else rate - previous
        adjusted = row["adjusted_difference"]
        row["mix_effect"] = None if adjusted is None else row["difference"] - adjusted
        row["covered_share"] = ratio(row.pop("covered_runs"), decided(after) + decided(before))
    return rows


def _sides(names: tuple[str, str], sides: Sides) -> Row:
    """Two sets of results with decided runs, the first against the second."""
    row: Row = {}
    for name, group in zip(names, sides, strict=True):
        row |= {
            f"{name}results": len(group),
            f"{name}decided_runs": decided(group),
            f"{name}passed_runs": passed(group),
            f"{name}pass_rate": ratio(passed(group), decided(group)),
        }
    return row


def _scenarios(names: tuple[str, str], sides: Sides) -> Iterable[Row]:
    """A row for each scenario of two sides: what it contributes to their adjusted difference."""
    newest = sorted((run for side in sides for r in side for run in r.children), key=lambda run: run.id)
    decided_runs = [run for run in newest if run.passed is not None]
    ids = {scenario_key(run): run.scenario_id for run in decided_runs}
    latest_names = {
        scenario_key(run): run.scenario_name for run in decided_runs if run.scenario_name is not None
    }
    for key, row in contributions(runs_of(sides)).items():
        columns: Row = {"scenario_id": ids[key], "scenario_key": key, "scenario_name": latest_names.get(key)}
        for name, side in zip(names, (True, False), strict=True):
            n, x = row[side]
            columns |= {f"{name}decided_runs": n, f"{name}passed_runs": x, f"{name}pass_rate": ratio(x, n)}
        yield columns | {"weight": row["weight"], "contribution": row["contribution"]}


def newest_day(results: Iterable[Result]) -> date:
    return max(r.day for r in results if r.day <= datetime.now(UTC).date())


def _weeks(warehouse: Warehouse) -> dict[int | None, Sides]:
    last_day = newest_day(warehouse.results)
    sides = {}
    for agent, group in warehouse.by_agent.items():
        usable = [r for r in group if r.decided_runs]
        week = [r for r in usable if last_day - 7 * DAY < r.day <= last_day]
        sides[agent] = week, [r for r in usable if last_day - 35 * DAY < r.day <= last_day - 7 * DAY]
    return sides


def agent_last_week_results(warehouse: Warehouse) -> Iterable[Row]:
    for agent, sides in _weeks(warehouse).items():
        for of_last_week, results in zip((True, False), sides, strict=True):
            for r in results:
                yield {
                    "result_id": r.id,
                    "result_name": r.name,
                    "agent_id": agent,
                    "channel": r.channel,
                    "created_at": r.created,
                    "day": r.day,
                    "last_day": newest_day(warehouse.results),
                    "of_last_week": of_last_week,
                    "decided_runs": r.decided_runs,
                    "passed_runs": r.passed_runs,
                }


def agent_last_week(warehouse: Warehouse) -> Iterable[Row]:
    weeks = _weeks(warehouse)
    judged = _judged({agent: (1, sides) for agent, sides in weeks.items()})
    for agent, sides in weeks.items():
        yield (
            warehouse.agents[agent]
            | _sides(("", "previous_"), sides)
            | judged[agent]
            | {"last_day": newest_day(warehouse.results)}
        )


def agent_last_week_scenarios(warehouse: Warehouse) -> Iterable[Row]:
    for agent, sides in _weeks(warehouse).items():
        for row in _scenarios(("", "previous_"), sides):
            yield warehouse.agents[agent] | row


Step = tuple[datetime, int | None]  # an instant and an agent


def _steps(warehouse: Warehouse) -> dict[Step, tuple[Row, Sides]]:
    """Each agent's instants of change: how far they reach, and the results on both sides."""
    steps = {}
    for agent in warehouse.by_agent.keys() | {
        agent for _, agent, *_ in warehouse.changes if agent is not None
    }:
        moments = sorted({c[2] for c in _of(agent, warehouse)})
        usable = [r for r in warehouse.by_agent.get(agent, []) if r.decided_runs]
        for at in moments:
            since = max([at - 14 * DAY, *(m for m in moments if m < at)])
            until = min([at + 14 * DAY, *(m for m in moments if m > at)])
            after = [r for r in usable if at <= r.created < until]
            before = [r for r in usable if since <= r.created < at]
            steps[at, agent] = {"before_since": since, "after_until": until}, (after, before)
    order = sorted(steps, key=lambda step: (step[0], step[1] is None, step[1]))
    return {step: steps[step] for step in order}


def _of(agent: int | None, warehouse: Warehouse) -> list[tuple[int, int | None, datetime, str]]:
    return [c for c in warehouse.changes if c[1] == agent or (c[1] is None and agent in warehouse.by_agent)]


def agent_changes(warehouse: Warehouse) -> Iterable[Row]:
    for number, ((at, agent), (span, _)) in enumerate(_steps(warehouse).items(), start=1):
        yield {"step": number, "agent_id": agent, "changed_at": at} | span


def agent_change_results(warehouse: Warehouse) -> Iterable[Row]:
    for number, ((at, agent), (_, sides)) in enumerate(_steps(warehouse).items(), start=1):
        for is_after, results in zip((True, False), sides, strict=True):
            for r in results:
                yield {
                    "step": number,
                    "agent_id": agent,
                    "changed_at": at,
                    "result_id": r.id,
                    "day": r.day,
                    "is_after": is_after,
                    "decided_runs": r.decided_runs,
                    "passed_runs": r.passed_runs,
                }


def agent_change_effect(warehouse: Warehouse) -> Iterable[Row]:
    steps = _steps(warehouse)
    judged = _judged({step: (step[0], sides) for step, (_, sides) in steps.items()})
    for (at, agent), (span, sides) in steps.items():
        named = warehouse.agents.get(agent, {"agent_id": agent, "agent_name": None})
        for line, _, moment, note in _of(agent, warehouse):
            if moment == at:
                row = named | _sides(("after_", "before_"), sides) | judged[at, agent] | span
                yield row | {"line": line, "changed_at": at, "note": note}


def agent_change_effect_scenarios(warehouse: Warehouse) -> Iterable[Row]:
    for (at, agent), (_, sides) in _steps(warehouse).items():
        for row in _scenarios(("after_", "before_"), sides):
            yield warehouse.agents[agent] | {"changed_at": at} | row


def agent_version_pass_rate(warehouse: Warehouse) -> Iterable[Row]:
    rows: dict[Hashable, Row] = {}
    pairs: dict[Hashable, tuple[Hashable, Sides]] = {}
    for agent, group in warehouse.by_agent.items():
        versions = grouped((r for r in group if r.version_id), lambda result: result.version_id)
        before: tuple[str, list[Result]] | None = None
        for version, mine in sorted(versions.items(), key=lambda item: (item[1][0].created, item[0])):
            usable = decided(mine) > 0
            name, previous = before if before and usable else (None, [])
            pairs[agent, version] = (
                mine[-1].version or version,
                _with_runs(mine if name else [], previous),
            )
            rows[agent, version] = (
                warehouse.agents[agent]
                | rates(mine)
                | {
                    "agent_version": mine[-1].version,
                    "agent_version_id": version,
                    "results": len(mine),
                    "first_result_at": mine[0].created,
                    "last_result_at": mine[-1].created,
                    "previous_version": name,
                    "previous_decided_runs": decided(previous) if name else None,
                    "previous_passed_runs": passed(previous) if name else None,
                    "previous_pass_rate": ratio(passed(previous), decided(previous)),
                }
            )
            before = (mine[-1].version, mine) if usable else before
    judged = _judged(pairs)
    return [row | judged[key] for key, row in rows.items()]


def _with_runs(after: list[Result], before: list[Result]) -> Sides:
    return [r for r in after if r.decided_runs], [r for r in before if r.decided_runs]


def result_trend(warehouse: Warehouse) -> Iterable[Row]:
    completed = [result for result in warehouse.results if result.completed]
    last_day = newest_day(completed)
    rows: dict[Hashable, Row] = {}
    pairs: dict[Hashable, tuple[Hashable, Sides]] = {}
    for series in grouped(completed, lambda r: (r.agent, r.name, r.channel)).values():
        before: list[Result] = []
        for result in series:
            others = before[-10:] if result.decided_runs else []
            recent = last_day - 35 * DAY < result.day <= last_day
            pairs[result.id] = result.day, ([result] if others else [], others)
            rows[result.id] = {
                "result_id": result.id,
                "result_name": result.name,
                "agent_id": result.agent,
                "agent_name": result.agent_name,
                "channel": result.channel,
                "created_at": result.created,
                "decided_runs": result.decided_runs,
                "passed_runs": result.passed_runs,
                "pass_rate": ratio(result.passed_runs or 0, result.decided_runs or 0),
                "previous_result_id": others[-1].id if others else None,
                "previous_results": len(others) if result.decided_runs else None,
                "previous_decided_runs": decided(others) if others else None,
                "previous_passed_runs": passed(others) if others else None,
                "previous_pass_rate": ratio(passed(others), decided(others)),
                "recent": recent,
            }
            before += [result] if result.decided_runs else []
    judged = _judged({key: pair for key, pair in pairs.items() if rows[key]["recent"]}, 1, by_result=True)
    unjudged = _judged(
        {key: (family, ([], [])) for key, (family, _) in pairs.items() if not rows[key]["recent"]}
    )
    for key, row in unjudged.items():
        rate, previous = rows[key]["pass_rate"], rows[key]["previous_pass_rate"]
        row["no_verdict_because"] = "not of the newest 35 days"
        row["difference"] = None if previous is None else rate - previous
    for key, row in rows.items():
        del row["recent"]
        answer = (judged | unjudged)[key]
        if row["decided_runs"] and answer["covered_share"] is None:
            answer["covered_share"] = 0.0
        yield row | answer


def grouped_runs(runs: list[T], by: Callable[[T], Any]) -> dict[Any, list[T]]:
    groups: dict[Any, list[T]] = defaultdict(list)
    for run in runs:
        groups[by(run)].append(run)
    return groups
