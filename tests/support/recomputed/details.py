"""The views of scenarios, of single results and of the warehouse itself, in plain Python."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from support.recomputed.facts import GROUPS, IN_FLIGHT, Result, Run, ratio, runs_needed, wilson
from support.recomputed.views import Row, Warehouse, scenario_key

Scenarios = dict[tuple[int | None, str | None], list[tuple[datetime, Run]]]


def _scenarios(warehouse: Warehouse) -> Scenarios:
    """Runs of completed results by agent and scenario, oldest first."""
    found: Scenarios = defaultdict(list)
    for result in warehouse.results:
        for run in result.children if result.completed else ():
            found[result.agent, scenario_key(run)].append((result.created, run))
    return {key: sorted(runs, key=lambda item: (item[0], item[1].id)) for key, runs in found.items()}


def _newest_name(runs: list[tuple[datetime, Run]]) -> str | None:
    """Newest by id, as the column's comment says."""
    named = [run for _, run in runs if run.scenario_name is not None]
    return max(named, key=lambda run: run.id).scenario_name if named else None


def scenario_pass_rate(warehouse: Warehouse) -> Iterable[Row]:
    for (agent, scenario), runs in _scenarios(warehouse).items():
        judged = [run.passed for _, run in runs if run.passed is not None]
        low, high = wilson(sum(judged), len(judged))
        yield warehouse.agents[agent] | {
            "scenario_id": runs[0][1].scenario_id,
            "scenario_key": scenario,
            "scenario_name": _newest_name(runs),
            "runs": len(runs),
            "decided_runs": len(judged),
            "passed_runs": sum(judged),
            "pass_rate": ratio(sum(judged), len(judged)),
            "pass_rate_low": low,
            "pass_rate_high": high,
            "runs_needed": runs_needed(sum(judged), len(judged)),
            "last_failed_at": max((at for at, run in runs if run.passed is False), default=None),
        }


def scenario_flakiness(warehouse: Warehouse) -> Iterable[Row]:
    for (agent, scenario), runs in _scenarios(warehouse).items():
        newest = [run.passed for _, run in runs if run.passed is not None][-50:]
        flips = sum(one != other for one, other in pairwise(newest))
        yield warehouse.agents[agent] | {
            "scenario_id": runs[0][1].scenario_id,
            "scenario_key": scenario,
            "scenario_name": _newest_name(runs),
            "decided_runs": len(newest),
            "passed_runs": sum(newest),
            "pass_rate": ratio(sum(newest), len(newest)),
            "flips": flips,
            "flip_rate": ratio(flips, len(newest) - 1) if newest else None,
            "verdict": _temper(newest),
        }


def _temper(newest: list[bool]) -> str:
    """By the thresholds of docs/statistics.md."""
    n, passes = len(newest), sum(newest)
    if n < 10:
        return "not enough runs"
    rate = passes / n
    ahead = [abs(sum(newest[n - k :]) - k * rate) for k in range(1, n + 1)]
    if min(passes, n - passes) >= 3 and max(ahead) >= 1.28 * math.sqrt(n * rate * (1 - rate)):
        return "changed"
    low, high = wilson(passes, n)
    if 0.2 <= rate <= 0.8 and low is not None and high is not None and low > 0.1 and high < 0.9:
        return "flaky"
    if rate >= 0.5:
        return "reliable" if rate >= 0.95 else "mostly passes"
    return "mostly fails" if rate > 0.05 else "broken"


def stuck_results(warehouse: Warehouse) -> Iterable[Row]:
    for r in warehouse.results:
        if r.group == "in_flight" and r.created < warehouse.last_sync - timedelta(hours=1):
            yield {
                "result_id": r.id,
                "result_name": r.name,
                "agent_id": r.agent,
                "agent_name": r.agent_name,
                "status": r.status,
                "in_flight_since": r.created,
                "updated_at": datetime.fromisoformat(r.updated_at),
            }


def _above(part: int | None, whole: int | None) -> bool:
    return part is not None and whole is not None and part > whole


# From the sentence that the view gives as each finding's meaning.
FINDINGS: dict[tuple[str, str], Callable[[Result], bool]] = {
    ("mixed_success_rate_scale", "error"): lambda r: bool(
        (r.evidence or r.majority) != r.majority
        or (r.evidence is None and r.scale == 100 and r.rate and r.rate * r.total < 0.5)
    ),
    ("success_rate_out_of_range", "error"): lambda r: r.success_rate is not None and r.rate is None,
    ("success_rate_disagrees_with_runs", "error"): lambda r: (
        r.completed and r.summarised and r.rate is not None and abs(r.rate * r.total - r.passes) > 0.5
    ),
    ("counts_contradict", "warning"): lambda r: (
        _above(0, r.total_runs_count)
        or _above(r.completed_runs_count, r.total_runs_count)
        or _above(r.failed_runs_count, r.total_runs_count)
        or _above(0, r.met_expected_outcome_count)
        or _above(r.met_expected_outcome_count, r.total_expected_outcome_count)
    ),
    ("passes_unknown", "warning"): lambda r: r.completed and r.passes is None,
    ("completed_without_runs", "warning"): lambda r: r.completed and r.total == 0,
    ("passes_from_success_rate", "info"): lambda r: r.source == "success_rate" and bool(r.total),
    ("runs_from_earlier_reading", "warning"): lambda r: r.has_earlier_runs,
    ("unknown_status", "warning"): lambda r: r.status not in GROUPS.keys() | IN_FLIGHT,
    ("agent_missing", "warning"): lambda r: r.agent is None,
}


def data_quality(warehouse: Warehouse) -> Iterable[Row]:
    counts = {finding: sum(map(concerns, warehouse.results)) for finding, concerns in FINDINGS.items()} | {
        ("rejected_rows", "warning"): warehouse.rejected,
        ("change_of_unknown_agent", "warning"): sum(
            agent is not None and agent not in warehouse.by_agent for _, agent, *_ in warehouse.changes
        ),
        ("created_at_in_the_future", "warning"): sum(
            r.created > warehouse.last_sync + timedelta(hours=24) for r in warehouse.results
        ),
    }
    for (finding, severity), rows in counts.items():
        if rows:
            yield {"finding": finding, "severity": severity, "rows": rows}
