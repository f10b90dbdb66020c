"""What one result is, in plain Python: written from the contract's definitions, not from the SQL.

A run is lost when it failed, timed out, carries an error, or ended without a verdict where others have one; else it passed when
its `success` is true. A result's passes are counted from its summaries when there are exactly `total_runs_count` of them and each
has an outcome; else from the counts, where they can be believed; else they are round(`success_rate` on 0 to 1 times `total_runs_count`).
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Json = dict[str, Any]
Z = 1.959963984540054  # the normal distribution's quantile for 95 %
IN_FLIGHT = {"pending", "in_queue", "scaling_up", "running", "in_progress", "evaluating"}
GROUPS = {
    "completed": "completed",
    "failed": "infrastructure_failure",
    "timeout": "infrastructure_failure",
    "cancelled": "cancelled",
}


def not_blank(text: str | None) -> str | None:
    return text if text and text.strip(" ") else None


@dataclass(frozen=True)
class Run:
    id: int
    scenario_id: int | None
    scenario_name: str | None
    status: str | None
    outcome: str
    seconds: float | None
    error: str | None

    @property
    def passed(self) -> bool | None:
        return {"passed": True, "failed": False}.get(self.outcome)


@dataclass(frozen=True)
class Result:
    json: Json
    majority: int  # of the scales of `success_rate` that the account's results give away
    created: datetime = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "created", datetime.fromisoformat(self.json["created_at"]))

    @property
    def agent_name(self) -> str | None:
        return not_blank(self.json.get("agent_name"))

    def __getattr__(self, name: str) -> Any:
        """Any field of the API that has no meaning of its own here."""
        return self.json.get(name)

    @property
    def key(self) -> tuple[datetime, int]:
        """Newest last; the greater id decides among those of one instant."""
        return self.created, self.id

    @property
    def day(self) -> date:
        return self.created.astimezone(UTC).date()

    @property
    def group(self) -> str:
        return GROUPS.get(self.status, "in_flight")

    @property
    def completed(self) -> bool:
        return self.group == "completed"

    @property
    def infrastructure(self) -> bool:
        return self.group == "infrastructure_failure"

    @property
    def channel(self) -> str | None:
        return {True: "text", False: "voice", None: None}[self.run_as_text]

    @property
    def direction(self) -> str | None:
        return {True: "inbound", False: "outbound", None: None}[self.agent_inbound]

    @property
    def trigger(self) -> str | None:
        return {True: "scheduled", False: "manual", None: None}[self.is_cronjob]

    @property
    def rate(self) -> float | None:
        rate = None if self.success_rate is None else self.success_rate / self.scale
        return min(rate, 1.0) if rate is not None and 0 <= rate <= 1.000001 else None

    @property
    def scale(self) -> int:
        return self.evidence or self.majority

    @property
    def evidence(self) -> int | None:
        """Which scale this result's own rate must be in: nothing but a percentage is above 1, else its passes tell."""
        reported, passes = self.success_rate or 0, None
        if self.completed and self.summarised:
            passes = sum(run.passed is True for run in self.children)
        elif self.completed and self.possible_counts and self.success_runs_count < self.total:
            passes = self.success_runs_count
        if reported > 1.01:
            return 100
        if reported <= 0 or passes is None:
            return None
        as_runs = {scale: reported / scale * self.total for scale in (1, 100)}
        close = [scale for scale, runs in as_runs.items() if abs(runs - passes) <= 0.5]
        # A percentage of at most 1 that stands for no run would be 0.
        return next((scale for scale in close if scale == 1 or as_runs[scale] >= 0.5), None)

    @property
    def possible_counts(self) -> bool:
        counts = (self.success_runs_count, self.failed_runs_count, self.completed_runs_count, self.total)
        if any(count is None or count < 0 for count in counts):
            return False
        passes, failures, completed, total = counts
        return bool(passes + failures <= completed <= total)

    @property
    def source(self) -> str | None:
        """What its passes are counted from."""
        if not self.completed or self.passes is None:
            return None
        return self._source

    @property
    def _source(self) -> str:
        if self.summarised:
            return "runs"
        agree = self.rate is not None and self.possible_counts
        if agree and abs(self.rate * self.total - self.success_runs_count) <= 0.5:
            return "counts"
        return "success_rate"

    @property
    def total(self) -> int | None:
        return self.total_runs_count if (self.total_runs_count or 0) >= 0 else None

    @property
    def children(self) -> list[Run]:
        """`runs` null means unknown: those that were known are kept. An empty list means none."""
        runs = self.json["runs"] or self.kept_runs or []
        with_verdicts = any(run.get("success") is not None for run in runs)
        return [
            Run(
                run["id"],
                run.get("scenario"),
                not_blank(run.get("scenario_name")),
                run.get("status"),
                self._outcome(run, with_verdicts=with_verdicts),
                _seconds(run.get("duration")),
                run.get("error_message") or None,
            )
            for run in runs
        ]

    def _outcome(self, run: Json, *, with_verdicts: bool) -> str:
        status, success = run.get("status"), run.get("success")
        if status in ("failed", "timeout") or run.get("error_message"):
            return "infrastructure_failure"
        if status == "cancelled":
            return "cancelled"
        if self.has_earlier_runs and (status in IN_FLIGHT or success is None):
            return "unknown"
        if status in IN_FLIGHT:
            return "in_flight"
        if success is not None:
            return "passed" if success else "failed"
        ended = self.group in ("infrastructure_failure", "cancelled") or (self.completed and with_verdicts)
        return "infrastructure_failure" if ended and status == "completed" else "unknown"

    @property
    def has_earlier_runs(self) -> bool:
        """It has ended, and only an earlier reading showed its runs."""
        return self.json["runs"] is None and bool(self.kept_runs) and self.group != "in_flight"

    @property
    def summarised(self) -> bool:
        known = self.json["runs"] is not None and len(self.children) == self.total
        return known and all(run.outcome != "unknown" for run in self.children)

    @property
    def passes(self) -> int | None:
        if self._source == "runs":
            return sum(run.passed is True for run in self.children)
        if self._source == "counts":
            return int(self.success_runs_count)
        if self.total == 0:
            return 0
        if self.rate is None or self.total is None:
            return None
        return int(round(Decimal(repr(self.rate)) * self.total, 6).to_integral_value(ROUND_HALF_UP))

    @property
    def decided_runs(self) -> int | None:
        if not self.completed:
            return 0
        if self.passes is None:
            return None
        if self._source == "runs":
            return sum(run.passed is not None for run in self.children)
        if self._source == "counts":
            return int(self.success_runs_count + self.failed_runs_count)
        return self.total

    @property
    def lost_runs(self) -> int | None:
        if not self.completed:
            return 0
        return None if self.decided_runs is None or self.total is None else self.total - self.decided_runs

    @property
    def version_id(self) -> str | None:
        version = self.agent_version
        return str(version["history_id"]) if isinstance(version, dict) else not_blank(version)

    @property
    def version(self) -> str | None:
        version = self.agent_version
        return (
            version["version_name"] or version["version_id"]
            if isinstance(version, dict)
            else not_blank(version)
        )

    @property
    def passed_runs(self) -> int | None:
        return self.passes if self.completed else 0

    @property
    def expected(self) -> tuple[int | None, int | None]:
        """Met, and expected; neither where they contradict each other."""
        met, total = self.met_expected_outcome_count, self.total_expected_outcome_count
        return (met, total) if met is not None and total is not None and 0 <= met <= total else (None, None)


