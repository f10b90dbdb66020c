"""A listed row → the one text in which it is compared: rows that say the same have the same text."""

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec

from cekura_sync.api.forms import FLAW, as_arrays, as_stored, identity, listed
from cekura_sync.api.json_values import bigint, read_row, spelled

_LEADING_ID = re.compile(r'\s*\{\s*"id"\s*:\s*"?(\d{1,18})"?\s*[,}]')
_UNREADABLE = spelled(
    {FLAW: "its JSON cannot be read: it is nested too deeply, or a number in it is too long"}
)


class Fields:
    """The names of the fields of rows or of runs, and which of them must not be kept."""

    def __init__(self, keeps: Callable[[str], bool]) -> None:
        self._keeps = keeps
        self.names: set[str] = set()
        self._left_out: list[str] = []

    def take(self, item: dict[str, Any]) -> None:
        """Note the names, and remove what must not be kept: no file and no database sees it."""
        before = len(self.names)
        self.names.update(item)
        if len(self.names) > before:
            self._left_out = [name for name in self.names if not self._keeps(name)]
        for name in self._left_out:
            item.pop(name, None)


class Speller:
    """Spells rows for one sync, and notes the names of their fields."""

    def __init__(self, keeps: Callable[[str], bool]) -> None:
        self.of_rows = Fields(keeps)
        self.of_runs = Fields(keeps)

    def spell(self, raw: str) -> tuple[str, int | None]:
        """The text, and the first of its ids: of two the text keeps the last."""
        try:
            row = read_row(raw)
            as_arrays(row)
            self.of_rows.take(row)
            for run in listed(row, "runs"):
                if type(run) is dict:
                    self.of_runs.take(run)
            return spelled(as_stored(row, raw)), _first_id(raw)
        except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
            return _UNREADABLE, None


def _first_id(raw: str) -> int | None:
    leading = _LEADING_ID.match(raw)
    if leading:
        return int(leading[1])
    first_of_each = json.loads(raw, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    return bigint(identity(first_of_each.get("id")))
