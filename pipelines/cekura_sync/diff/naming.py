"""Fields that no document of the API names → columns of the warehouse. A field keeps its column for ever.

dlt gives each column the name that its naming convention makes of it. Our names are ones that it leaves alone
(`is_settled`), so that the table, the table `_fields` and what a sync writes always agree.
"""

import re
from collections.abc import Callable, Collection, Iterable

import duckdb

# PostgreSQL keeps a row within 8 kB, and of each text up to 24 bytes there; beside our own columns 300 have room.
MAX_FIELDS = 300
MAX_LENGTH = 60  # PostgreSQL keeps 63 characters of a name
NAMELESS = "field"  # for a field without a letter or digit that a column's name may hold
OWN_COLUMNS = (
    "deleted_at",
    "aged_out_at",
    "first_seen_at",
    "synced_at",
    "result_id",
    "duration_seconds",
    # Those below are in no table; they would meet our names while rows are compared.
    "text",
    "flaw",
    "change",
    "scenarios_known",
    "runs",
    "scenarios",
    "rowid",  # DuckDB's number of a row
    # Values that SQL names without parentheses: in DuckDB a column takes the name, in PostgreSQL the value keeps it.
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "localtime",
    "localtimestamp",
    "session_user",
    "user",
    # PostgreSQL keeps these for itself.
    "cmax",
    "cmin",
    "ctid",
    "tableoid",
    "xmax",
    "xmin",
)


def known(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """The API's name → our column, as earlier syncs learned it for this table."""
    query = "select api_name, column_name from base.cekura._fields where table_name = $1 order by all"
    return {key: as_dlt_wrote(column) for key, column in con.execute(query, [table]).fetchall()}


def as_dlt_wrote(column: str) -> str:
    """Version 0.1.0 noted names that ended with an underscore; dlt had put an x there."""
    stripped = column.rstrip("_")
    return stripped + "x" * (len(column) - len(stripped))


def learn(
    known: dict[str, str],
    typed: Iterable[str],
    names: Iterable[str],
    ours: Iterable[str] = (),
    keeps: Callable[[str], bool] = lambda _: True,
    beside: Iterable[str] = (),
) -> set[str]:
    """Add those of `names` that nobody knows yet; returns those that were left out.

    They are too many, or differ from a known one only by case, and so have no place in a SQL table. `beside`: keys
    that are read in any case, and may be known too.
    """
    taken = {name.lower() for name in (*known, *ours)}
    spelled = {name.lower(): name for name in beside}
    left_out = set()
    room = MAX_FIELDS - len(known.keys() - {*typed})
    for key in sorted(names):
        if not (key.isprintable() and key.strip() and keeps(key)):
            continue
        if key.lower() in taken or spelled.get(key.lower(), key) != key:
            if key not in known and key.lower() not in ours:
                left_out.add(key)
            continue
        taken.add(key.lower())
        if room > 0:
            known[key] = free_column(key, {*known.values(), *typed})
            room -= 1
        else:
            left_out.add(key)
    return left_out


def free_column(key: str, taken: Collection[str]) -> str:
    """The key in snake_case, moved aside where it would meet another column."""
    name = column_name(key)
    if name in OWN_COLUMNS:
        name = f"api_{name}"
    candidate, number = _cut(name), 2
    while candidate in taken:
        candidate, number = _cut(name, f"_{number}"), number + 1
    return candidate


def column_name(key: str) -> str:
    """The key in snake_case: only letters, digits and single underscores, none of them at an end."""
    words = re.sub(r"[^A-Za-z0-9_]", "_", key.strip())
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", words))
    name = re.sub(r"_+", "_", words.lower()).strip("_")
    return f"api_{name}" if name[:1].isdigit() else name or NAMELESS


def _cut(name: str, suffix: str = "") -> str:
    return name[: MAX_LENGTH - len(suffix)].rstrip("_") + suffix
