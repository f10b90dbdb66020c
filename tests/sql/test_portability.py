"""The models are plain SQL: other engines get them from sqlglot, which dlt brings along."""

from pathlib import Path

import pytest
import sqlglot

from cekura_sync import models

FILES = sorted(models.models_dir().rglob("*.sql"))


@pytest.mark.parametrize("engine", ["postgres", "clickhouse"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_is_one_query_that_other_engines_understand(path: Path, engine: str) -> None:
    (query,) = sqlglot.parse(path.read_text(), read="duckdb")

    assert isinstance(query, sqlglot.exp.Query)
    assert query.sql(engine, unsupported_level=sqlglot.ErrorLevel.RAISE)
