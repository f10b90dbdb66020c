from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from support.harness import connect
from support.planted import account_with_everything


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A warehouse in which every query has something to show."""
    with account_with_everything(tmp_path_factory.mktemp("dashboards"), datetime.now(UTC)) as account:
        yield account.warehouse


@pytest.fixture(scope="module")
def con(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(published) as con:
        yield con
