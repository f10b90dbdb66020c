"""An Evidence project: our queries as its source, and the pages of evidence_project/ that draw them.

Its package.json has an Evidence whose DuckDB reads Parquet without a download, and TypeScript, of which npm would
take a newer version than this Evidence accepts.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import yaml

from cekura_sync.dashboards import queries
from cekura_sync.dashboards.queries import Column, Query

PROJECT = Path(__file__).with_name("evidence_project")
SOURCE = "sources/cekura"
GENERATED = ("node_modules/", "build/", ".evidence/")


def files(warehouse: Path, folder: Path) -> dict[str, bytes]:
    """Every file of the project, given the folder in which it will be."""
    return {name: text.encode() for name, text in _texts(warehouse, folder)}


def _texts(warehouse: Path, folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(path for path in PROJECT.rglob("*") if path.is_file()):
        yield path.relative_to(PROJECT).as_posix(), path.read_text(encoding="utf-8")
    yield ".gitignore", "".join(f"{name}\n" for name in GENERATED)
    yield f"{SOURCE}/connection.yaml", _connection(warehouse, folder)
    for query in queries.read().values():
        yield f"{SOURCE}/{query.name}.sql", _source(query)


def _connection(warehouse: Path, folder: Path) -> str:
    """Evidence's connector appends the path to the source's folder, even an absolute one."""
    path = os.path.relpath(warehouse, folder / SOURCE)
    settings = {"name": "cekura", "type": "duckdb", "options": {"filename": path}}
    return str(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False))


def _source(query: Query) -> str:
    """A table for Evidence, which makes none without rows, and numbers of times that are all NULL."""
    columns = ",\n".join(f"    {_column(column)}" for column in query.columns)
    return f"""-- Without any row: one of NULLs, because Evidence makes no table without rows. Times are texts, in UTC.
select
{columns}
from (values (1)) as always
left join (
{query.sql}) as shown on true
"""


def _column(column: Column) -> str:
    if column.kind == "TIMESTAMP":
        return f"strftime(shown.{column.name}, '%Y-%m-%d %H:%M') as {column.name}"
    return f"shown.{column.name}"
