"""The rules in sql/checks/: each is a query that returns the rows that break it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cekura_sync import database
from cekura_sync.console.memory import give_back
from cekura_sync.database import columns_of, first_line, quoted
from cekura_sync.errors import ModelError
from cekura_sync.models import runner

if TYPE_CHECKING:
    import re

    import duckdb

    from cekura_sync.models.runner import Model

# One row per result or run. Every other view sums them up.
ROW_VIEWS = {"live_results", "results", "run_details", "run_metrics", "runs"}
# A copy of these would take as much memory as the tables, and save little: each is hardly more than a selection of columns.
NOT_COPIED = ROW_VIEWS - {"results"}


@dataclass(frozen=True)
class Finding:
    """A check that did not hold."""

    check: str
    question: str
    rows: int
    example: str


def check(con: duckdb.DuckDBPyConnection, *, just_built: bool = False) -> list[Finding]:
    """Ask every question of sql/checks/; a query that returns rows is a finding.

    `just_built`: the views are those of sql/. Then each is computed from copies of the views below it, in half the time.
    """
    give_back()
    database.tune(con, "set threads = 1")  # two take twice the memory, and save little
    models = runner.read_models(runner.models_dir() / "checks")
    asked = set().union(*(model.references for model in models))
    copied = _copy_in_steps(con, asked) if just_built else _copy_as_they_stand(con, asked)
    return [finding for model in models if (finding := _ask(con, model, copied))]


def check_rows(con: duckdb.DuckDBPyConnection) -> list[Finding]:
    """Ask only what concerns single results and runs, in a database that has the tables but no views yet.

    A quick sync asks this of a copy of what it changed: what it costs does not grow with the warehouse.
    """
    _build_row_views(con)
    models = runner.read_models(runner.models_dir() / "checks")
    return [found for model in models if model.references <= ROW_VIEWS and (found := _ask(con, model, set()))]


def check_tables(con: duckdb.DuckDBPyConnection) -> list[Finding]:
    """Ask everything in a database that has the tables but no views yet. Views that are only copied are never built."""
    _build_row_views(con)
    return check(con, just_built=True)


def _build_row_views(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(f"create schema {runner.SCHEMA}")
    for view in runner.in_build_order(runner.read_models(runner.models_dir())):
        if view.name in ROW_VIEWS:
            runner.run(con, view, f"create view {runner.SCHEMA}.{view.name} as\n{view.query}")


def _copy_as_they_stand(con: duckdb.DuckDBPyConnection, asked: set[str]) -> set[str]:
    """Several checks ask the same view, so each is computed once. Returns the names of the copies."""
    for name in sorted(asked - NOT_COPIED):
        _copy(con, name, f"select * from {runner.SCHEMA}.{quoted(name)}")
    return asked - NOT_COPIED


def _copy_in_steps(con: duckdb.DuckDBPyConnection, asked: set[str]) -> set[str]:
    """The same, and the views below those too."""
    views = runner.in_build_order(runner.read_models(runner.models_dir()))
    needed = set(asked)
    for view in reversed(views):
        needed |= view.references if view.name in needed else set()
    copied: set[str] = set()
    for view in views:
        if view.name in needed - NOT_COPIED:
            _copy(con, view.name, _from_copies(view.query, copied))
            copied.add(view.name)
    return copied


def _copy(con: duckdb.DuckDBPyConnection, view: str, query: str) -> None:
    import duckdb

    try:
        statement = f"create or replace temp table {quoted(view)} as {query}"
        database.in_little_memory(con, lambda: con.execute(statement))
    except duckdb.OperationalError:  # a full disk, too little memory: the view is not to blame
        raise
    except duckdb.Error as error:
        raise ModelError(
            f"The view {runner.SCHEMA}.{view} cannot be read ({first_line(error)}): run `cekura-sync build`."
        ) from error


def _from_copies(sql: str, copied: set[str]) -> str:
    def place(reference: re.Match[str]) -> str:
        return f"temp.{reference[1]}" if reference[1] in copied else reference[0]

    return runner.REFERENCE.sub(place, sql)


def _ask(con: duckdb.DuckDBPyConnection, model: Model, copied: set[str]) -> Finding | None:
    import duckdb

    query = _from_copies(model.query, copied)

    def finding() -> Finding | None:
        # Executed once and not as a relation, which DuckDB binds again at every step.
        first = con.execute(f"select * from (\n{query}\n) limit 1").fetchall()
        if not first:
            return None
        columns = columns_of(con)
        rows = con.execute(f"select count(*) from (\n{query}\n)").fetchall()[0][0]
        example = ", ".join(f"{column} {value}" for column, value in zip(columns, first[0], strict=True))
        return Finding(model.name, model.meaning, int(rows), example)

    try:
        return database.in_little_memory(con, finding)
    except duckdb.OperationalError:
        raise
    except duckdb.Error as error:
        raise runner.failure(model, error) from error
