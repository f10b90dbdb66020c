"""The views as statements for another engine: translated, under the names that they have there, with comments in its words."""

import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import md5
from importlib.metadata import version
from pathlib import Path

from sqlglot import exp

from cekura_sync.models import dialects, runner, schemas, words
from cekura_sync.models.runner import Model

# Where our tables are in an engine: (`cekura` or `analytics`, its name) → its name there.
Place = Callable[[str, str], exp.Table]

COMMENT_ON = ("duckdb", "postgres", "redshift", "trino")  # by statements of their own
COMMENT_IN_VIEW = {  # in the statement that creates the view: of a column, of the view
    "spark": ("comment {}", "comment {}"),
    "databricks": ("comment {}", "comment {}"),
    "snowflake": ("comment {}", "comment = {}"),
    "bigquery": ("options (description = {})", "options (description = {})"),
}
TEMPORARY = ("spark", "databricks", "duckdb", "postgres")  # have views that last as long as a session


def models(engine: str) -> list[Model]:
    """Those that the engine can have, each after those that it selects from."""
    found = runner.in_build_order(runner.read_models(runner.models_dir()))
    return [model for model in found if model.name not in left_out(engine)]


def left_out(engine: str) -> tuple[str, ...]:
    return dialects.LACKS.get(engine, ())


def script(engine: str, schema: str, tables_schema: str, account: str | None = None) -> Iterator[str]:
    """The whole script: views of `schema` over tables of `tables_schema`, or over an account's rows of them."""
    kind = "database" if engine == "clickhouse" else "schema"
    yield f"create {kind} if not exists {schemas.written(schema, engine)}"
    for model in models(engine):
        yield from statements(model, engine, partial(in_schemas, schema, tables_schema), account)


def session_script(engine: str, schema: str, tables_schema: str, account: str | None = None) -> Iterator[str]:
    """The same as temporary views, for sessions without a catalog. These have no schema, so it becomes a part of their names."""
    for model in models(engine):
        place = partial(in_names, schema, tables_schema)
        query = dialects.placed(model, engine, place, account)
        yield f"create or replace temporary view {_name(model, engine, place)} as\n{query}"


def in_schemas(views: str, tables_schema: str, schema: str, name: str) -> exp.Table:
    return schemas.of(views if schema == runner.SCHEMA else tables_schema, name)


def in_names(views: str, tables_schema: str, schema: str, name: str) -> exp.Table:
    return schemas.before(views if schema == runner.SCHEMA else tables_schema, name)


def statements(model: Model, engine: str, place: Place, account: str | None = None) -> list[str]:
    """Those that create or replace a view with its comments."""
    view, query = _name(model, engine, place), dialects.placed(model, engine, place, account)
    meaning, comments = _text(model.meaning, engine), _column_comments(model, engine)
    if engine in COMMENT_IN_VIEW:
        of_column, of_view = COMMENT_IN_VIEW[engine]
        columns = ", ".join(
            f"{column} {of_column.format(comments[column])}" if column in comments else column
            for column in dialects.columns(model)
        )
        return [f"create or replace view {view} ({columns}) {of_view.format(meaning)} as\n{query}"]
    if engine == "clickhouse":
        return [f"create or replace view {view} as\n{query}\ncomment {meaning}"]
    created = f"create or replace view {view} as\n{query}"
    if engine not in COMMENT_ON:
        return [created]
    of_columns = (f"comment on column {view}.{name} is {text}" for name, text in comments.items())
    return [created, f"comment on view {view} is {meaning}", *of_columns]


def _name(model: Model, engine: str, place: Place) -> str:
    return place(runner.SCHEMA, model.name).sql(engine)


def _column_comments(model: Model, engine: str) -> dict[str, str]:
    return {name: _text(meaning, engine) for name, meaning in model.column_comments.items()}


def _text(text: str, engine: str) -> str:
    return exp.Literal.string(text).sql(engine)


def selected_tables() -> set[str]:
    """Our tables that some view selects from."""
    code = (words.code(model.sql) for model in runner.read_models(runner.models_dir()))
    return {name for sql in code for name in re.findall(rf"\b{dialects.TABLES}\.(\w+)", sql)}


def signature(model: Model, *where: str) -> str:
    """Of all that decides on the view's text, without translating it."""
    ours = (Path(str(module.__file__)).read_text("utf-8") for module in (dialects, sys.modules[__name__]))
    parts = (model.query, model.sql, version("sqlglot"), *ours, *where)
    return md5("\n".join(parts).encode(), usedforsecurity=False).hexdigest()
