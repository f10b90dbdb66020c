"""Takes fields out of a JSON object, whatever type they have; what nobody takes is the rest."""

import math
from collections.abc import Iterable
from typing import Any

from cekura_sync.api import json_values
from cekura_sync.api.forms import identity

Item = dict[str, Any]

GREATEST = 1e15  # a larger score is invalid: sums of it would be wrong


def objects(value: object) -> list[Item]:
    """An array of objects; what is keyed by id is one too. A bare text is a name, a bare value under an id a score."""
    if isinstance(value, dict):
        return [
            {"id": key, **item} if isinstance(item, dict) else {"id": key, "score": item}
            for key, item in value.items()
        ]
    if not isinstance(value, list):
        return []
    return [item if isinstance(item, dict) else {"name": item} for item in value if item is not None]


def take(left: Item, name: str, kind: type) -> Any:
    return left.pop(name) if isinstance(left.get(name), kind) else None


def first_id(left: Item, names: Iterable[str]) -> int | None:
    return next((usable_id(left.pop(name)) for name in names if usable_id(left.get(name)) is not None), None)


def usable_id(value: object) -> int | None:
    return json_values.bigint(identity(value))


def number(left: Item, name: str) -> float | None:
    """The number under that name, taken out; anything else stays among the rest."""
    try:
        value = None if isinstance(left[name], bool) else float(left[name])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if value is None or not math.isfinite(value) or abs(value) > GREATEST:
        return None
    del left[name]
    return value


def text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(filter(None, map(text, value))) or None
    return json_values.spelled(value)


def rest(left: Item) -> Item | None:
    """What is left, but for what says nothing."""
    return {name: value for name, value in left.items() if value is not None} or None
