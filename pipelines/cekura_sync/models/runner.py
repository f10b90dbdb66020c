"""The SQL models: finds the files of sql/, orders them, builds them as views and comments them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING

from cekura_sync.database import literal, quoted
from cekura_sync.errors import ModelError
from cekura_sync.models import functions, words

if TYPE_CHECKING:
    from collections.abc import Collection

    import duckdb

SCHEMA = "analytics"

REFERENCE = re.compile(rf"\b{SCHEMA}\.(\w+)")


@dataclass(frozen=True)
class Model:
    """A file of sql/: one select, which becomes the view of the same name."""

    path: Path
    sql: str

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def query(self) -> str:
        """The select with the functions of sql/functions/ written out. Raises ModelError for a wrong call."""
        try:
            return functions.written_out(self.sql, models_dir() / "functions")
        except ModelError as error:
            raise ModelError(f"{self.path}: {error}") from error

    @property
    def meaning(self) -> str:
        """The comment on top of the file, in one line."""
        lines = []
        for line in self.sql.splitlines():
            if not line.startswith("--"):
                break
            lines.append(line.removeprefix("--").strip())
        return " ".join(lines)

    @property
    def column_comments(self) -> dict[str, str]:
        """What stands behind each column of the select."""
        return words.column_comments(self.sql)

    @property
    def references(self) -> set[str]:
        """Names of the other models that this one selects from."""
        return set(REFERENCE.findall(words.code(self.sql))) - {self.name}


def models_dir() -> Path:
    """Where the SQL is: inside an installed wheel, or at the top of the checkout."""
    return _models_dir(Path(__file__))


@cache
def _models_dir(this_file: Path) -> Path:
    """A sync asks two hundred times."""
    here = this_file.resolve()
    for candidate in (here.parents[1] / "sql", here.parents[3] / "sql"):
        if (candidate / "results.sql").is_file():
            return candidate
    raise ModelError(
        f"The SQL models are missing: neither in {here.parents[1]} nor in a checkout around it: install cekura-sync again."
    )


def build(con: duckdb.DuckDBPyConnection) -> list[str]:
    """(Re)create every view with its comments, drop those without a file. Raises ModelError, with a part of them built.

    In a database that nobody reads yet: one transaction for all would keep a copy of a view for each comment, 50 MB in all.
    """
    models = in_build_order(read_models(models_dir()))
    con.execute(f"create schema if not exists {SCHEMA}")
    for model in models:
        create = f"create or replace view {SCHEMA}.{model.name} as\n{model.query}"
        run(con, model, f"begin;\n{create};\n{comments(model)};\ncommit")
    for name in sorted(_views(con) - {model.name for model in models}):
        con.execute(f"drop view {SCHEMA}.{quoted(name)}")
    return [model.name for model in models]


def signature(con: duckdb.DuckDBPyConnection) -> str:
    """Of the files of sql/ and of the columns of the views as they stand: while both are what they were, nothing needs building."""
    models = (*read_models(models_dir()), *read_models(models_dir() / "checks"))
    texts = (f"{model.name}\n{model.query}\n" for model in models)
    columns = con.execute(
        "select table_name, column_name from duckdb_columns() where schema_name = $1"
        " and database_name = current_database() order by table_name, column_index",
        [SCHEMA],
    ).fetchall()
    return md5(f"{''.join(texts)}{columns}".encode(), usedforsecurity=False).hexdigest()


def read_models(folder: Path) -> list[Model]:
    return [Model(path, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.sql"))]


def in_build_order(models: list[Model]) -> list[Model]:
    """Each model after those that it selects from, otherwise by name."""
    by_name = {model.name: model for model in models}
    graph = {model.name: sorted(model.references & by_name.keys()) for model in models}
    try:
        return [by_name[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        circle = " -> ".join(f"{name}.sql" for name in error.args[1])
        raise ModelError(
            f"SQL models select from each other in a circle: {circle}. Remove one of these references."
        ) from error


def run(con: duckdb.DuckDBPyConnection, model: Model, sql: str) -> None:
    import duckdb

    try:
        con.execute(sql)
    except duckdb.OperationalError:  # a full disk, too little memory: the model is not to blame
        raise
    except duckdb.Error as error:
        raise failure(model, error) from error


def failure(model: Model, error: Exception) -> ModelError:
    what, _, where = str(error).strip().partition("\n")
    refused = ModelError(f"{model.path} cannot be run: {what} (fix it, or report it)")
    refused.add_note(where.strip("\n"))
    return refused


def comments(
    model: Model, signature: str = "", schema: str = SCHEMA, columns: Collection[str] | None = None
) -> str:
    """`create or replace view` drops the comments of the view before, so they are set every time.

    `columns`: those that the view has, if a comment may stand behind a word that is none of them.
    """
    view = f"{schema}.{model.name}"
    statements = [f"comment on view {view} is {literal(model.meaning + signature)}"]
    for column, meaning in model.column_comments.items():
        if columns is not None and column not in columns:
            continue
        statements.append(f"comment on column {view}.{quoted(column)} is {literal(meaning)}")
    return ";\n".join(statements)


def _views(con: duckdb.DuckDBPyConnection) -> set[str]:
    sql = "select view_name from duckdb_views() where schema_name = ? and database_name = current_database()"
    return {str(name) for (name,) in con.execute(sql, [SCHEMA]).fetchall()}
