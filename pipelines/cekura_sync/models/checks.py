"""The rules in sql/checks/: each is a query that returns the rows that break it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cekura_sync import database
from cekura_sync.console.memory import give_back
from cekura_sync.database import first_line, quoted
from cekura_sync.errors import ModelError
from cekura_sync.models import runner

if TYPE_CHECKING:
    import re

    import duckdb

    from cekura_sync.models.runner import Model

# One row per result or run, so as large as the tables themselves. Every other view sums them up.
ROW_VIEWS = {"live_results", "results", "run_details", "run_metrics", "runs"}


@dataclass(frozen=True)
class Finding:
    """A check that did not hold."""

    check: str
    question: str
    rows: int
    example: str


def check(con: duckdb.DuckDBPyConnection) -> list[Finding]:
    """Ask every question of sql/checks/; a query that returns rows is a finding."""
    give_back()
    # Several checks ask the same view, so each is computed once.
    models = runner.read_models(runner.models_dir() / "checks")
    asked = set().union(*(model.references for model in models)) - ROW_VIEWS
    for name in sorted(asked):
        _copy(con, quoted(name))
    return [finding for model in models if (finding := _ask(con, model, asked))]


def check_rows(con: duckdb.DuckDBPyConnection) -> list[Finding]:
    """Ask only what concerns single results and runs, in a database that has the tables but no views yet.

    A quick sync asks this of a copy of what it changed: what it costs does not grow with the warehouse.
    """
    con.execute(f"create schema {runner.SCHEMA}")
    for view in runner.in_build_order(runner.read_models(runner.models_dir())):
        if view.name in ROW_VIEWS:
            runner.run(con, view, f"create view {runner.SCHEMA}.{view.name} as\n{view.query}")
    models = runner.read_models(runner.models_dir() / "checks")
    return [found for model in models if model.references <= ROW_VIEWS and (found := _ask(con, model, set()))]


def _copy(con: duckdb.DuckDBPyConnection, view: str) -> None:
    import duckdb

    statement = f"create or replace temp table {view} as select * from {runner.SCHEMA}.{view}"
    try:
        database.run_in_little_memory(con, statement)
    except duckdb.Error as error:
        raise ModelError(
            f"The view {runner.SCHEMA}.{view} cannot be read ({first_line(error)}): run `cekura-sync build`."
        ) from error


def _ask(con: duckdb.DuckDBPyConnection, model: Model, copied: set[str]) -> Finding | None:
    import duckdb

    def place(reference: re.Match[str]) -> str:
        return f"temp.{reference[1]}" if reference[1] in copied else reference[0]

    try:
        wrong = con.sql(runner.REFERENCE.sub(place, model.query))
        first = wrong.limit(1).fetchall()
        if not first:
            return None
        rows = int(wrong.count("*").fetchall()[0][0])
    except duckdb.Error as error:
        raise runner.failure(model, error) from error
    example = ", ".join(f"{column} {value}" for column, value in zip(wrong.columns, first[0], strict=True))
    return Finding(model.name, model.meaning, rows, example)
