"""The files of sql/ in the engine: views with their comments."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import md5
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2

from cekura_sync.database import quoted
from cekura_sync.errors import WarehouseError
from cekura_sync.models import runner
from cekura_sync.tables import SCHEMA
from cekura_sync.warehouse.postgres import ownership

if TYPE_CHECKING:
    from cekura_sync.warehouse.postgres.session import Session


def names() -> list[str]:
    return [model.name for model in _models()]


def are_built(session: "Session") -> bool:
    """Whether every view stands as `build` would make it: nothing of their text is new, and none is missing."""
    models = _models()
    return ownership.mark(session) == _mark(models) and len(_present(session, models)) == len(models)


@contextmanager
def translating(engine: str) -> Iterator[None]:
    """While the engine works, get ready what `build` will send: it takes most of a second."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: [_statements(model, engine) for model in _models()])
        yield


def build(session: "Session", engine: str) -> list[str]:
    """Inside a transaction; returns their names. Views are replaced, which keeps their grants if possible."""
    models = _models()
    statements = [statement for model in models for statement in _statements(model, engine)]
    session.run(f"create schema if not exists {runner.SCHEMA}")
    session.run("savepoint before_views")
    replaced = True
    try:
        _run(session, statements)
    except psycopg2.ProgrammingError:  # a column was removed, moved, or changed its type
        session.run("rollback to savepoint before_views")
        replaced = False
    if not replaced:
        _drop(session, _present(session, models))
        _run(session, statements)
    session.run(f"comment on schema {SCHEMA} is '{_mark(models)}'")
    return [model.name for model in models]


def _models() -> list[runner.Model]:
    return runner.in_build_order(runner.read_models(runner.models_dir()))


def _mark(models: list[runner.Model]) -> str:
    """With a digest of all that decides on the views' text: translating them takes longer than a quiet sync."""
    parts = [
        *(model.query for model in models),
        Path(runner.__file__).with_name("dialects.py").read_text("utf-8"),
        version("sqlglot"),
    ]
    parts.append(ownership.SIGNATURE)
    digest = md5(chr(10).join(parts).encode(), usedforsecurity=False).hexdigest()
    return f"{ownership.MARK} {digest} {ownership.WRITTEN_BY}"


def _statements(model: runner.Model, engine: str) -> tuple[str, str]:
    from cekura_sync.models import dialects  # sqlglot, a fifth of a second

    query = dialects.translated(model, engine)
    return f"create or replace view {runner.SCHEMA}.{model.name} as {query}", runner.comments(
        model, ownership.SIGNATURE
    )


def _run(session: "Session", statements: list[str]) -> None:
    for statement in statements:
        session.run(statement)


def _present(session: "Session", models: list[runner.Model]) -> list[str]:
    """Our views, by name: `ownership.require` has made sure that none of them is another user's."""
    found = session.rows(
        "select table_name from information_schema.views where table_schema = %s and table_name = any(%s)",
        runner.SCHEMA,
        [model.name for model in models],
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
