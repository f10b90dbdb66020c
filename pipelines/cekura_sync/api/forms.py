"""The forms in which the API sends runs, scenarios and ids → the one in which they are compared and stored."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cekura_sync.api.json_values import bigint
from cekura_sync.api.personal import PersonalData, may_hold_fields

LISTS = ("runs", "scenarios")
FLAW = "_flaw"  # stands in a row whose runs cannot be stored, and says why
_VERDICTS = {"true": True, "1": True, "false": False, "0": False}
_NESTED = frozenset({dict, list})
# In the JSON of a row: a text that may begin as an object or array does, perhaps after a blank or with an escape.
_BEGINS_IN_TEXT = re.compile(r'"\s*\ufeff?\s*[{[\\]')
_NOTHING_PERSONAL = PersonalData()
_keeps = lru_cache(maxsize=4096)(_NOTHING_PERSONAL.keeps)


def as_stored(row: dict[str, Any], raw: str) -> dict[str, Any]:
    """A row with arrays, decoded from `raw`: its ids as numbers, and nothing nested that was said.

    What was said under a name of its own is left to those who know whether it was asked for.
    """
    row.pop(FLAW, None)
    texts_may_hold_fields = _BEGINS_IN_TEXT.search(raw) is not None
    _remove_nested_talk(row, texts_may_hold_fields, LISTS)
    for run in listed(row, "runs"):
        flaw = _settle_run(run, texts_may_hold_fields)
        if flaw is not None:
            row[FLAW] = flaw
    for scenario in listed(row, "scenarios"):
        _remove_nested_talk(scenario, texts_may_hold_fields)
        if type(scenario.get("id")) is not int:
            scenario["id"], scenario["name"] = _told_by(scenario.get("id"), scenario.get("name"))
    return row


def listed(row: dict[str, Any], name: str) -> list[Any]:
    """The objects of one of its LISTS."""
    return row[name] if isinstance(row.get(name), list) else []


def _settle_run(run: Any, texts_may_hold_fields: bool) -> str | None:
    """Change it to the one form; returns why it cannot be stored."""
    # Most runs need nothing, and there are millions of them: each condition looks at the type first.
    if type(run) is not dict:
        return "a run has no usable id"
    if type(run.get("id")) is not int:
        run["id"] = identity(run.get("id"))
    if run["id"] is None or not -(2**63) < run["id"] < 2**63:
        return "a run has no usable id"
    _remove_nested_talk(run, texts_may_hold_fields)
    scenario = run.get("scenario")
    if scenario is not None and type(scenario) is not int:
        given = scenario if isinstance(scenario, dict) else {"id": scenario}
        name = run["scenario_name"] if run.get("scenario_name") is not None else given.get("name")
        run["scenario"], run["scenario_name"] = _told_by(given.get("id"), name)
    success = run.get("success")
    if success is not None and type(success) is not bool:
        run["success"] = verdict(success)
        if run["success"] is None and str(success).strip():
            return "the success of a run is not true or false"
    return None


def verdict(value: object) -> bool | None:
    """True or false as the API spells them; None for anything else."""
    return value if isinstance(value, bool) else _VERDICTS.get(str(value).strip().lower())


def _told_by(id_: object, name: object) -> tuple[int | None, object]:
    """The id of a scenario and its name; what is not a whole number is a name."""
    number = bigint(identity(id_))
    return number, id_ if number is None and name is None else name


def as_arrays(row: dict[str, Any]) -> None:
    """Turn `runs` and `scenarios` keyed by id into arrays, and bare names and ids of scenarios into objects."""
    for name in LISTS:
        value = row.get(name)
        if isinstance(value, dict):
            row[name] = [with_id(item, key) for key, item in value.items()]
    if isinstance(row.get("scenarios"), list):
        row["scenarios"] = [item if type(item) is dict else _scenario(item) for item in row["scenarios"]]


def _scenario(item: object) -> object:
    return {"name": item} if isinstance(item, str) else {"id": item}


def with_id(item: object, key: str) -> object:
    if isinstance(item, str):
        return {"id": key, "name": item}
    return {"id": key, **item} if isinstance(item, dict) else item


def identity(value: object) -> int | None:
    if type(value) is int:
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,30}", value):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _remove_nested_talk(
    fields: dict[str, Any], texts_may_hold_fields: bool, but_in: Sequence[str] = ()
) -> None:
    # Nearly no run has anything nested, and the types alone tell it at a sixth of the price.
    if not texts_may_hold_fields and _NESTED.isdisjoint(map(type, fields.values())):
        return
    for name in [name for name, value in fields.items() if may_hold_fields(value)]:
        if name not in but_in and _keeps(name):
            fields[name] = _NOTHING_PERSONAL.allowed(fields[name])
