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
    comparisons: dict[Hashable, tuple[Hashable, list[Run]]], least_results: int = 3, peers: bool = True
) -> dict[Hashable, Row]:
    """Each comparison's family and runs become its columns; those of one family are judged together.

    `peers`: they also learn from each other how much days differ.
    """
    rows = {key: _described(runs, least_results) for key, (_, runs) in comparisons.items()}
    families: dict[Hashable, list[Row]] = defaultdict(list)
    for key, (family, _) in comparisons.items():
        families[family].append(rows[key])
    for family_rows in families.values():
        for together in [family_rows] if peers else [[row] for row in family_rows]:
            known = [row for row in together if row["days"].degrees > 0]
            for row, (error, degrees) in zip(known, _errors([r["days"] for r in known]), strict=True):
                if row["no_verdict_because"] is None:
                    _test(row, error, degrees)
        _correct([row for row in family_rows if row["p_value"] is not None])
    for row in rows.values():
        del row["days"]
        for name, close in (
            ("p_value", CLOSE),
            ("smallest_visible_difference", CLOSE),
            ("adjusted_low", ENDS),
            ("adjusted_high", ENDS),
        ):
            row[name] = None if row[name] is None else pytest.approx(row[name], **close)
    return rows


def _described(runs: list[Run], least_results: int) -> Row:
    shared = {key: row for key, row in contributions(runs).items() if row["contribution"] is not None}
    days = Days(_days(runs, shared, True), _days(runs, shared, False))
    results = {side: len({r.result for r in runs if r.is_after is side}) for side in (True, False)}
    reason = None
    if not results[True] or not results[False]:
        reason = "no decided runs on one side"
    elif not shared:
        reason = "no scenario ran on both sides"
    elif results[False] < 3 or results[True] < least_results:
        reason = "fewer than 3 results on one side"
    elif days.degrees < 4:
        reason = "fewer than 6 days or results to judge by"
    return {
        "adjusted_difference": sum(s["contribution"] for s in shared.values()) if shared else None,
        "adjusted_low": None,
        "adjusted_high": None,
        "shared_scenarios": len(shared),
        "covered_runs": sum(s[True][0] + s[False][0] for s in shared.values()),
        "p_value": None,
        "smallest_visible_difference": None,
        "verdict": None,
        "possible": False,
        "no_verdict_because": reason,
        "days": days,
    }


def _test(row: Row, error: float, degrees: float) -> None:
    difference = row["adjusted_difference"]
    half = float(stats.t.ppf(0.975, degrees)) * error
    row["adjusted_low"] = max(-1.0, difference - half)
    row["adjusted_high"] = min(1.0, difference + half)
    row["p_value"] = float(2 * stats.t.sf(abs(difference) / error, degrees))
    row["smallest_visible_difference"] = half + float(stats.t.ppf(0.8, degrees)) * error


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


class Days:
    """Those of a comparison: how much they differ, beyond what independent runs would."""

    def __init__(self, after: list[Day], before: list[Day]) -> None:
        self.all = [*after, *before]
        self.known = [1 - 1 / len(side) for side in (after, before) for _ in side]
        self.degrees = len(self.all) - 2
        self.squared_shares = sum(day.share**2 for day in self.all)

    @property
    def excess(self) -> float:
        return sum(day.residual**2 / day.variance for day in self.all) - self.degrees

    @property
    def leverage(self) -> float:
        return sum(k * day.share**2 / day.variance for k, day in zip(self.known, self.all, strict=True))

    def noise(self, spread: float) -> float:
        """The variance of `excess` if days differ by this variance."""
        return sum(
            2 * k * (1 + spread * day.share**2 / day.variance) ** 2
            for k, day in zip(self.known, self.all, strict=True)
        )

    def variance(self, spread: float) -> float:
        return sum(day.variance for day in self.all) + spread * self.squared_shares


def _errors(peers: list[Days]) -> list[tuple[float, float]]:
    """Of each comparison: the standard error of the difference, and Satterthwaite's degrees of freedom."""
    if not peers:
        return []
    leverage = sum(days.leverage for days in peers)
    common = max(0.0, sum(days.excess for days in peers) / leverage)
    surprise = sum((days.excess - common * days.leverage) ** 2 / days.degrees for days in peers)
    expected = sum(days.noise(common) / days.degrees for days in peers) * (1 - 1 / len(peers))
    likeness = min(1.0, expected / surprise) if surprise else 1.0
    common_doubt = sum(days.noise(common) for days in peers) / leverage**2
    errors = []
    for days in peers:
        spread = max(0.0, (1 - likeness) * days.excess / days.leverage + likeness * common)
        own_doubt = days.noise(spread) / days.leverage**2
        own_part = (1 - likeness) * (1 + 2 * likeness * days.leverage / leverage)
        doubt = own_part * own_doubt + likeness**2 * common_doubt
        effective = 2 * days.variance(spread) ** 2 / (doubt * days.squared_shares**2)
        most = (1 - likeness) * days.degrees + likeness * sum(other.degrees for other in peers)
        errors.append((math.sqrt(days.variance(spread)), max(4.0, min(most, effective))))
    return errors


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
