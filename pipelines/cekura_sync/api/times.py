"""When a row was created, by its own word. It is read as the warehouse reads it: two parsers would see two orders."""

import re
import threading
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from cekura_sync import clock, database

if TYPE_CHECKING:
    import duckdb

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What Python and DuckDB read alike. DuckDB reads anything else, since it has the last word when the row is written.
_ALIKE = re.compile(
    r"\d{4}-\d\d-\d\d[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+-](0\d|1[0-4]):[0-5]\d)?", re.ASCII
)
_READ = """
    select epoch_us(moment) from (select try_cast($1 as timestamptz) as moment) where isfinite(moment)
"""
_one_at_a_time = threading.Lock()


def microseconds(value: object) -> int | None:
    """Since 1970; None for what is not a time, or one that nobody can believe: such a row has no place in the order."""
    if not isinstance(value, str) or not value.isascii():  # DuckDB refuses a text with half a surrogate pair
        return None
    moment = _in_python(value) if _ALIKE.fullmatch(value) else _in_duckdb(value)
    if moment is None or not 2000 <= moment.year <= clock.now().year + 10:
        return None
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _in_python(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _in_duckdb(text: str) -> datetime | None:
    with _one_at_a_time:
        found = _connection().execute(_READ, [text]).fetchall()
    try:
        return _EPOCH + timedelta(microseconds=found[0][0]) if found else None
    except OverflowError:
        return None


@cache
def _connection() -> "duckdb.DuckDBPyConnection":
    return database.connect()
