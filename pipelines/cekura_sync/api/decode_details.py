"""Decodes a result's own record: bytes in, one document of flat lists out, whatever form it came in.

Only the form is decided here (a dict keyed by id or an array, an explanation as text or as a list, a scenario as an id or
as an object); DuckDB gives the values their types. Everything else is kept as JSON under `more`.
"""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from cekura_sync.api import json_values
from cekura_sync.api.decode_rows import another_result, begins, require_object
from cekura_sync.api.fields import Item, first_id, number, objects, rest, take, text, usable_id
from cekura_sync.api.forms import identity, verdict, with_id
from cekura_sync.api.personal import PROFILE, PersonalData, may_hold_fields
from cekura_sync.api.rubric import rubric_verdicts, verdict_on
from cekura_sync.errors import UnbelievableAnswer


class Detail(NamedTuple):
    """The record of one result. `flaw` says why it cannot be stored; without one, `raw` is the document."""

    raw: str
    flaw: str | None = None


class _FlawError(Exception):
    pass


def decode_details(body: bytes, *, result_id: int, personal_data: PersonalData) -> Detail:
    """Raises UnreadableAnswer, ApiUnavailable (cut short), UnbelievableAnswer (not this result)."""
    require_object(body)
    try:
        answer = json_values.read_object(body)
        _require_same(body, answer, result_id)
        return Detail(json_values.spelled(_document(answer, personal_data)))
    except _FlawError as flaw:
        return _flawed(body, str(flaw), result_id=result_id, transcripts=personal_data.transcripts)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _flawed(
            body, f"not valid JSON: {error}", result_id=result_id, transcripts=personal_data.transcripts
        )


def _require_same(body: bytes, answer: Item, result_id: int) -> None:
    if "id" not in answer or "created_at" not in answer:
        raise UnbelievableAnswer(f"The response is not a result: {begins(body)}")
    if identity(answer["id"]) != result_id:
        raise another_result(result_id)


def _flawed(body: bytes, flaw: str, *, result_id: int, transcripts: bool) -> Detail:
    """A text that cannot be parsed may quote a call, so it is kept only with transcripts."""
    raw = body.decode("utf-8", "backslashreplace") if transcripts else f'{{"id": {result_id}}}'
    return Detail(raw, flaw)


def _document(answer: Item, personal_data: PersonalData) -> Item:
    document = _everything(answer, personal_data)
    for name in ("metrics", "outcomes", "summary", "reasons"):
        for item in document[name]:
            item["more"] = personal_data.allowed(item["more"]) or None
    return document


def _everything(answer: Item, personal_data: PersonalData) -> Item:
    # Of two with one identity, the last one counts.
    runs = [*{run["id"]: run for run in map(_with_usable_id, _runs(answer.get("runs")))}.values()]
    overall = answer.get("overall_evaluation")
    summary = overall.get("metric_summary") if isinstance(overall, dict) else None
    metrics = [metric for run in runs for metric in _metrics_of(run)]
    return {
        "runs": [_run(run, personal_data) for run in runs],
        "metrics": [*{(m["run_id"], *_identity(m)): m for m in metrics}.values()],
        "outcomes": [row for row in map(_outcome, runs) if row],
        "summary": [
            *{_identity(metric): metric for metric in map(_metric, objects(summary))}.values(),
        ],
        "reasons": [*_numbered(_reasons(answer.get("failed_reasons")))],
        "turns": [turn for run in runs for turn in _turns(run)] if personal_data.transcripts else [],
    }


def _runs(runs: object) -> list[Item]:
    if isinstance(runs, dict):
        runs = [with_id(run, key) for key, run in runs.items()]
    if not isinstance(runs, list | None):
        raise _FlawError("runs is neither a list nor keyed by id")
    if not all(isinstance(run, dict) for run in runs or []):
        raise _FlawError("a run is not an object")
    return runs or []


def _with_usable_id(run: Item) -> Item:
    run_id = usable_id(run.get("id"))
    if run_id is None:
        raise _FlawError("a run has no usable id")
    return {**run, "id": run_id}


def _run(run: Item, personal_data: PersonalData) -> Item:
    """Its scalar fields; what is nested and in no document may hold what was said."""
    scenario = run.get("scenario")
    if isinstance(scenario, dict):  # so the vendor's webhooks have it
        run = {
            **run,
            "scenario": scenario.get("id"),
            "scenario_name": run.get("scenario_name") or scenario.get("name"),
            "personality_name": run.get("personality_name") or scenario.get("personality_name"),
        }
    others = {
        name: value
        for name, value in run.items()
        if name not in ("evaluation", "expected_outcome", "transcript_object", "metadata")
        and personal_data.keeps(name)
        and (personal_data.transcripts or PROFILE in name or not may_hold_fields(value))
    }
    return {**others, "metadata": personal_data.metadata(run.get("metadata"))}


