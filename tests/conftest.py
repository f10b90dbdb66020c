import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cekura_sync.api import client
from cekura_sync.sandbox import Sandbox, World
from support.engines import PostgreSql, postgres_server
from support.first_syncs import FirstSyncs
from support.harness import LONG, Account, Ran
from support.shared import Shared
from support.theirs import Theirs

OF_THE_WORLD = (
    "results",
    "agents",
    "runs_per_result",
    "vary_runs",
    "days",
    "seed",
    "now",
    "in_flight",
    "versions",
)
ELSEWHERE = (
    "page_size_cap",
    "count",
    "latency",
    "warehouse",
)  # whatever these are, a first sync makes the same warehouse
QUICK = {"results": 20, "runs_per_result": 1, "in_flight": 0}

# As the program does: collections of garbage go through all tests and find little.
gc.set_threshold(50_000, 20, 20)
_status = 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked `long` run only with CEKURA_TEST_LONG, as in `make test-long`."""
    long = [] if LONG else [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in {*long}]


def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`: three workers for two processors, because a third of a test is waiting: for processes, the disk and the network."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return processors + (processors + 1) // 2


def pytest_sessionfinish(exitstatus: int) -> None:
    global _status
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Leave at once: at a slow exit DuckDB's bindings list, after the summary, objects that hypothesis still holds."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_status)


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the key, the settings or the vendor file of whoever runs it."""
    for name in list(os.environ):
        if name.startswith("CEKURA_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries happen, but at once."""
    monkeypatch.setattr(client, "backoff", 0.0)


def _make(stack: ExitStack, warehouse: Path, options: dict[str, Any]) -> Account:
    for_world = {name: options.pop(name) for name in OF_THE_WORLD if name in options}
    world = World(**{"results": 250, "in_flight": 3, "runs_per_result": 3, "days": 30} | for_world)
    return Account(stack.enter_context(Sandbox(world, **options)), warehouse)


@pytest.fixture
def new_account(tmp_path: Path) -> Iterator[Callable[..., Account]]:
    """Makes accounts: `new_account(results=300, page_size_cap=50)`; what World does not know goes to Sandbox."""
    with ExitStack() as stack:
        yield lambda warehouse="warehouse.duckdb", **options: _make(stack, tmp_path / warehouse, options)


@pytest.fixture(scope="module")
def new_account_of_many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Account]]:
    """The same for a story that many tests of a module read: each account has a folder of its own, and lives as long as they do."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "backoff", 0.0)
        yield lambda **options: _make(stack, tmp_path_factory.mktemp("many") / "warehouse.duckdb", options)


@pytest.fixture
def account(new_account: Callable[..., Account]) -> Account:
    """250 results of three runs over 30 days, three of them in flight."""
    return new_account()


@pytest.fixture(scope="session")
def first_syncs(tmp_path_factory: pytest.TempPathFactory) -> FirstSyncs:
    base = tmp_path_factory.getbasetemp()
    return FirstSyncs((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "first-syncs")


@pytest.fixture
def new_synced(new_account: Callable[..., Account], first_syncs: FirstSyncs) -> Callable[..., Account]:
    """Makes accounts that have had their first sync: `new_synced("--details", results=300)`.

    `arrange` changes the account before that sync, `then` is a command after it: always in the same way, for the warehouse is used again.
    """

    def make(
        *options: str,
        arrange: Callable[[Account], object] | None = None,
        then: Callable[[Account], Ran] | None = None,
        **kind: Any,
    ) -> Account:
        kind = {"now": first_syncs.now()} | kind
        account = new_account(**kind)
        if arrange:
            arrange(account)
        told = sorted((name, value) for name, value in kind.items() if name not in ELSEWHERE)
        first_syncs.give(
            account, *options, kind=(arrange and (arrange.__module__, arrange.__qualname__), told), then=then
        )
        return account

    return make


@pytest.fixture
def synced_account(new_synced: Callable[..., Account]) -> Account:
    """The same as `account`, after its first sync."""
    return new_synced()


@pytest.fixture
def quick(new_account: Callable[..., Account]) -> Account:
    """Twenty results that are read in one request."""
    return new_account(**QUICK)


@pytest.fixture
def settled(new_synced: Callable[..., Account]) -> Account:
    """The same as `quick`, after its first sync: the next one finds nothing new."""
    return new_synced(**QUICK)


@pytest.fixture(scope="session")
def synced(tmp_path_factory: pytest.TempPathFactory, first_syncs: FirstSyncs) -> Iterator[Account]:
    """Forty results of one run, synced: one warehouse for all tests that only read."""
    with Sandbox(World(results=40, runs_per_result=1, now=first_syncs.now())) as sandbox:
        account = Account(sandbox, tmp_path_factory.mktemp("synced") / "warehouse.duckdb")
        first_syncs.give(account, kind="synced")
        yield account


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Theirs]:
    """A folder with a pipeline of somebody's, beside 250 results in pages of 50."""
    with Sandbox(World(results=250, in_flight=3, runs_per_result=3, days=30), page_size_cap=50) as sandbox:
        yield Theirs(tmp_path, sandbox)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a PostgreSQL server; starting one takes a second, so all tests of a worker share it."""
    with postgres_server() as address, PostgreSql(address) as admin:
        admin.execute("create database warehouse")
        yield address


@pytest.fixture
def shared(new_account: Callable[..., Account], server: str, first_syncs: FirstSyncs) -> Shared:
    """Forty results in small pages, not synced into the database yet."""
    account = new_account(
        results=40, agents=3, runs_per_result=2, days=20, page_size_cap=20, now=first_syncs.now()
    )
    return Shared(account, server.rpartition("/")[0] + "/warehouse")
