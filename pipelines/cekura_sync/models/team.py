"""The team's own SQL models: views in the schema `team`, built after ours. A broken one is left out, and nothing else is."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from hashlib import md5
from typing import TYPE_CHECKING

import duckdb

from cekura_sync.database import columns_of, first_line, has_table, in_little_memory, literal, quoted
from cekura_sync.errors import ModelError, SettingsError
from cekura_sync.models import words
from cekura_sync.models.runner import Model, comments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMA = "team"
_KEPT = "_team_views"
_REFERENCE = re.compile(rf'\b{SCHEMA}"?\s*\.\s*"?(\w+)', re.IGNORECASE)


class TeamModels:
    """The files of a folder, as they were when it was read: a view each, and queries in checks/ that return wrong rows."""

    def __init__(self, folder: Path) -> None:
        """Raises SettingsError where there is no such folder."""
        if not folder.is_dir():
            raise SettingsError(
                f"{folder} is not a directory: write --models as in --models sql, or leave it out."
            )
        self._unreadable: list[str] = []
        self.models = self._read(folder)
        self.checks = self._read(folder / "checks")
        self.flaws = [*self._unreadable]  # a sentence for each file with something wrong

    def _read(self, folder: Path) -> list[Model]:
        models: dict[str, Model] = {}
        for path in sorted(folder.glob("*.sql")):
            name = path.stem.lower()  # for a database, case makes no difference
            if not path.is_file():  # reading from a pipe would never end
                self._unreadable.append(_left_out(path, "it is not a file"))
            elif name in models:
                self._unreadable.append(
                    _left_out(path, f"{models[name].path.name} has the same name but for case")
                )
            else:
                try:
                    models[name] = Model(path, path.read_text(encoding="utf-8-sig"))
                except (OSError, UnicodeDecodeError) as error:
                    self._unreadable.append(_left_out(path, first_line(error)))
        return [*models.values()]

    def signature(self) -> str:
        texts = (
            f"{model.path.parent.name}/{model.name}\n{model.sql}\n" for model in (*self.models, *self.checks)
        )
        # A file's name need not be UTF-8.
        return md5("".join(texts).encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()

    def differ(self, con: duckdb.DuckDBPyConnection) -> bool:
        """From what the attached `base` was built with."""
        try:
            return con.execute("select signature from base.cekura._team_models").fetchall() != [
                (self.signature(),)
            ]
        except duckdb.CatalogException:
            return bool(self.models)

    def build(self, con: duckdb.DuckDBPyConnection) -> None:
        """Every view that can be built is there afterwards; `flaws` says what is wrong with the others. It may be tried twice."""
        self.flaws = flaws = [*self._unreadable]
        con.execute(f"create schema if not exists {SCHEMA}")
        con.execute(
            "create or replace table cekura._team_models as select $1 as signature", [self.signature()]
        )
        self._drop_others(con)
        for model in self._in_order(flaws):
            _attempt(con, model, flaws, _create)
        for check in self.checks:
            _attempt(con, check, flaws, _check)

    def _in_order(self, flaws: list[str]) -> list[Model]:
        by_name = {model.name: model for model in self.models}
        while True:
            graph = {name: _references(model) & by_name.keys() - {name} for name, model in by_name.items()}
            try:
                return [by_name[name] for name in TopologicalSorter(graph).static_order()]
            except CycleError as error:
                for name in set(error.args[1]):
                    flaws.append(_left_out(by_name.pop(name).path, "it selects from itself in a circle"))

    def _drop_others(self, con: duckdb.DuckDBPyConnection) -> None:
        """A view whose file is gone. One whose file is broken stays as it was."""
        views = con.execute(
            "select view_name from duckdb_views() where schema_name = ? and database_name = current_database()",
            [SCHEMA],
        ).fetchall()
        for name in {str(name) for (name,) in views} - {model.name for model in self.models}:
            con.execute(f"drop view {SCHEMA}.{quoted(name)}")


def keep_views(con: duckdb.DuckDBPyConnection) -> None:
    """Write down how to make the team's views again, for a file to which only the tables move."""
    found = con.execute(
        "select view_name, sql, comment from duckdb_views()"
        " where schema_name = ? and database_name = current_database() order by view_oid",
        [SCHEMA],
    ).fetchall()
    con.execute(f"create or replace table cekura.{_KEPT} (definition varchar)")
    for name, definition, comment in found:
        meanings = con.execute(
            "select column_name, comment from duckdb_columns() where schema_name = ? and table_name = ?"
            " and database_name = current_database() and comment is not null",
            [SCHEMA, name],
        ).fetchall()
        view = f"{SCHEMA}.{quoted(name)}"
        said = [(f"column {view}.{quoted(column)}", meaning) for column, meaning in meanings]
        said += [(f"view {view}", comment)] if comment is not None else []
        statements = [
            definition.rstrip(";"),
            *(f"comment on {what} is {literal(text)}" for what, text in said),
        ]
        con.execute(f"insert into cekura.{_KEPT} values (?)", [";\n".join(statements)])


