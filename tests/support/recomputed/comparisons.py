"""The views that hold one set of results against another, in plain Python."""

from collections.abc import Iterable
from datetime import UTC, datetime

from support.recomputed.facts import Result, compared, decided, grouped, passed, ratio
from support.recomputed.views import DAY, Row, Warehouse, rates


def _sides(names: tuple[str, str], first: list[Result], second: list[Result]) -> Row:
    """Two sets of results with decided runs, the first against the second."""
    row: Row = {}
    for name, group in zip(names, (first, second), strict=True):
        row |= {
            f"{name}results": len(group),
            f"{name}decided_runs": decided(group),
            f"{name}passed_runs": passed(group),
            f"{name}pass_rate": ratio(passed(group), decided(group)),
        }
    return row | compared((passed(first), decided(first)), (passed(second), decided(second)))


def agent_regressions(warehouse: Warehouse) -> Iterable[Row]:
    for agent, group in warehouse.by_agent.items():
        newest_first = [r for r in reversed(group) if r.decided_runs]
        recent, before = newest_first[:10], newest_first[10:20]
        yield (
            warehouse.agents[agent]
            | _sides(("recent_", "previous_"), recent, before)
            | {"recent_since": recent[-1].created if recent else None}
        )


def agent_last_week(warehouse: Warehouse) -> Iterable[Row]:
    last_day = max(r.day for r in warehouse.results if r.day <= datetime.now(UTC).date())
    for agent, group in warehouse.by_agent.items():
        usable = [r for r in group if r.decided_runs]
        week = [r for r in usable if last_day - 7 * DAY < r.day <= last_day]
        before = [r for r in usable if last_day - 35 * DAY < r.day <= last_day - 7 * DAY]
        yield warehouse.agents[agent] | _sides(("", "previous_"), week, before) | {"last_day": last_day}


def agent_change_effect(warehouse: Warehouse) -> Iterable[Row]:
    for agent in warehouse.by_agent.keys() | {
        agent for _, agent, *_ in warehouse.changes if agent is not None
    }:
        mine = [
            c for c in warehouse.changes if c[1] == agent or (c[1] is None and agent in warehouse.by_agent)
        ]
        moments = sorted({at for _, _, at, _ in mine})
        usable = [r for r in warehouse.by_agent.get(agent, []) if r.decided_runs]
        for line, _, at, note in mine:
            since = max([at - 14 * DAY, *(m for m in moments if m < at)])
            until = min([at + 14 * DAY, *(m for m in moments if m > at)])
            after = [r for r in usable if at <= r.created < until]
            before = [r for r in usable if since <= r.created < at]
            named = warehouse.agents.get(agent, {"agent_id": agent, "agent_name": None})
            yield (
                named
                | _sides(("after_", "before_"), after, before)
                | {
                    "line": line,
                    "changed_at": at,
                    "note": note,
                    "before_since": since,
                    "after_until": until,
                }
            )


def agent_version_pass_rate(warehouse: Warehouse) -> Iterable[Row]:
    for agent, group in warehouse.by_agent.items():
        versions = grouped((r for r in group if r.version_id), lambda result: result.version_id)
        before: tuple[str, list[Result]] | None = None
        for version, mine in sorted(versions.items(), key=lambda item: (item[1][0].created, item[0])):
            usable = decided(mine) > 0
            name, previous = before if before and usable else (None, [])
            yield (
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
                    **compared((passed(mine), decided(mine)), (passed(previous), decided(previous))),
                }
            )
            before = (mine[-1].version, mine) if usable else before


def result_trend(warehouse: Warehouse) -> Iterable[Row]:
    completed = (result for result in warehouse.results if result.completed)
    for series in grouped(completed, lambda r: (r.agent, r.name, r.channel)).values():
        before: Result | None = None
        for result in series:
            counts = (result.passed_runs or 0, result.decided_runs or 0)
            other = before if counts[1] else None
            previous = (other.passed_runs, other.decided_runs) if other else (None, None)
            yield {
                "result_id": result.id,
                "result_name": result.name,
                "agent_id": result.agent,
                "agent_name": result.agent_name,
                "channel": result.channel,
                "created_at": result.created,
                "decided_runs": result.decided_runs,
                "passed_runs": result.passed_runs,
                "pass_rate": ratio(*counts),
                "previous_result_id": other.id if other else None,
                "previous_decided_runs": previous[1],
                "previous_passed_runs": previous[0],
                "previous_pass_rate": ratio(previous[0] or 0, previous[1] or 0),
                **compared(counts, (previous[0] or 0, previous[1] or 0)),
            }
            before = result if counts[1] else before
