from collections.abc import Iterator

import pytest

from cekura_sync.models import runner
from support.base import Base


@pytest.fixture(scope="session")
def built() -> Base:
    base = Base()
    runner.build(base.con)
    return base


@pytest.fixture
def base(built: Base) -> Iterator[Base]:
    yield built
    built.clear()