def _metrics_of(run: Item) -> Iterator[Item]:
    """The rubric decides what has no verdict of its own."""
    rules = [*rubric_verdicts(run)]
    metrics = [*map(_metric, objects(_metrics(run)))]
    names = [metric["name"] for metric in metrics if metric["name"]]
    for metric in metrics:
        if metric["passed"] is None:
            metric["passed"] = verdict_on(metric["metric_id"], metric["name"], rules, names)
        yield {"run_id": run["id"], **metric}


def _metrics(run: Item) -> object:
    evaluation = run.get("evaluation")
    return evaluation.get("metrics") if isinstance(evaluation, dict) else evaluation


def _metric(metric: Item) -> Item:
    """`type` is the newer `eval_type` where there is one; a score that is true or false is a verdict."""
    left = dict(metric)
    kind = left.pop("eval_type", None) or left.pop("type", None)
    passed = verdict(left.get("passed"))
    if passed is not None:
        del left["passed"]
    else:
        passed = take(left, "score", bool)
    metric_id = first_id(left, ("id",))
    name = text(left.pop("name", None))
    return {
        "metric_id": metric_id,
        "name": text(left.pop("id", None)) if metric_id is None and name is None else name,
        "type": text(kind),
        "score": number(left, "score"),
        "passed": passed,
        "enum_value": text(left.pop("enum", None)),
        "explanation": text(left.pop("explanation", None)),
        "more": rest(left),
    }


def _identity(metric: Item) -> tuple[int | None, str | None]:
    """The id, or else the name. PostgreSQL keeps no character 0, so two names that differ by it alone are one."""
    if metric["metric_id"] is not None:
        return metric["metric_id"], None
    name = (metric["name"] or "").replace("\0", "")
    return None, name if name.strip(" ") else None


def _outcome(run: Item) -> Item | None:
    outcome = run.get("expected_outcome")
    if not outcome:
        return None
    left = dict(outcome) if isinstance(outcome, dict) else {"explanation": outcome}
    return {
        "run_id": run["id"],
        "score": number(left, "score"),
        "explanation": text(left.pop("explanation", None)),
        "more": rest(left),
    }


def _reasons(reasons: object) -> Iterator[Item]:
    """A list of issues, as documented; objects, texts, or either of them keyed by run or by reason, as older ones are."""
    if isinstance(reasons, dict) and isinstance(reasons.get("issues"), list):
        yield from _reasons(sorted(reasons["issues"], key=_rank))
    elif isinstance(reasons, dict):
        for key, value in reasons.items():
            run_id = usable_id(key)
            if isinstance(value, dict):
                yield _reason({"run_id" if run_id else "reason": key, **value})
            elif run_id:
                yield _reason({"run_id": run_id, "reason": value})
            else:
                yield _reason({"reason": key, "value": value})
    elif isinstance(reasons, list):
        for item in reasons:
            yield _reason(item if isinstance(item, dict) else {"reason": item})
    elif reasons:
        yield _reason({"reason": reasons})


def _rank(issue: object) -> float:
    rank = issue.get("rank") if isinstance(issue, dict) else None
    return rank if isinstance(rank, int | float) else math.inf


def _reason(reason: Item) -> Item:
    left = dict(reason)
    title, description = text(left.pop("title", None)), text(left.pop("description", None))
    run_ids = left.pop("run_ids", None)
    return {
        "run_id": first_id(left, ("run_id", "run")),
        "scenario": first_id(left, ("scenario_id", "scenario")),
        "reason": next(
            (text(left.pop(name)) for name in ("reason", "error_message", "message") if left.get(name)),
            title or description,
        ),
        "title": title,
        "description": description,
        "affected_count": first_id(left, ("affected_count",)),
        "run_ids": run_ids and msgspec.json.encode(run_ids).decode(),
        "more": rest(left),
    }


def _turns(run: Item) -> Iterator[Item]:
    transcript = run.get("transcript_object")
    if isinstance(transcript, str):
        transcript = [{"content": transcript}] if transcript else []
    turns = (dict(turn) for turn in objects(transcript))
    for turn in _numbered(
        {
            "role": text(left.pop("role", None)),
            "content": text(left.pop("content", None)),
            "start_time": number(left, "start_time"),
            "end_time": number(left, "end_time"),
            "more": rest(left),
        }
        for left in turns
    ):
        yield {"run_id": run["id"], **turn}


def _numbered(items: Iterable[Item]) -> Iterator[Item]:
    return ({"place": place, **item} for place, item in enumerate(items, start=1))
