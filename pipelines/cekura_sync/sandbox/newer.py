"""What the vendor's newer servers show in place of the older ones' rows: the same facts, in other words."""

from __future__ import annotations

import re
from typing import Any

from cekura_sync.sandbox.detail import ERRORS
from cekura_sync.sandbox.rows import Row, runs_of

GENERATIONS = ("old", "new")
RECORDINGS = "https://recordings.invalid"
LATENCY, LATENCY_LIMIT = 903, 2000  # the metric that a rule of the rubric judges


def listed(row: Row) -> Row:
    """Counts of what passed and failed, versions and scenarios as objects, errors where the infrastructure failed."""
    row = dict(row)
    runs = row.get("runs")
    if re.fullmatch(r"v\d+", str(row.get("agent_version"))):
        row["agent_version"] = _version(row)
    if isinstance(runs, list):
        row["runs"] = [_run(run) if isinstance(run, dict) else run for run in runs]
        completed = [run for run in runs_of(row) if run.get("status") == "completed"]
        row["success_runs_count"] = sum(run.get("success") is True for run in completed)
        row["failed_runs_count"] = sum(run.get("success") is False for run in completed)
    return row


def _version(row: Row) -> Row:
    number = int(str(row["agent_version"]).removeprefix("v"))
    return {
        "history_id": int(row["agent"] or 0) * 100 + number,
        "version_id": row["agent_version"],
        "version_name": f"Release {number}",
        "is_current": False,
    }


def _run(run: Row) -> Row:
    error = ERRORS.get(str(run.get("status")), "")
    scenario = {"id": run.get("scenario"), "name": run.get("scenario_name")}
    left = {name: value for name, value in run.items() if name != "scenario_name"}
    verdict = {"success": None} if error else {}
    return {**left, **verdict, "scenario": scenario, "error_message": error}


def by_id(found: Row) -> Row:
    """The rubric that decides, the provider's whole payload, and the reasons of failures as they are documented."""
    runs = found["runs"]
    items = runs.values() if isinstance(runs, dict) else runs if isinstance(runs, list) else []
    full = [_full_run(run) for run in items]
    return {
        **found,
        "runs": {str(run["id"]): run for run in full} if isinstance(runs, dict) else full,
        "failed_reasons": _failed_reasons(full),
    }


def _full_run(run: Row) -> Row:
    said = [str(turn.get("content")) for turn in run.get("transcript_object") or []]
    payload = {
        **(run.get("metadata") or {}),
        "ended_reason": "assistant-ended-call",
        "transcript": " ".join(said),
        "messages": [{"message": text} for text in said],
        "recording": {"stereoUrl": f"{RECORDINGS}/{run['id']}/stereo.wav"},
        "stereoRecordingUrl": f"{RECORDINGS}/{run['id']}/stereo.wav",
        "customer": run.get("test_profile_data"),
    }
    return {
        **run,
        "metadata": payload,
        "waveform": [0.25] * 40,
        "is_log_present": True,
        "rubric": _rubric(run),
    }


def _rubric(run: Row) -> list[Row]:
    scores = [metric for metric in run["evaluation"]["metrics"] if metric["id"] == LATENCY]
    return [
        {
            "metric": {"id": metric["id"], "name": metric["name"]},
            "rule": f"{metric['name']} <= {LATENCY_LIMIT}",
            "passed": metric["score"] <= LATENCY_LIMIT,
        }
        for metric in scores
        if metric["score"] is not None
    ]


def _failed_reasons(runs: list[Row]) -> dict[str, Any]:
    failed = [run for run in runs if run.get("success") is False]
    issues: dict[str, list[int]] = {}
    for run in failed:
        reasons = [metric["explanation"] for metric in run["evaluation"]["metrics"] if metric["score"] == 0]
        title = next((reason for reason in reasons if isinstance(reason, str)), "Evaluation failed")
        issues.setdefault(title, []).append(run["id"])
    ranked = sorted(issues.items(), key=lambda item: (-len(item[1]), item[0]))
    return {
        "total_failed_runs": len(failed),
        "issues": [
            {
                "rank": rank,
                "title": title,
                "description": f"{title} This was so in {len(run_ids)} runs.",
                "run_ids": run_ids,
                "affected_count": len(run_ids),
            }
            for rank, (title, run_ids) in enumerate(ranked, start=1)
        ],
    }