def restore_views(con: duckdb.DuckDBPyConnection) -> None:
    """Make them again where `keep_views` wrote them down. One that our views no longer carry waits for the next `--models`."""
    if not has_table(con, _KEPT):
        return
    con.execute(f"create schema if not exists {SCHEMA}")
    left = [str(definition) for (definition,) in con.execute(f"from cekura.{_KEPT}").fetchall()]
    while left and (still := [definition for definition in left if not _restored(con, definition)]) != left:
        left = still  # one may rest on another that was made again later
    if left:
        con.execute("drop table if exists cekura._team_models")
    con.execute(f"drop table cekura.{_KEPT}")


def _restored(con: duckdb.DuckDBPyConnection, definition: str) -> bool:
    con.begin()
    try:
        con.execute(definition)
    except duckdb.Error:
        con.rollback()
        return False
    con.commit()
    return True


def _references(model: Model) -> set[str]:
    return {name.lower() for name in _REFERENCE.findall(words.code(model.sql))}


def _attempt(
    con: duckdb.DuckDBPyConnection,
    model: Model,
    flaws: list[str],
    act: Callable[[duckdb.DuckDBPyConnection, Model], str],
) -> None:
    def attempt() -> str:
        con.begin()
        try:
            flaw = act(con, model)
        except BaseException:
            con.rollback()
            raise
        con.commit()
        return flaw

    try:
        flaw = in_little_memory(con, attempt)
    except (duckdb.Error, ModelError, SettingsError) as error:
        flaw = _left_out(model.path, first_line(error).removeprefix(f"{model.path}: "))
    if flaw:
        flaws.append(flaw)


def _create(con: duckdb.DuckDBPyConnection, model: Model) -> str:
    _require_one_select(con, model)
    view = f"{SCHEMA}.{quoted(model.name)}"
    con.execute(f"create or replace view {view} as\n{model.query}")
    con.execute(f"select * from {view} limit 0")
    con.execute(comments(model, schema=SCHEMA, columns=columns_of(con)))
    return ""


def _check(con: duckdb.DuckDBPyConnection, model: Model) -> str:
    _require_one_select(con, model)
    rows = con.execute(f"select * from (\n{model.query}\n)").fetchall()
    return f"Your check {model.path} finds {len(rows)} wrong rows, such as {rows[0]}." if rows else ""


def _require_one_select(con: duckdb.DuckDBPyConnection, model: Model) -> None:
    if not re.fullmatch(r"[a-zA-Z_]\w*", model.name):
        raise SettingsError("its name is not that of a view: use letters, digits and _")
    kinds = [statement.type for statement in con.extract_statements(model.sql)]
    if kinds != [duckdb.StatementType.SELECT]:
        raise SettingsError("it is not one select: write one select in each file")


def _left_out(path: Path, reason: str) -> str:
    return f"Your model {path} is left out: {reason}."
