"""Since when an agent passes more or less, in plain Python: written from docs/statistics.md, not from the SQL."""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from support.recomputed.comparisons import grouped_runs, newest_day, runs_of
from support.recomputed.judging import Run
from support.recomputed.views import DAY, Row, Warehouse


def agent_change_point(warehouse: Warehouse) -> Iterable[Row]:
    last_day = newest_day(warehouse.results)
    for agent, group in warehouse.by_agent.items():
        recent = [r for r in group if r.decided_runs and last_day - 90 * DAY < r.day <= last_day]
        runs = [run for run in runs_of((recent, [])) if run.scenario is not None]
        row: Row = warehouse.agents[agent] | {"days": len({run.day for run in runs})}
        row |= dict.fromkeys(("changed_on", "step", "excursion", "verdict"))
        row |= dict.fromkeys(("trend", "trend_excursion", "trend_verdict"))
        if row["days"] >= 14:
            row |= _step(runs) | _trend(runs)
        yield row


def _trend(runs: list[Run]) -> Row:
    """A straight line through the runs, with a level for each scenario, by ordinary least squares."""
    names = sorted({run.scenario for run in runs}, key=str)
    days = np.array([run.day.toordinal() for run in runs], float)
    levels = np.array([[run.scenario == name for name in names] for run in runs], float)
    passes = np.array([run.passed for run in runs], float)
    design = np.column_stack([days - days.mean(), levels])
    slope = np.linalg.lstsq(design, passes, rcond=None)[0][0]
    off_line = days - levels @ np.linalg.lstsq(levels, days, rcond=None)[0]
    spread = float(off_line @ off_line)
    if not spread:
        return {"trend_verdict": "no trend"}
    trend = float(slope) * (days.max() - days.min())
    variance = _day_sums(runs)[2]
    excursion = abs(float(slope)) * math.sqrt(spread / variance) if variance else None
    clear = "declined" if trend < 0 else "improved"
    verdict = clear if (excursion or 0) >= 2.5 else "no trend"
    return {"trend": trend, "trend_excursion": excursion, "trend_verdict": verdict}


def _day_sums(runs: list[Run]) -> tuple[list[Any], list[tuple[int, float]], float]:
    """The days, each one's runs and what they miss their scenarios' rates by, and the variance of a run from successive days."""
    of_scenario = grouped_runs(runs, lambda run: run.scenario)
    rates = {key: sum(run.passed for run in mine) / len(mine) for key, mine in of_scenario.items()}
    by_day = sorted(grouped_runs(runs, lambda run: run.day).items())
    sums = [(len(mine), sum(run.passed - rates[run.scenario] for run in mine)) for _, mine in by_day]
    scaled = [excess / math.sqrt(n) for n, excess in sums]
    variance = sum((b - a) ** 2 for a, b in pairwise(scaled)) / (2 * (len(scaled) - 1))
    return [day for day, _ in by_day], sums, variance


def _step(runs: list[Run]) -> Row:
    """The largest standardised excursion of the sum of what each run misses its scenario's rate by."""
    days, sums, variance = _day_sums(runs)
    counts, excess = [n for n, _ in sums], [e for _, e in sums]
    found: Row = {"excursion": None}
    for k in range(3, len(days) - 2):
        before, total = sum(counts[:k]), sum(counts)
        share = before * (total - before)
        deviation = math.sqrt(variance * share / total)
        excursion = abs(sum(excess[:k])) / deviation if deviation else None
        if excursion is not None and (found["excursion"] is None or excursion > found["excursion"] + 1e-9):
            found = {
                "changed_on": days[k],
                "step": -sum(excess[:k]) * total / share,
                "excursion": excursion,
            }
    if (found["excursion"] or 0) < 3.35:
        return {"excursion": found["excursion"], "verdict": "no step"}
    return found | {"verdict": "fell" if found["step"] < 0 else "rose"}
