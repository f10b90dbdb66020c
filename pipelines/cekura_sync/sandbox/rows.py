"""One result, from its compact entry to the row that the API shows: counts always agree with the runs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cekura_sync.sandbox.account import Account, Agent

Row = dict[str, Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
IN_FLIGHT = ("running", "pending", "in_progress", "in_queue", "evaluating", "scaling_up")
TERMINAL = ("completed", "failed", "timeout", "cancelled")

# How the runs of a result stand, given how the result stands. The first status is the mark that no such
# result lacks (a failed result has a failed run), the share is how often a run carries the second one.
RUN_STATUSES = {
    "completed": ("completed", "failed", 0.015),
    "failed": ("failed", "completed", 0.2),
    "timeout": ("timeout", "completed", 0.4),
    "cancelled": ("cancelled", "completed", 0.5),
    "running": ("running", "completed", 0.4),
    "in_progress": ("in_progress", "completed", 0.4),
    "evaluating": ("evaluating", "completed", 0.5),
}
# Names come back, so that a result has earlier ones to be compared with. True: run by a cronjob.
SUITES = (
    ("Nightly regression", True),
    ("Hourly smoke test", True),
    ("Release candidate", False),
    ("Prompt review", False),
    ("Ad hoc check", False),
)
RUN_TYPES = (None, "sequential", "parallel")


class Entry(NamedTuple):
    """What the world remembers of a result: enough to build its row, until somebody edits it."""

    id: int
    created: int  # microseconds since the epoch
    updated: int
    agent: Agent
    status: str
    seed: int
    first_run: int
    run_count: int
    row: Row | None = None
    raw: bytes | None = None

    @property
    def agent_id(self) -> object:
        return self.agent.id if self.row is None else self.row.get("agent")

    @property
    def name(self) -> str:
        return self.suite[0] if self.row is None else str(self.row.get("name"))

    @property
    def suite(self) -> tuple[str, bool]:
        return SUITES[self.seed % len(SUITES)]

    @property
    def scenario_ids(self) -> list[int]:
        """The scenario of each run."""
        if self.row is not None:
            found = (run.get("scenario") for run in runs_of(self.row))
            return [scenario_id for scenario_id in found if isinstance(scenario_id, int)]
        scenarios = self.agent.scenarios
        start = (self.seed >> 8) % len(scenarios)
        return [scenarios[(start + place) % len(scenarios)].id for place in range(self.run_count)]


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def moment(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def stamp(microseconds: int) -> str:
    """As Django REST framework writes a time in UTC."""
    return moment(microseconds).isoformat().removesuffix("+00:00") + "Z"


def mix(number: int) -> int:
    """A number that looks random, and is the same every time."""
    return (number * 2_654_435_761 ^ number >> 3) % 2**32


def runs_of(row: Row) -> list[Row]:
    """The run summaries that are summaries: a hostile row may have anything in their place."""
    runs = row.get("runs")
    return [run for run in runs if isinstance(run, dict)] if isinstance(runs, list) else []


def build_row(entry: Entry, account: Account) -> Row:
    rng = random.Random(entry.seed)
    agent = entry.agent
    name, is_cronjob = entry.suite
    run_as_text = rng.random() < agent.text_share
    runs = _build_runs(entry, account, rng)
    return {
        "id": entry.id,
        "name": name,
        "agent": agent.id,
        "agent_name": agent.name,
        "agent_inbound": agent.inbound,
        **({"agent_version": account.version(entry.created)} if account.versions else {}),
        "status": entry.status,
        "success_rate": 0.0,
        "run_as_text": run_as_text,
        "is_cronjob": is_cronjob,
        "runs": runs,
        **tally(runs, account),
        "scenarios": scenarios_of(runs),
        "run_type": RUN_TYPES[entry.seed % len(RUN_TYPES)],
        "created_at": stamp(entry.created),
        "updated_at": stamp(entry.updated),
    }


def _build_runs(entry: Entry, account: Account, rng: random.Random) -> list[Row]:
    mark, other, share = RUN_STATUSES.get(entry.status, ("pending", "pending", 0.0))
    runs = []
    for place, scenario_id in enumerate(entry.scenario_ids):
        run = start_run(entry.first_run + place, scenario_id, account)
        status = other if place and rng.random() < share else mark
        runs.append(set_run(run, status, account.chance(entry.agent, scenario_id, entry.created), rng))
    return runs


def start_run(run_id: int, scenario_id: int, account: Account) -> Row:
    scenario = account.scenarios.get(scenario_id)
    return {
        "id": run_id,
        "status": "pending",
        "scenario": scenario_id,
        "scenario_name": scenario.name if scenario else None,
        "test_profile_data": dict(scenario.profile) if scenario else {},
    }


def set_run(run: Row, status: str, chance: float, rng: random.Random) -> Row:
    """The run in another status; one that ended by itself has a verdict and a duration."""
    run = {**run, "status": status}
    if status == "completed":
        run["success"] = rng.random() < chance
        seconds = rng.randrange(25, 360)
    elif status == "failed":
        run["success"] = False
        seconds = rng.randrange(10)
    elif status == "timeout":
        run["success"] = False
        seconds = 600
    else:
        return run
    run["duration"] = f"{seconds // 60:02d}:{seconds % 60:02d}"
    return run


def met_outcome(run: Row) -> bool:
    """Whether the run met its expected outcome; the list shows only how many did."""
    run_id = run.get("id")
    return mix(run_id if isinstance(run_id, int) else 0) % 100 < (95 if run.get("success") else 15)


def tally(runs: Sequence[Row], account: Account) -> Row:
    """Every figure of a row that is computed from its runs."""
    statuses = [run.get("status") for run in runs]
    judged = [
        run
        for run in runs
        if run.get("status") == "completed" and account.expects_outcome(run.get("scenario"))
    ]
    passed = sum(run.get("success") is True for run in runs)
    return {
        "success_rate": passed / len(runs) if runs else 0.0,
        "met_expected_outcome_count": sum(map(met_outcome, judged)),
        "total_expected_outcome_count": len(judged),
        "total_runs_count": len(runs),
        "completed_runs_count": statuses.count("completed"),
        # The vendor counts every run that ended, whether it passed or not.
        "success_runs_count": sum(status in TERMINAL for status in statuses),
        "failed_runs_count": statuses.count("failed") + statuses.count("timeout"),
    }


def scenarios_of(runs: Sequence[Row]) -> list[Row]:
    names = {run.get("scenario"): run.get("scenario_name") for run in runs}
    return [{"id": scenario_id, "name": name} for scenario_id, name in names.items()]
