"""Fields that an API may add and that somebody on the way has another use for the name of."""

import ast
import re
from pathlib import Path
from typing import Any

from cekura_sync import diff

FIELDS: dict[str, Any] = {
    "select": "a keyword",
    "_digest": "not ours",
    "deleted_at": "2026-01-01T00:00:00Z",
    "aged_out_at": "never",
    "synced_at": "never",
    "first_seen_at": "never",
    "_dlt_id": "not dlt's",
    "_dlt_load_id": "not dlt's",
    "_removed": True,
    "result_id": 9,
    "flaw": "invented",
    "raw": "invented",
    "created": "invented",
    "text": "invented",
    "change": "deleted",
    "known": "invented",
    "scenarios_known": True,
    "_runs_known": False,
    "_in_flight_since": "never",
    "is_open": "invented",
    "current_timestamp": "invented",
    "current_date": "invented",
    "since": "invented",
    "with \"quotes\" and 'others'": "q",
    "with; semicolon -- comment": "s",
    "naïve ünïcode 名前": "u",
    "camelCaseField": {"deep": [1, {"er": None}]},
    "ALLCAPS": 12345678901234567890123,
    "123": "digits first",
    "": "empty",
    "   ": "spaces",
    "\0": "NUL",
    "Name": "differs by case",
    "STATUS": "differs by case",
    "a" * 300: "a long name",
    "a" * 299 + "b": "another long name",
    "percentage_of_the_callers_own_turns_with_some_interruptions_detected_by_agent": "cut, it ends with an underscore",
    "名前": "no letter that a column's name may hold",
    "名": "another one",
    "🙂": "a smile",
    "___": "underscores",
    "1" * 80: "digits only",
    "rowid": "DuckDB's own",
    "Project": "differs by case from a field that is only read",
    "oid": "PostgreSQL's own, once",
    "x.y": "a dot",
    "x__y": "two underscores",
    "x_y": "one underscore",
}


def words_of_our_sql() -> list[str]:
    """Each word in a text of the code that compares: one of them may be a name that a field takes away from a query."""
    files = Path(diff.__file__).parent.glob("*.py")
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text())))
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return sorted({word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text)})
