"""Whether a pass rate changed, in plain Python with a statistics library: written from docs/statistics.md, not from the SQL."""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

Row = dict[str, Any]
# The views' Student's t is a closed approximation.
CLOSE = {"rel": 1e-3, "abs": 1e-6}
ENDS = {"rel": 1e-3, "abs": 1e-3}  # an end of an interval can lie near 0, however wide the interval


@dataclass(frozen=True)
class Run:
    is_after: bool
    result: Hashable
    day: Hashable
    scenario: Hashable  # None where nobody knows
    passed: bool


def contributions(runs: Iterable[Run]) -> dict[Hashable, Row]:
    """Of each scenario that is known: runs and passes after and before, weight, and contribution where both sides ran it."""
    found: dict[Hashable, Row] = {}
    for run in runs:
        if run.scenario is not None:
            row = found.setdefault(run.scenario, {True: [0, 0], False: [0, 0]})
            row[run.is_after][0] += 1
            row[run.is_after][1] += run.passed
    information = {key: _information(row) for key, row in found.items()}
    for key, row in found.items():
        total = sum(information.values())
        row["weight"] = information[key] / total if total else 0.0
        (n1, x1), (n0, x0) = row[True], row[False]
        row["contribution"] = row["weight"] * (x1 / n1 - x0 / n0) if information[key] else None
    return found


def _information(row: Row) -> float:
    after, before = row[True][0], row[False][0]
    return after * before / (after + before)


def judge(
    comparisons: dict[Hashable, tuple[Hashable, list[Run]]], least_results: int = 3
) -> dict[Hashable, Row]:
    """Each comparison's family and runs become its columns; those of one family are judged together."""
    rows = {key: _tested(runs, least_results) for key, (_, runs) in comparisons.items()}
    families: dict[Hashable, list[Row]] = defaultdict(list)
    for key, (family, _) in comparisons.items():
        if rows[key]["p_value"] is not None:
            families[family].append(rows[key])
    for family_rows in families.values():
        _correct(family_rows)
    for row in rows.values():
        for name, close in (
            ("p_value", CLOSE),
            ("smallest_visible_difference", CLOSE),
            ("adjusted_low", ENDS),
            ("adjusted_high", ENDS),
        ):
            row[name] = None if row[name] is None else pytest.approx(row[name], **close)
    return rows


def _tested(runs: list[Run], least_results: int) -> Row:
    shared = {key: row for key, row in contributions(runs).items() if row["contribution"] is not None}
    row: Row = {
        "adjusted_difference": sum(s["contribution"] for s in shared.values()) if shared else None,
        "adjusted_low": None,
        "adjusted_high": None,
        "shared_scenarios": len(shared),
        "covered_runs": sum(s[True][0] + s[False][0] for s in shared.values()),
        "p_value": None,
        "smallest_visible_difference": None,
        "verdict": None,
        "possible": False,
    }
    days = {side: _days(runs, shared, side) for side in (True, False)}
    degrees = len(days[True]) + len(days[False]) - 2
    results = {side: len({r.result for r in runs if r.is_after is side}) for side in (True, False)}
    if not results[True] or not results[False]:
        reason = "no runs on one side"
    elif not shared:
        reason = "no scenario ran on both sides"
    elif results[False] < 3 or results[True] < least_results:
        reason = "fewer than 3 results on one side"
    elif degrees < 4:
        reason = "fewer than 6 days or results to judge by"
    else:
        error, degrees = _error(days)
        difference = row["adjusted_difference"]
        half = float(stats.t.ppf(0.975, degrees)) * error
        return row | {
            "adjusted_low": max(-1.0, difference - half),
            "adjusted_high": min(1.0, difference + half),
            "p_value": float(2 * stats.t.sf(abs(difference) / error, degrees)),
            "smallest_visible_difference": half + float(stats.t.ppf(0.8, degrees)) * error,
            "no_verdict_because": None,
        }
    return row | {"no_verdict_because": reason}


@dataclass
class Day:
    """The sums of its runs' shares in the difference, of what they add to it beyond their scenario's rate, and of their variance."""

    share: float = 0.0
    residual: float = 0.0
    variance: float = 0.0


def _days(runs: list[Run], shared: dict[Hashable, Row], side: bool) -> list[Day]:
    days: dict[Hashable, Day] = defaultdict(Day)
    for run in runs:
        if run.is_after is side and run.scenario in shared:
            scenario = shared[run.scenario]
            (n1, x1), (n0, x0) = scenario[True], scenario[False]
            n, x = scenario[side]
            pooled = (x1 + x0 + 1) / (n1 + n0 + 2)
            share = scenario["weight"] / n
            days[run.day].share += share
            days[run.day].residual += share * (run.passed - x / n)
            days[run.day].variance += share**2 * pooled * (1 - pooled)
    return [*days.values()]


def _error(sides: dict[bool, list[Day]]) -> tuple[float, float]:
    """The standard error of the difference, and Satterthwaite's degrees of freedom."""
    days = [*sides[True], *sides[False]]
    known = [1 - 1 / len(side) for side in sides.values() for _ in side]
    leverage = [day.share**2 / day.variance for day in days]
    degrees = len(days) - 2
    of_days = sum(k * lev for k, lev in zip(known, leverage, strict=True))
    spread = max(0.0, (sum(day.residual**2 / day.variance for day in days) - degrees) / of_days)
    shares = sum(day.share**2 for day in days)
    variance = sum(day.variance for day in days) + spread * shares
    doubt = sum(2 * k * (1 + spread * lev) ** 2 for k, lev in zip(known, leverage, strict=True))
    effective = 2 * variance**2 / (doubt / of_days**2 * shares**2)
    return math.sqrt(variance), max(4.0, min(float(degrees), effective))


def _correct(rows: list[Row]) -> None:
    """Benjamini and Hochberg's procedure at 5 %, for falls and for rises."""
    falls = [r["p_value"] / 2 if r["adjusted_difference"] < 0 else 1 - r["p_value"] / 2 for r in rows]
    for verdict, one_sided in (("regressed", falls), ("improved", [1 - p for p in falls])):
        rejected = multipletests(one_sided, alpha=0.05, method="fdr_bh")[0]
        for row, clear in zip(rows, rejected, strict=True):
            downwards = row["adjusted_difference"] < 0
            if clear and row["p_value"] <= 0.05 and downwards == (verdict == "regressed"):
                row["verdict"] = verdict
    for row in rows:
        row["verdict"] = row["verdict"] or "same"
        row["possible"] = row["p_value"] <= 0.05 and row["verdict"] == "same"
