"""Translates the models of sql/ for other engines: sqlglot, and what sqlglot does not know."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

if TYPE_CHECKING:
    from cekura_sync.models.runner import Model

ENGINES = (
    "postgres",
    "clickhouse",
    "bigquery",
    "snowflake",
    "databricks",
    "redshift",
    "spark",
    "trino",
    "duckdb",
)
# Views that an engine cannot have. Redshift's documentation knows a window over a range of days neither in this form nor in another.
LACKS = {"redshift": ("agent_daily", "agent_weekly")}


TABLES, VIEWS = "cekura", "analytics"  # our schemas, as the models name them


@cache
def translated(model: "Model", engine: str) -> str:
    """The model's query for this engine (sqlglot's name of it). Raises what sqlglot raises for words it cannot translate."""
    return _text(_translated(model, engine), engine)


def placed(
    model: "Model", engine: str, place: "Callable[[str, str], exp.Table]", account: str | None = None
) -> str:
    """The same, in lines of their own, with the tables and views that it selects from under the names that `place` gives them.

    `account`: only its rows, where several accounts share the tables.
    """
    query = _translated(model, engine)
    for table in list(query.find_all(exp.Table)):
        if table.db in (TABLES, VIEWS):
            named = place(table.db, table.name)
            alias = table.alias or table.name
            if table.db == TABLES and account:
                mine = exp.column("account").eq(exp.Literal.string(account))
                found: exp.Expr = exp.select("*").from_(named).where(mine).subquery(alias)
            else:
                found = exp.alias_(named, alias, table=True)
            table.replace(found)
    return _text(query, engine, pretty=True)


def columns(model: "Model") -> list[str]:
    """Names of the model's columns."""
    query = sqlglot.parse_one(model.query, read="duckdb")
    assert isinstance(query, exp.Query)  # noqa: S101 - every model is one select
    return query.named_selects


def _text(query: exp.Expr, engine: str, *, pretty: bool = False) -> str:
    return query.sql(engine, comments=False, unsupported_level=sqlglot.ErrorLevel.RAISE, pretty=pretty)


def _translated(model: "Model", engine: str) -> exp.Expr:
    query = sqlglot.parse_one(model.query, read="duckdb")
    _name_columns(query)
    if engine in _SECONDS:
        _add_seconds(query, engine)
    if engine == "postgres":
        _compute_each_part_once(query)
    if engine == "redshift":
        _in_older_words(query)
    if engine in ("spark", "databricks"):
        _choose_by_coalesce(query)
        _say_conditions_twice(query)
    return query


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


def _choose_by_coalesce(query: exp.Expr) -> None:
    """The later or earlier of two: Sail calls `case when a > b then a else b end` a column that may not be there."""
    for case in list(query.find_all(exp.Case)):
        (first, *more), other = case.args["ifs"], case.args.get("default")
        pair = first.this
        if (
            not more
            and isinstance(pair, exp.GT | exp.LT)
            and (first.args["true"], other) == (pair.this, pair.expression)
        ):
            chosen = exp.Case().when(pair.copy(), pair.this.copy())
            case.replace(exp.func("coalesce", chosen, pair.expression.copy()))


def _say_conditions_twice(query: exp.Expr) -> None:
    """After a cross join Sail loses the part of a join's condition that concerns more than its two sides."""
    for select in query.find_all(exp.Select):
        joins = select.args.get("joins") or []
        if any(join.kind == "CROSS" for join in joins):
            for join in joins:
                if join.args.get("on") is not None and not join.side:
                    select.where(join.args["on"].copy(), copy=False)


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
