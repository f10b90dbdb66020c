"""The queries of sql/dashboards: what every tool shows, each with its columns."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cekura_sync import database, tables
from cekura_sync.models import functions, runner
from cekura_sync.models.runner import Model

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Column:
    name: str
    kind: str  # DuckDB's name of its type
    meaning: str


@dataclass(frozen=True)
class Query:
    """One file of sql/dashboards."""

    name: str
    sql: str
    meaning: str
    columns: tuple[Column, ...]


@cache
def read() -> dict[str, Query]:
    """Every query by its name. Reads no warehouse: types come from views over empty tables."""
    models = runner.read_models(runner.models_dir() / "dashboards")
    with _empty_warehouse() as con:
        return {
            model.name: Query(model.name, model.query, model.meaning, _columns(con, model))
            for model in models
        }


def formula(call: str) -> str:
    """A call of a function in sql/functions, written out."""
    return functions.expand(call, functions.read(runner.models_dir() / "functions"))


def _columns(con: "duckdb.DuckDBPyConnection", model: Model) -> tuple[Column, ...]:
    answer = con.sql(model.query)
    return tuple(
        Column(name, str(kind), model.column_comments.get(name, ""))
        for name, kind in zip(answer.columns, answer.types, strict=True)
    )


@contextmanager
def _empty_warehouse() -> Iterator["duckdb.DuckDBPyConnection"]:
    with database.connect() as con:
        con.execute(f"create schema {tables.SCHEMA}")
        tables.complete(con)
        runner.build(con)
        yield con