def _seconds(duration: str | None) -> float | None:
    if duration is None:
        return None
    minutes, seconds = duration.split(":")
    return int(minutes) * 60 + int(seconds)


def facts(rows: Iterable[Json], before: Iterable[Json] = ()) -> list[Result]:
    """`before`: what an earlier sync had listed."""
    known = {row["id"]: row["runs"] for row in before}
    rows = [row if row["runs"] is not None else row | {"kept_runs": known.get(row["id"])} for row in rows]
    votes = [vote for row in rows if (vote := Result(row, 1).evidence)]
    return [Result(row, 100 if 2 * votes.count(100) >= len(votes) > 0 else 1) for row in rows]


def grouped(results: Iterable[Result], by: Callable[[Result], Any]) -> dict[Any, list[Result]]:
    groups: dict[Any, list[Result]] = defaultdict(list)
    for result in sorted(results, key=lambda result: result.key):
        groups[by(result)].append(result)
    return groups


def decided(results: Iterable[Result]) -> int:
    return sum(result.decided_runs or 0 for result in results)


def passed(results: Iterable[Result]) -> int:
    return sum(result.passed_runs or 0 for result in results)


def lost(results: Iterable[Result]) -> int:
    return sum(result.lost_runs or 0 for result in results)


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def wilson(passes: int, runs: int) -> tuple[float | None, float | None]:
    """As in any textbook: a centre, and half a width to either side."""
    if not runs:
        return None, None
    rate = passes / runs
    centre = (rate + Z**2 / (2 * runs)) / (1 + Z**2 / runs)
    half = Z * math.sqrt(rate * (1 - rate) / runs + Z**2 / (4 * runs**2)) / (1 + Z**2 / runs)
    return centre - half, centre + half


def runs_needed(passes: int, runs: int) -> int | None:
    """By trying: the first number of runs at which Wilson's interval of this rate is no wider than 0.1."""
    if not runs:
        return None
    rate = passes / runs
    n = 1
    while 2 * Z * math.sqrt(rate * (1 - rate) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n) > 0.1:
        n += 1
    return n
