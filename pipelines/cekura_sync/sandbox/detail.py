"""What `results/{id}/` shows beyond a list row: full runs, the same at every request."""

from __future__ import annotations

import random
from typing import Any

from cekura_sync.sandbox.account import PERSONALITIES, Account
from cekura_sync.sandbox.rows import Entry, Row, met_outcome, runs_of, stamp

TURNS = (
    ("Main Agent", "Hello, how can I help you today?"),
    ("Testing Agent", "Hi, I am calling about my account."),
    ("Main Agent", "Of course. May I have your account number?"),
    ("Testing Agent", "Yes, one moment, here it is."),
    ("Main Agent", "Thank you. I have found it, and it is done."),
    ("Testing Agent", "Great, that is all. Goodbye!"),
)
ERRORS = {"failed": "Websocket handshake failed", "timeout": "The call reached its time limit"}
TONES = ("friendly", "neutral", "curt")
FAILURES = (
    "The agent ended the call before it had confirmed the date.",
    "The agent did not verify who was calling.",
    "The agent promised a call back that it cannot arrange.",
    "The agent asked for the account number twice.",
)
OUTCOMES = {
    100: "Everything that the scenario expects has happened.",
    50: "The request was taken, but not confirmed.",
    25: "The request was understood, but not taken.",
    0: "The request was not understood.",
}


def detail(row: Row, entry: Entry, account: Account, shape: str = "observed") -> Row:
    """The list row with everything that only the by-id endpoint has; `runs` is keyed by run id.

    The literal shape has runs in an array, and metrics and reasons as the vendor's later documents write them.
    """
    found = _observed(row, entry, account)
    return _literal(found) if shape == "literal" else found


def _observed(row: Row, entry: Entry, account: Account) -> Row:
    runs = row.get("runs")
    full = [_full_run(run, entry, account) for run in runs_of(row)]
    return {
        **row,
        "runs": {str(run.get("id")): run for run in full} if isinstance(runs, list) else runs,
        "overall_evaluation": {"metric_summary": _metric_summary(full)},
        "failed_reasons": _failed_reasons(full),
        "total_duration": _clock(sum(_seconds(run.get("duration")) for run in full)),
        "latency_data": {"p50": 640 + entry.seed % 200, "p90": 980 + entry.seed % 500, "unit": "ms"},
    }


def _full_run(run: Row, entry: Entry, account: Account) -> Row:
    rng = random.Random(str(run.get("id")))
    scenario_id = run.get("scenario")
    if isinstance(scenario_id, dict):
        scenario_id = scenario_id["id"]
    scenario = account.scenarios.get(scenario_id) if isinstance(scenario_id, int) else None
    executed = stamp(entry.created + rng.randrange(5_000_000, 60_000_000))
    ended = "success" in run
    score = 100 if met_outcome(run) else rng.choice((0, 25, 50))
    expected = {"score": score, "explanation": [OUTCOMES[score]]}
    return {
        **run,
        "timestamp": executed,
        "executed_at": executed,
        "personality_name": scenario.personality if scenario else PERSONALITIES[0],
        "error_message": ERRORS.get(run.get("status", ""), ""),
        "expected_outcome": expected if ended and account.expects_outcome(scenario_id) else None,
        "evaluation": {"metrics": _metrics(run, rng) if ended else []},
        "transcript_object": _transcript(rng) if run.get("status") == "completed" else [],
        "metadata": {"region": rng.choice(("us-east", "eu-west"))},
        "voice_recording": f"https://recordings.invalid/{run.get('id')}.wav" if ended else None,
        "dropoff_point": None,
    }


def _metrics(run: Row, rng: random.Random) -> list[Row]:
    passed = bool(run.get("success"))
    because = "The caller got what they called for." if passed else _failure(run)
    instructions = rng.randrange(70 if passed else 30, 101)
    latency = rng.randrange(400, 2400) if rng.random() < 0.97 else None  # nobody spoke
    return [
        _metric(901, "Task completed", "binary", 100 if passed else 0, because),
        _metric(902, "Instructions", "continuous_qualitative", instructions, ["Step 1", "Step 2"]),
        _metric(903, "Latency", "numeric", latency, "Milliseconds to the first word."),
        {**_metric(904, "Tone", "enum", None, ""), "enum": rng.choice(TONES)},
    ]


def _failure(run: Row) -> str:
    """A scenario tends to fail for one reason."""
    scenario = run.get("scenario")
    if isinstance(scenario, dict):
        scenario = scenario["id"]
    return FAILURES[scenario % len(FAILURES)] if isinstance(scenario, int) else FAILURES[0]


def _metric(metric_id: int, name: str, kind: str, score: int | None, explanation: Any) -> Row:
    metric = {"id": metric_id, "name": name, "type": kind, "score": score}
    return {**metric, "explanation": explanation, "enum": None}


def _metric_summary(runs: list[Row]) -> Row:
    scores: dict[int, list[float]] = {}
    metrics: dict[int, Row] = {}
    for metric in (metric for run in runs for metric in run["evaluation"]["metrics"]):
        metrics[metric["id"]] = metric
        if metric["score"] is not None:
            scores.setdefault(metric["id"], []).append(metric["score"])
    return {
        str(metric_id): {
            "name": metric["name"],
            "type": metric["type"],
            "score": _mean(scores.get(metric_id, [])),
        }
        for metric_id, metric in metrics.items()
    }


def _mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 2) if values else None


def _transcript(rng: random.Random) -> list[Row]:
    turns, at = [], 0.0
    for role, content in TURNS:
        end = round(at + rng.uniform(1.5, 6.0), 2)
        turns.append({"role": role, "content": content, "start_time": at, "end_time": end})
        at = round(end + rng.uniform(0.2, 1.2), 2)
    return turns


def _failed_reasons(runs: list[Row]) -> list[Row]:
    return [
        {
            "run": run.get("id"),
            "scenario": run.get("scenario"),
            "reason": run["error_message"] or "Evaluation failed",
        }
        for run in runs
        if run.get("success") is False
    ]


def _seconds(duration: object) -> int:
    try:
        minutes, seconds = str(duration).split(":")
        return int(minutes) * 60 + int(seconds)
    except ValueError:
        return 0


def _clock(seconds: int) -> str:
    return f"{seconds // 60:02d}:{seconds % 60:02d}"


def _literal(found: Row) -> Row:
    """The same, as the later documents have it: arrays, `eval_type` and `passed` beside the old type and its 0 or 5."""
    runs = found["runs"]
    return {
        **found,
        "runs": [_literal_run(run) for run in runs.values()] if isinstance(runs, dict) else runs,
        "failed_reasons": {str(reason["run"]): reason["reason"] for reason in found["failed_reasons"]},
    }


def _literal_run(run: Row) -> Row:
    metrics = [_literal_metric(metric) for metric in run["evaluation"]["metrics"]]
    return {**run, "evaluation": {"metrics": metrics}, "expected_outcome": run["expected_outcome"] or {}}


def _literal_metric(metric: Row) -> Row:
    explanation = metric["explanation"]
    metric = {**metric, "explanation": [explanation] if isinstance(explanation, str) else explanation}
    if metric["type"] != "binary":
        return metric
    passed = metric["score"] > 0
    old = {"type": "binary_workflow_adherence", "score": 5 if passed else 0}
    return {**metric, **old, "eval_type": "binary", "passed": passed}
