"""The forms in which the API sends runs, scenarios and ids → the one in which they are compared and stored."""

import re
from typing import Any

from cekura_sync.api.json_values import bigint
from cekura_sync.api.personal import PersonalData, without_what_was_said

LISTS = ("runs", "scenarios")


def as_stored(row: Any) -> Any:
    """A listed row: its lists as arrays of objects, the ids of runs as numbers (or None), nothing nested that was said.

    What was said under a name of its own is left to those who know whether it was asked for.
    """
    if not isinstance(row, dict):
        return row
    as_arrays(row)
    if isinstance(row.get("runs"), list):
        row["runs"] = [_run(run) if isinstance(run, dict) else run for run in row["runs"]]
    return _without_nested_talk(row)


def as_arrays(row: dict[str, Any]) -> None:
    """Turn `runs` and `scenarios` keyed by id into arrays, and bare names and ids of scenarios into objects."""
    for name in LISTS:
        value = row.get(name)
        if isinstance(value, dict):
            row[name] = [with_id(item, key) for key, item in value.items()]
    if isinstance(row.get("scenarios"), list):
        row["scenarios"] = [
            item if isinstance(item, dict) else {"name" if isinstance(item, str) else "id": item}
            for item in row["scenarios"]
        ]


def with_id(item: object, key: str) -> object:
    if isinstance(item, str):
        return {"id": key, "name": item}
    return {"id": key, **item} if isinstance(item, dict) else item


def identity(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,30}", value):
        return int(value)
    return int(value) if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else None


def _run(run: dict[str, Any]) -> dict[str, Any]:
    return _without_nested_talk(run) | {"id": bigint(identity(run.get("id")))}


def _without_nested_talk(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: without_what_was_said(value)
        if isinstance(value, dict | list) and name not in LISTS and PersonalData().keeps(name)
        else value
        for name, value in fields.items()
    }
