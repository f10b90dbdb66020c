"""Translates the models of sql/ for other engines: sqlglot, and what sqlglot does not know."""

from functools import cache
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

if TYPE_CHECKING:
    from cekura_sync.models.runner import Model

ENGINES = ("postgres", "clickhouse", "bigquery", "snowflake", "databricks", "redshift")


@cache
def translated(model: "Model", engine: str) -> str:
    """The model's query for this engine (sqlglot's name of it). Raises what sqlglot raises for words it cannot translate."""
    query = sqlglot.parse_one(model.query, read="duckdb")
    _name_columns(query)
    if engine in _SECONDS:
        _add_seconds(query, engine)
    if engine == "postgres":
        _compute_each_part_once(query)
    if engine == "redshift":
        _in_older_words(query)
    return query.sql(engine, comments=False, unsupported_level=sqlglot.ErrorLevel.RAISE)


def translate(engine: str, statement: str) -> str:
    """Translates one of our statements from DuckDB's SQL."""
    return sqlglot.transpile(statement, read="duckdb", write=engine)[0]


def _name_columns(query: exp.Expr) -> None:
    """`runs.id` gets its name said: ClickHouse calls it "runs.id" where another table of the join has an `id` too."""
    for select in query.find_all(exp.Select):
        for column in list(select.expressions):
            if isinstance(column, exp.Column) and column.table and not isinstance(column.this, exp.Star):
                column.replace(exp.alias_(column.copy(), column.name))


def _compute_each_part_once(query: exp.Expr) -> None:
    """PostgreSQL takes a filter on a computed column for a very strict one, expects a row, and computes the other side for each."""
    for part in query.find_all(exp.CTE):
        part.set("materialized", True)


def _add_seconds(query: exp.Expr, engine: str) -> None:
    """A moment plus a computed number of seconds, where an interval cannot be multiplied."""
    for product in list(query.find_all(exp.Mul)):
        if isinstance(product.expression, exp.Interval) and isinstance(product.parent, exp.Add):
            moment, seconds = product.parent.this, product.this
            product.parent.replace(
                sqlglot.parse_one(
                    _SECONDS[engine].format(seconds.sql(engine), moment.sql(engine)), read=engine
                )
            )


_SECONDS = {
    "clickhouse": "{1} + toIntervalSecond({0})",
    "snowflake": "dateadd(second, {0}, {1})",
}


def _in_older_words(query: exp.Expr) -> None:
    """Without `filter (where …)` and `is not distinct from`, which came to PostgreSQL after Redshift had left it."""
    for filtered in list(query.find_all(exp.Filter)):
        call, condition = filtered.this, filtered.expression.this
        counted = exp.Literal.number(1) if isinstance(call.this, exp.Star) else call.this
        call.set("this", exp.Case().when(condition.copy(), counted.copy()))
        filtered.replace(call.copy())
    for same in list(query.find_all(exp.NullSafeEQ)):
        same.replace(_same(same))
    for other in list(query.find_all(exp.NullSafeNEQ)):
        # Not `not _same(…)`: against NULL that would be NULL, where it is to be true.
        other.replace(exp.paren(exp.not_(exp.func("coalesce", _same(other), exp.false()))))


def _same(pair: exp.Binary) -> exp.Expr:
    one, other = pair.this, pair.expression
    neither = exp.and_(one.copy().is_(exp.null()), other.copy().is_(exp.null()))
    return exp.paren(exp.or_(one.copy().eq(other.copy()), neither))
