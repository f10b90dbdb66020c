"""What the stand-in says of each result by id, read as plainly as can be: the truth for the tables and views of run details."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cekura_sync.sandbox import World
from cekura_sync.sandbox.detail import detail

TERMINAL = ("completed", "failed", "timeout", "cancelled")


class Run(NamedTuple):
    result: dict[str, Any]
    run: dict[str, Any]

    @property
    def day(self) -> str:
        return self.created.date().isoformat()

    @property
    def created(self) -> datetime:
        return datetime.fromisoformat(self.result["created_at"]).astimezone(UTC)


def details(world: World) -> dict[int, dict[str, Any]]:
    """The full record of every finished result."""
    return {
        id_: detail(world.row(entry), entry, world.account)
        for id_, entry in world.entries.items()
        if entry.status in TERMINAL
    }


def runs(world: World) -> Iterator[Run]:
    for found in details(world).values():
        for run in found["runs"].values():
            yield Run(found, run)


def rows(world: World, table: str) -> list[tuple[Any, ...]]:
    """The rows that a table of details should have, in the order of `COLUMNS`."""
    return sorted(_ROWS[table](world), key=repr)


COLUMNS = {
    "run_details": "result_id, run_id, status, success, scenario, scenario_name, personality_name, error_message,"
    " metadata",
    "run_metrics": "result_id, run_id, metric_id, name, type, score, enum_value, explanation",
    "expected_outcomes": "result_id, run_id, score, explanation",
    "result_metrics": "result_id, metric_id, name, type, score",
    "failed_reasons": "result_id, run_id, reason",
    "transcript_turns": "result_id, run_id, place, role, content, start_time, end_time",
}


def _run_details(world: World) -> Iterator[tuple[Any, ...]]:
    for result, run in runs(world):
        metadata = f'{{"region":"{run["metadata"]["region"]}"}}'
        names = ("scenario", "scenario_name", "personality_name", "error_message")
        yield (
            result["id"],
            run["id"],
            run["status"],
            run.get("success"),
            *(run[name] for name in names),
            metadata,
        )


def _run_metrics(world: World) -> Iterator[tuple[Any, ...]]:
    for result, run in runs(world):
        for metric in run["evaluation"]["metrics"]:
            why = metric["explanation"]
            text = "\n".join(why) if isinstance(why, list) else why
            names = ("id", "name", "type", "score", "enum")
            yield (result["id"], run["id"], *(metric[name] for name in names), text)


def _expected_outcomes(world: World) -> Iterator[tuple[Any, ...]]:
    for result, run in runs(world):
        outcome = run["expected_outcome"]
        if outcome:
            yield result["id"], run["id"], outcome["score"], "\n".join(outcome["explanation"])


def _result_metrics(world: World) -> Iterator[tuple[Any, ...]]:
    for id_, found in details(world).items():
        for metric_id, metric in found["overall_evaluation"]["metric_summary"].items():
            yield id_, int(metric_id), metric["name"], metric["type"], metric["score"]


def _failed_reasons(world: World) -> Iterator[tuple[Any, ...]]:
    for id_, found in details(world).items():
        for reason in found["failed_reasons"]:
            yield id_, reason["run"], reason["reason"]


def _transcript_turns(world: World) -> Iterator[tuple[Any, ...]]:
    for result, run in runs(world):
        for place, turn in enumerate(run["transcript_object"], start=1):
            said = (turn[name] for name in ("role", "content", "start_time", "end_time"))
            yield (result["id"], run["id"], place, *said)


_ROWS = {
    "run_details": _run_details,
    "run_metrics": _run_metrics,
    "expected_outcomes": _expected_outcomes,
    "result_metrics": _result_metrics,
    "failed_reasons": _failed_reasons,
    "transcript_turns": _transcript_turns,
}
