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


def detail(row: Row, entry: Entry, account: Account) -> Row:
    """The list row with everything that only the by-id endpoint has; `runs` is keyed by run id."""
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
    scenario = account.scenarios.get(scenario_id) if isinstance(scenario_id, int) else None
    executed = stamp(entry.created + rng.randrange(5_000_000, 60_000_000))
    ended = "success" in run
    score = 100 if met_outcome(run) else rng.choice((0, 25, 50))
    expected = {"score": score, "explanation": ["Compared with what the scenario expects."]}
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
    }


def _metrics(run: Row, rng: random.Random) -> list[Row]:
    passed = bool(run.get("success"))
    return [
        _metric(901, "Task completed", "binary", 100 if passed else 0, "Judged from the transcript."),
        _metric(902, "Instructions", "continuous_qualitative", rng.randrange(50, 101), ["Step 1", "Step 2"]),
        _metric(903, "Latency", "numeric", rng.randrange(400, 2400), "Milliseconds to the first word."),
        {**_metric(904, "Tone", "enum", None, ""), "enum": rng.choice(TONES)},
    ]


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
