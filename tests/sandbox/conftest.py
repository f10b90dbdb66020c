from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from cekura_sync.sandbox import Sandbox, World

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.fixture
def world() -> World:
    return World(results=90, agents=4, runs_per_result=4, now=NOW)


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with Sandbox(world) as sandbox:
        yield sandbox
