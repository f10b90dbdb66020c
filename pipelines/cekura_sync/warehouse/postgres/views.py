"""The files of sql/ in the engine: views with their comments, and checks."""

from hashlib import md5
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2

from cekura_sync.database import quoted
from cekura_sync.errors import WarehouseError
from cekura_sync.models import dialects, runner
from cekura_sync.tables import SCHEMA
from cekura_sync.warehouse.postgres import ownership

if TYPE_CHECKING:
    from cekura_sync.warehouse.postgres.session import Session


def build(session: "Session", engine: str) -> list[str]:
    """Inside a transaction; returns their names. Views whose text is unchanged stay; others are replaced, which keeps their grants if possible."""
    files = runner.in_build_order(runner.read_models(runner.models_dir()))
    names = [model.name for model in files]
    built = f"{ownership.MARK} {_digest(files)}"
    present = _present(session, names)
    if ownership.mark(session) == built and len(present) == len(names):
        return names
    statements = [statement for model in files for statement in _statements(model, engine)]
    session.run(f"create schema if not exists {runner.SCHEMA}")
    session.run("savepoint before_views")
    replaced = True
    try:
        _run(session, statements)
    except psycopg2.ProgrammingError:  # a column was removed, moved, or changed its type
        session.run("rollback to savepoint before_views")
        replaced = False
    if not replaced:
        _drop(session, present)
        _run(session, statements)
    session.run(f"comment on schema {SCHEMA} is '{built}'")
    return names


def check(session: "Session", engine: str) -> list[runner.Finding]:
    """Each of our own rules that does not hold."""
    findings = []
    for model in runner.read_models(runner.models_dir() / "checks"):
        wrong = session.rows(dialects.translated(model, engine))
        if wrong:
            findings.append(runner.Finding(model.name, model.meaning, len(wrong), str(wrong[0])))
    return findings


def _digest(files: list[runner.Model]) -> str:
    """Of everything that decides on the views' text: translating them takes longer than a quiet sync."""
    parts = [
        *(model.query for model in files),
        Path(dialects.__file__).read_text("utf-8"),
        version("sqlglot"),
    ]
    parts.append(ownership.SIGNATURE)
    return md5("\n".join(parts).encode(), usedforsecurity=False).hexdigest()


def _statements(model: runner.Model, engine: str) -> tuple[str, str]:
    query = dialects.translated(model, engine)
    return f"create or replace view {runner.SCHEMA}.{model.name} as {query}", runner.comments(
        model, ownership.SIGNATURE
    )


def _run(session: "Session", statements: list[str]) -> None:
    for statement in statements:
        session.run(statement)


def _present(session: "Session", names: list[str]) -> list[str]:
    """Our views, by name: `ownership.require` has made sure that none of them is another user's."""
    found = session.rows(
        "select table_name from information_schema.views where table_schema = %s and table_name = any(%s)",
        runner.SCHEMA,
        names,
    )
    return [name for (name,) in found]


def _drop(session: "Session", views: list[str]) -> None:
    """All our views at once. Raises WarehouseError where other views depend on them."""
    if not views:
        return
    names = ", ".join(f"{runner.SCHEMA}.{quoted(name)}" for name in views)
    try:
        session.run(f"drop view {names}")
    except psycopg2.errors.DependentObjectsStillExist as error:
        raise WarehouseError(
            f"Views of {runner.SCHEMA} have new columns and cannot be replaced while others stand on them ({error.diag.message_detail}): drop those, sync, and make them again. Nothing was changed."
        ) from error
