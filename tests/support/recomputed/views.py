"""The views of agents and results in plain Python: their rows, written from the contract and the views' comments."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from support.recomputed.facts import (
    Result,
    Run,
    decided,
    grouped,
    lost,
    passed,
    ratio,
    runs_needed,
    wilson,
)

Row = dict[str, Any]
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Warehouse:
    """What a warehouse is made of."""

    results: list[Result]
    changes: list[tuple[int, int | None, datetime, str]]  # line, agent, when, note
    last_sync: datetime
    rejected: int = 0

    @property
    def by_agent(self) -> dict[int | None, list[Result]]:
        return grouped(self.results, lambda result: result.agent)

    @property
    def agents(self) -> dict[int | None, Row]:
        """Each agent under its newest name."""
        return {
            agent: {"agent_id": agent, "agent_name": _newest_name(group)}
            for agent, group in self.by_agent.items()
        }


def _newest_name(group: list[Result]) -> str | None:
    return next((result.agent_name for result in reversed(group) if result.agent_name is not None), None)


def rates(group: Iterable[Result]) -> Row:
    group = list(group)
    low, high = wilson(passed(group), decided(group))
    return {
        "completed_results": sum(r.completed for r in group),
        "decided_runs": decided(group),
        "passed_runs": passed(group),
        "pass_rate": ratio(passed(group), decided(group)),
        "pass_rate_low": low,
        "pass_rate_high": high,
    }


def live_results(warehouse: Warehouse) -> Iterable[Row]:
    for r in warehouse.results:
        yield {
            "result_id": r.id,
            "result_name": r.name,
            "agent_id": r.agent,
            "agent_name": r.agent_name,
            "agent_version": r.version,
            "agent_version_id": r.version_id,
            "project_id": None,
            "channel": r.channel,
            "direction": r.direction,
            "trigger": r.trigger,
            "status": r.status,
            "status_group": r.group,
            "reported_rate": r.success_rate,
            "runs": r.total,
            "runs_known": r.json["runs"] is not None,
            "completed_runs": r.completed_runs_count,
            "counted_passes": r.success_runs_count,
            "counted_failures": r.failed_runs_count,
            "expected_outcomes": r.expected[1],
            "met_expected_outcomes": r.expected[0],
            "created_at": r.created,
            "created_on": r.day,
            "updated_at": datetime.fromisoformat(r.updated_at),
            "aged_out_at": None,
            "_in_flight_since": r.created if r.group == "in_flight" else None,
        }


def results(warehouse: Warehouse) -> Iterable[Row]:
    for r, row in zip(warehouse.results, live_results(warehouse), strict=True):
        for name in ("reported_rate", "runs_known", "counted_passes", "counted_failures", "_in_flight_since"):
            del row[name]
        yield row | {
            "success_rate": r.rate,
            "decided_runs": r.decided_runs,
            "passed_runs": r.passed_runs,
            "lost_runs": r.lost_runs,
            "passes_from": r.source,
            "rate_whole": r.scale,
            "rate_evidence": r.evidence,
        }


def scenario_key(run: Run) -> str | None:
    if run.scenario_id is not None:
        return str(run.scenario_id)
    return None if run.scenario_name is None else f"name {run.scenario_name}"


def runs(warehouse: Warehouse) -> Iterable[Row]:
    for r in warehouse.results:
        for run in r.children:
            yield {
                "run_id": run.id,
                "result_id": r.id,
                "agent_id": r.agent,
                "agent_name": r.agent_name,
                "agent_version": r.version,
                "agent_version_id": r.version_id,
                "channel": r.channel,
                "trigger": r.trigger,
                "project_id": None,
                "scenario_id": run.scenario_id,
                "scenario_key": scenario_key(run),
                "scenario_name": run.scenario_name,
                "status": run.status,
                "outcome": run.outcome,
                "passed": run.passed,
                "error_message": run.error,
                "duration_seconds": run.seconds,
                "result_status_group": r.group,
                "created_at": r.created,
            }


def agents(warehouse: Warehouse) -> Iterable[Row]:
    for agent, group in warehouse.by_agent.items():
        yield warehouse.agents[agent] | {
            "results": len(group),
            "first_result_at": group[0].created,
            "last_result_at": group[-1].created,
        }


def agent_pass_rate(warehouse: Warehouse) -> Iterable[Row]:
    for agent, group in warehouse.by_agent.items():
        failed = [r for r in group if r.infrastructure]
        completed = [r for r in group if r.completed]
        yield (
            warehouse.agents[agent]
            | rates(group)
            | {
                "runs_needed": runs_needed(passed(group), decided(group)),
                "strict_pass_rate": ratio(
                    passed(group), decided(group) + lost(group) + sum(r.total or 0 for r in failed)
                ),
                "expected_outcome_rate": ratio(
                    sum(r.expected[0] or 0 for r in completed), sum(r.expected[1] or 0 for r in completed)
                ),
                "infrastructure_failure_rate": ratio(len(failed), len(failed) + len(completed)),
                "lost_runs": lost(group),
                "run_loss_rate": ratio(lost(group), sum(r.total or 0 for r in completed)),
                "first_result_at": group[0].created,
                "last_result_at": group[-1].created,
            }
        )


def agent_run_counts(warehouse: Warehouse) -> Iterable[Row]:
    for agent, group in warehouse.by_agent.items():
        yield warehouse.agents[agent] | {
            "results": len(group),
            "runs": sum(r.total or 0 for r in group),
            "completed_runs": sum(r.completed_runs_count or 0 for r in group),
            "decided_runs": decided(group),
            "passed_runs": passed(group),
            "lost_runs": lost(group),
            **{
                f"{name}_results": sum(r.group == of for r in group)
                for name, of in (
                    ("in_flight", "in_flight"),
                    ("completed", "completed"),
                    ("infrastructure_failed", "infrastructure_failure"),
                    ("cancelled", "cancelled"),
                )
            },
            **{f"{name}_results": sum(r.channel == name for r in group) for name in ("voice", "text")},
            **{f"{name}_results": sum(r.trigger == name for r in group) for name in ("scheduled", "manual")},
            "last_result_at": group[-1].created,
        }


def _periods(warehouse: Warehouse, name: str, begin_of: Any, length: timedelta) -> Iterable[Row]:
    """A row per agent and period from its first to its last, and the ratio of sums over seven of them."""
    for agent, group in warehouse.by_agent.items():
        begun = grouped(group, lambda result: begin_of(result.day))
        today = datetime.now(UTC).date()
        periods, begin = set(begun), min(begun)
        while begin <= min(max(begun), begin_of(today)):  # gaps beyond today stay gaps
            periods.add(begin)
            begin += length
        for period in periods:
            here = begun.get(period, [])
            seven = [r for r in group if period - 6 * length <= begin_of(r.day) <= period]
            yield warehouse.agents[agent] | {
                name: period,
                **rates(here),
                "infrastructure_failed_results": sum(r.infrastructure for r in here),
                "pass_rate_moving": ratio(passed(seven), decided(seven)),
            }


def agent_daily(warehouse: Warehouse) -> Iterable[Row]:
    return _periods(warehouse, "day", lambda day: day, DAY)


def agent_weekly(warehouse: Warehouse) -> Iterable[Row]:
    return _periods(warehouse, "week", lambda day: day - day.weekday() * DAY, 7 * DAY)


def agent_segments(warehouse: Warehouse) -> Iterable[Row]:
    segments = grouped(warehouse.results, lambda r: (r.agent, r.channel, r.direction, r.trigger))
    for (agent, channel, direction, trigger), group in segments.items():
        failed = sum(r.infrastructure for r in group)
        yield (
            warehouse.agents[agent]
            | rates(group)
            | {
                "channel": channel,
                "direction": direction,
                "trigger": trigger,
                "results": len(group),
                "infrastructure_failed_results": failed,
                "infrastructure_failure_rate": ratio(failed, failed + sum(r.completed for r in group)),
                "last_result_at": group[-1].created,
            }
        )


def infrastructure_failures_daily(warehouse: Warehouse) -> Iterable[Row]:
    ended = (r for r in warehouse.results if r.group != "in_flight")
    for (agent, day), group in grouped(ended, lambda r: (r.agent, r.day)).items():
        count = {
            s: sum(r.status == s for r in group) for s in ("completed", "failed", "timeout", "cancelled")
        }
        failed = count["failed"] + count["timeout"]
        yield warehouse.agents[agent] | {
            "day": day,
            **count,
            "share": ratio(failed, failed + count["completed"]),
            "runs": (runs_ := sum(r.total or 0 for r in group if r.completed)),
            "lost_runs": lost(group),
            "run_loss_rate": ratio(lost(group), runs_),
        }
