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
        for name in ("p_value", "adjusted_low", "adjusted_high", "smallest_visible_difference"):
            row[name] = None if row[name] is None else pytest.approx(row[name], **CLOSE)
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
    days = {side: _residuals(runs, shared, side) for side in (True, False)}
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
        variance = {side: sum(_binomial(s, side) for s in shared.values()) for side in (True, False)}
        spread = sum(
            len(days[side]) * sum(v * v for v in days[side].values()) / variance[side]
            for side in (True, False)
        )
        error = math.sqrt(sum(variance.values()) * max(1.0, spread / degrees))
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


def _binomial(scenario: Row, side: bool) -> float:
    (n1, x1), (n0, x0) = scenario[True], scenario[False]
    rate = (x1 + x0 + 1) / (n1 + n0 + 2)
    return scenario["weight"] ** 2 * rate * (1 - rate) / scenario[side][0]


def _residuals(runs: list[Run], shared: dict[Hashable, Row], side: bool) -> dict[Hashable, float]:
    days: dict[Hashable, float] = defaultdict(float)
    for run in runs:
        if run.is_after is side and run.scenario in shared:
            n, x = shared[run.scenario][side]
            days[run.day] += shared[run.scenario]["weight"] * (run.passed - x / n) / n
    return days


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
