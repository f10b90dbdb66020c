"""Somebody's own SQL: one statement that only reads, answered row by row."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
from duckdb import StatementType

from cekura_sync.errors import SettingsError
from cekura_sync.warehouse import spreadsheet
from cekura_sync.warehouse.reader import open_for_reading

BATCH_ROWS = 1000
_SETTINGS = {
    "search_path": "'analytics,cekura'",
    # sum(passed_runs) / sum(decided_runs) is NULL where nothing was decided, and not NaN.
    "ieee_floating_point_ops": "false",
    "error_on_division_by_zero": "false",  # only DuckDB 2 has it
}
_NOT_FOR_PYTHON = re.compile(r'(?<!")\b(BLOB|INTERVAL)\b(?!")')  # as types, not as names of a struct's fields
_MAY_BE_INFINITE = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
_BLANK = r"(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*"
_END = re.compile(rf"(?:;{_BLANK})+\Z", re.DOTALL)
# Functions that a select can call and that change something; DuckDB 1 lets them past its lock of the configuration.
_SWITCH = re.compile(
    r'\b((enable|disable)_\w+|truncate_duckdb_logs|(force_)?checkpoint)"?\s*\(', re.IGNORECASE
)
_EXPLAIN = re.compile(
    rf"{_BLANK}explain\b(?:\s+analyze\b)?(?:\s*\(\s*(?:analyze|format)\b[^)]*\))?",
    re.IGNORECASE | re.DOTALL,
)


class Answer(NamedTuple):
    columns: list[str]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def answer(path: Path, sql: str, *, as_text: bool = False, for_spreadsheet: bool = False) -> Iterator[Answer]:
    """The columns and rows of one query, read while they are used; with `as_text` as DuckDB writes values.

    Views and tables need no schema: `results` is analytics.results, `sync_log` is cekura.sync_log.
    Raises SettingsError for SQL that does not run or does not only read; a note tells where.
    """
    with open_for_reading(path, _SETTINGS) as con, _as_settings_error():
        if _require_one_that_reads(con, sql) == "EXPLAIN":
            con.execute(sql)
            yield Answer([name for name, *_ in con.description or ()], _rows(con))
            return
        with _telling_the_place(con, sql):
            relation = con.sql(sql)
        cells = [
            _cell(position, str(kind), as_text=as_text, for_spreadsheet=for_spreadsheet)
            for position, kind in enumerate(relation.types, start=1)
        ]
        columns = map(spreadsheet.harmless_heading, relation.columns) if for_spreadsheet else relation.columns
        with _telling_the_place(con, sql):
            con.execute(f"select {', '.join(cells)} from ({_alone(sql)}\n)")
        yield Answer(list(columns), _rows(con))


@contextmanager
def _as_settings_error() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        what, _, where = str(error).strip().partition("\n")
        refused = SettingsError(f"The query cannot be run: {what}")
        refused.add_note(where.strip("\n"))
        raise refused from error


def _require_one_that_reads(con: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The kind of the statement. What DuckDB itself refuses differs between its versions: run only what is known to read."""
    kinds = _kinds(con, sql)
    if not kinds:
        raise SettingsError("There is no query: write one, such as 'select * from agent_pass_rate'.")
    if not _reads(con, sql, kinds):
        if len(kinds) > 1:
            raise SettingsError(
                f"There are {len(kinds)} queries, and only one can be answered: run them one by one."
            )
        raise SettingsError(
            "The query is not run, because it does more than read: ask with select, describe, show or explain. "
            "To write, attach the warehouse with `read_only` to a DuckDB database of your own, or use `export`."
        )
    return kinds[-1]


def _reads(con: duckdb.DuckDBPyConnection, sql: str, kinds: list[str]) -> bool:
    if _SWITCH.search(sql):
        return False
    if kinds == ["SELECT"]:
        return True
    if kinds == ["EXPLAIN"]:
        explained = _EXPLAIN.match(sql)
        return explained is not None and _kinds(con, sql[explained.end() :]) == ["SELECT"]
    return _is_pivot(con, sql)


def _is_pivot(con: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """A pivot over values that it has to find first: DuckDB 2 calls it MULTI, DuckDB 1 makes two statements of it.

    So it does with `copy (pivot …) to …`, but that cannot stand in the brackets of a subquery.
    """
    try:
        *first, last = _kinds(con, f"select * from ({_alone(sql)}\n)")
    except duckdb.Error:
        return False
    return (first, last) == ([], "MULTI") or (set(first) == {"CREATE"} and last == "SELECT")


def _alone(sql: str) -> str:
    """Without the semicolon and what follows it, so that it can stand in brackets."""
    return _END.sub("", sql)


def _kinds(con: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    return [_kind(statement) for statement in con.extract_statements(sql)]


def _kind(statement: duckdb.Statement) -> str:
    try:
        kind: StatementType = statement.type
    except ValueError:  # one that the Python client has no name for, such as `update extensions`
        return "unknown"
    return kind.name


@contextmanager
def _telling_the_place(con: duckdb.DuckDBPyConnection, sql: str) -> Iterator[None]:
    try:
        yield
    except duckdb.Error:
        con.execute(sql)  # fails as well, and points into the text as it was written
        raise


def _cell(position: int, kind: str, *, as_text: bool, for_spreadsheet: bool) -> str:
    """Python has its own notation for bytes and intervals: DuckDB writes them, also inside of lists and structs.

    For an infinite time it has none; a year 9999 in its place would be a lie, so it becomes NULL.
    """
    written = "VARCHAR" if as_text else _NOT_FOR_PYTHON.sub("VARCHAR", kind)
    cell = f"#{position}" if written == kind else f"cast(#{position} as {written})"
    if kind in _MAY_BE_INFINITE and not as_text:
        cell = f"case when isfinite({cell}) then {cell} end"
    return spreadsheet.harmless(cell) if for_spreadsheet and spreadsheet.may_be_formula(kind) else cell


def _rows(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while batch := con.fetchmany(BATCH_ROWS):
        yield from batch
